"""Finds the run that `evaluate` and `export` work on, and calls the engine."""

from collections.abc import Container, Mapping, Sequence
from importlib import import_module
from pathlib import Path

from attention_zoo.pipelines.commands.arguments import Parser, named_task
from attention_zoo.pipelines.commands.loading import load
from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.storage.run_folder import RunFolder, runs_of
from attention_zoo.pipelines.registry import Entry


def of_a_run(command: str, tasks: Mapping[str, Entry], argv: Sequence[str]) -> int:
    """`evaluate TASK` and `export TASK`, with `[--run DIR | --name RUN | --preset NAME]`

    `export` also takes settings of decoding and export, as `--section.option VALUE`, and `evaluate` those of the data.
    """
    description = "The settings are those of the run, in its config.yaml."
    if command == "export":
        description += (
            " --decoding.OPTION VALUE and --export.OPTION VALUE change them for the new version, such as "
            "--decoding.beam_size 4 or --export.directory DIR; `attention-zoo train TASK --help` lists them."
        )
    else:
        description += (
            " --data.OPTION VALUE scores the run on other data, such as --data.test FILES, and writes into "
            "RUN/evaluations/; `attention-zoo train TASK --help` lists the options."
        )
    argv, changes = without_settings(argv, tasks)
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
    getattr(engine, command)(task_class, directory, changes=changes)
    return 0


def without_settings(argv: Sequence[str], tasks: Container[str]) -> tuple[list[str], list[str]]:
    """Splits a command line into other arguments, and settings with their values.

    Example:

    >>> without_settings(["--data-test", "a.en", "a.fr", "--export.directory=x", "translation"], ["translation"])
    (['translation'], ['--data-test', 'a.en', 'a.fr', '--export.directory=x'])
    """
    others, settings = [], []
    part = others
    for word in argv:
        if word.startswith("--"):
            name = word.removeprefix("--").partition("=")[0]
            part = settings if set(name) & set(".-") else others
        (others if word in tasks else part).append(word)
    return others, settings
