"""Finds the run that `evaluate` and `export` work on, and calls the engine."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path

from attention_zoo.pipelines.commands.arguments import Parser, named_task
from attention_zoo.pipelines.commands.loading import load
from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.storage.run_folder import RunFolder, runs_of
from attention_zoo.pipelines.registry import Entry


def of_a_run(command: str, tasks: Mapping[str, Entry], argv: Sequence[str]) -> int:
    """`evaluate TASK` and `export TASK`, with `[--run DIR | --name RUN | --preset NAME]`

    `export` also takes settings of decoding and export, as `--section.option VALUE`.
    """
    description, options = "The settings are those of the run, in its config.yaml.", {}
    if command == "export":
        description += (
            " --decoding.OPTION VALUE and --export.OPTION VALUE change them for the new version, such as "
            "--decoding.beam_size 4 or --export.directory DIR; `attention-zoo train TASK --help` lists them."
        )
        argv, options["changes"] = without_settings(argv)
    parser = Parser(prog=f"attention-zoo {command}", description=description)
    parser.add_argument("task", metavar="TASK", help=", ".join(tasks))
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--run", metavar="DIR", type=Path, help="folder of the run (default: runs/TASK/DEFAULT_PRESET)")
    which.add_argument("--name", metavar="RUN", help="the run in runs/TASK/RUN")
    which.add_argument("--preset", metavar="NAME", help="the run in runs/TASK/NAME")
    arguments = parser.parse_args(argv)
    name, entry = named_task(command, tasks, [arguments.task])
    directory = arguments.run or Path("runs") / name / (arguments.name or arguments.preset or entry.default_preset)
    if not RunFolder(directory).config.is_file():
        runs = ", ".join(map(str, runs_of(name)))
        there = f"; there are {runs}" if runs else f"; `attention-zoo train {name}` makes one"
        raise UserError(f"no run in {directory}: expected config.yaml there{there}")
    task_class = load(entry.task)
    engine = import_module("attention_zoo.pipelines.engine.run.run")
    getattr(engine, command)(task_class, directory, **options)
    return 0


def without_settings(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """Splits a command line into other arguments, and settings with their values.

    Example:

    >>> without_settings(["translation", "--decoding.beam_size", "4", "--name", "mine", "--export.directory=x"])
    (['translation', '--name', 'mine'], ['--decoding.beam_size', '4', '--export.directory=x'])
    """
    others, settings, words = [], [], list(argv)
    while words:
        word = words.pop(0)
        name, equals, _ = word.partition("=")
        if not name.startswith("--") or "." not in name:
            others.append(word)
            continue
        settings.append(word)
        if not equals and words and not words[0].startswith("--"):
            settings.append(words.pop(0))
    return others, settings
