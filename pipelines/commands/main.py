"""`attention-zoo COMMAND`: finds the command and calls it.

Each command is a module of its own, imported when it is called, so that help and mistyped options answer at once.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.metadata import version
from types import ModuleType

from attention_zoo.pipelines.commands import messages
from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.registry import Entry

HELP = """usage: attention-zoo COMMAND ...

  train TASK [--preset NAME] [--config FILE] [--name RUN] [--start-from RUN] [--workers N] [--section.option VALUE ...]
                                trains, scores, draws and exports; the same command again continues a stopped run;
                                --workers tries a cluster of N processes on this machine
  evaluate TASK [--run DIR]     scores a run on its test split again
  export TASK [--run DIR] [--decoding.OPTION VALUE ...] [--export.directory DIR]
                                writes the next version of a run's SavedModel, with other settings if they are given
  predict TASK [INPUT ...] [--attention PICTURE] [--n-best N] [--scores] [--pieces] [--json] [--model DIR]
                                answers with the exported model; without INPUT, reads lines from standard input
  look TASK [INPUT ...] [--output FILE] [--n-best N] [--no-open] [--model DIR]
                                writes what the exported model attended to as a page, TASK.html, and opens it
  demo [--directory DIR] [--port N] [--no-open]
                                serves a page on this machine that asks every exported model
  load FOLDER [--task TASK] [--directory DIR]
                                exports a model folder of the Hugging Face Hub: embed, fill_mask or classify
  runs [TASK]                   lists the runs: preset, date, state and scores
  compare RUN RUN [--picture PNG]
                                prints scores and settings that differ, and draws the curves in one picture
  gallery [NAME ...] [--table FILE]
                                draws the pictures of the book again, from trained runs
  completion SHELL              prints the script for tab completion: source <(attention-zoo completion bash)
  tasks                         lists the tasks and their presets
  datasets                      lists the data sets that come with the project

--quiet after train, evaluate or export prints nothing but warnings and errors. NO_COLOR=1 removes the colours.
Exit codes: 0; 1 where predict could not answer an input; 2 for a mistake in arguments, settings or data; 130 after
Ctrl-C; 141 if nobody reads the output any more (| head); 143 after SIGTERM.

`attention-zoo train TASK --help` lists every setting of a task, `attention-zoo --version` says which version this is.
A run is kept in runs/TASK/PRESET (or runs/TASK/RUN), the exported model in saved_models/TASK/VERSION.
"""


def main(
    tasks: Mapping[str, Entry],
    datasets: Sequence[tuple[str, str, str]] = (),
    argv: Sequence[str] | None = None,
    abilities: Mapping[str, Entry] | None = None,
) -> int:
    """Runs one command.

    Args:
        tasks: Dict of task names to `Entry`.
        datasets: Sequence of (name, what it holds, terms of use). Defaults to `()`.
        argv: The arguments. Defaults to `None`, which takes those of the process.
        abilities: What models of others are exported for, like `tasks`. Defaults to `None`: nothing.

    Returns:
        The exit code: 0; 2 for an error that the user can correct, after one line on standard error; 130 after Ctrl-C.

    Raises:
        SystemExit: After `--help` and `--print-config`.

    Example:

    >>> main({}, argv=["datasets"])
    no data set comes with this installation
    0
    """
    argv = list(sys.argv[1:] if argv is None else argv)
    command, *rest = argv or ["--help"]
    quiet = command in ("train", "evaluate", "export") and "--quiet" in rest and not {"-h", "--help"} & set(rest)
    rest = [word for word in rest if word != "--quiet"] if quiet else rest
    commands = {
        "train": lambda: module("train").train(tasks, rest),
        "evaluate": lambda: module("evaluate").evaluate(tasks, rest),
        "export": lambda: module("export").export(tasks, rest),
        "predict": lambda: module("ask").predict({**tasks, **(abilities or {})}, rest),
        "look": lambda: module("look").look({**tasks, **(abilities or {})}, rest),
        "demo": lambda: module("demo").demo({**tasks, **(abilities or {})}, rest),
        "load": lambda: module("load").load_folder(abilities or {}, rest),
        "runs": lambda: module("runs").runs(tasks, rest),
        "compare": lambda: module("compare").compare(rest),
        "gallery": lambda: module("gallery").gallery({**tasks, **(abilities or {})}, rest),
        "completion": lambda: module("completion").completion(tasks, rest),
        "tasks": lambda: module("listing").show_tasks(tasks, rest),
        "datasets": lambda: module("listing").show_datasets(datasets, rest),
    }
    if command in ("-h", "--help", "help"):
        return messages.in_one_line(command, lambda: show(HELP))
    if command in ("-V", "--version"):
        return messages.in_one_line(command, lambda: show(f"attention-zoo {version('attention-zoo')}\n"))
    return messages.in_one_line(command, lambda: called(command, commands)(), quiet)


def show(text: str) -> int:
    """Prints a text, and returns the exit code."""
    print(text, end="")
    return 0


def called(command: str, commands: Mapping[str, Callable[[], int]]) -> Callable[[], int]:
    """Returns the function of the command that the user named."""
    if command not in commands:
        near = module("arguments").near(command, commands)
        raise UserError(f"expected a command, one of {', '.join(commands)}; received {command}{near}")
    return commands[command]


def module(name: str) -> ModuleType:
    """Imports a module of this folder."""
    return import_module(f"attention_zoo.pipelines.commands.{name}")
