"""`attention-zoo COMMAND`: what a user types, turned into a call of the engine.

Nothing heavy is imported before a command needs it: help, `tasks`, `datasets` and mistyped options answer at once.
"""

import argparse
import errno
import os
import sys
import tempfile
import warnings
from contextlib import contextmanager, nullcontext, redirect_stdout
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

from attention_zoo.pipelines.engine.errors import Preempted, UserError
from attention_zoo.pipelines.engine.storage.run_folder import RunFolder

TASK_FOLDERS = Path(__file__).resolve().parent.parent

HELP = """usage: attention-zoo COMMAND ...

  train TASK [--preset NAME] [--config FILE] [--name RUN] [--workers N] [--section.option VALUE ...]
                                trains, scores, draws and exports; the same command again continues a stopped run;
                                --workers tries a cluster of N processes on this machine
  evaluate TASK [--run DIR]     scores a run on its test split again
  export TASK [--run DIR]       writes the next version of a run's SavedModel
  predict TASK [INPUT ...] [--attention PNG] [--model DIR]
                                answers with the exported model; without INPUT, reads lines from standard input
  runs [TASK]                   lists the runs: preset, date, state and scores
  compare RUN RUN [--picture PNG]
                                prints scores and settings that differ, and draws the curves in one picture
  completion SHELL              prints the script for tab completion: source <(attention-zoo completion bash)
  tasks                         lists the tasks and their presets
  datasets                      lists the data sets that come with the project

--quiet after train, evaluate or export prints nothing but warnings and errors. NO_COLOR=1 takes the colours away.
Exit codes: 0; 2 for a mistake in arguments, settings or data; 130 after Ctrl-C; 143 after SIGTERM.

`attention-zoo train TASK --help` lists every setting of a task, `attention-zoo --version` says which version this is.
A run is kept in runs/TASK/PRESET (or runs/TASK/RUN), the exported model in saved_models/TASK/VERSION.
"""


def main(tasks, datasets=(), argv=None):
    """Runs one command.

    Args:
        tasks: Dict of task names to `Entry`.
        datasets: List of (name, what it holds, terms of use).
        argv: The arguments; `None` takes those of the process.

    Returns:
        The exit code: 0; 2 for what the user can mend, after one line on standard error; 130 after Ctrl-C.

    Raises:
        SystemExit: after `--help` and `--print-config`.

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
        "train": lambda: train(tasks, rest),
        "evaluate": lambda: of_a_run("evaluate", tasks, rest),
        "export": lambda: of_a_run("export", tasks, rest),
        "predict": lambda: predict(tasks, rest),
        "runs": lambda: command_of("runs")(tasks, rest),
        "compare": lambda: command_of("compare")(rest),
        "completion": lambda: command_of("completion")(tasks, rest),
        "tasks": lambda: show_tasks(tasks, rest),
        "datasets": lambda: show_datasets(datasets, rest),
    }
    if command in ("-h", "--help", "help"):
        print(HELP, end="")
        return 0
    if command in ("-V", "--version"):
        print(f"attention-zoo {version('attention-zoo')}")
        return 0
    warnings.formatwarning = lambda message, *_: f"warning: {message}\n"  # a user has no use for our line numbers
    try:
        if command not in commands:
            raise UserError(
                f"expected a command, one of {', '.join(commands)}; received {command}{near(command, commands)}"
            )
        with no_output() if quiet else nullcontext():
            return commands[command]()
    except UserError as error:
        print(f"attention-zoo: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT):
            raise
        full = "; free some and start the same command again" if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
        print(f"attention-zoo: {error.filename or 'writing'}: {error.strerror}{full}", file=sys.stderr)
        return 2
    except Preempted as stopped:
        print(f"attention-zoo: {stopped}", file=sys.stderr)
        return 143  # as a process that SIGTERM ended
    except KeyboardInterrupt:
        again = "; the same command continues from the last checkpoint" if command == "train" else ""
        print(f"\nattention-zoo: stopped{again}", file=sys.stderr)
        return 130


def command_of(name):
    """Returns the function of a command that has a module of its own, imported only now."""
    return getattr(import_module(f"attention_zoo.pipelines.commands.{name}"), name)


@contextmanager
def no_output():
    """Discards standard output while the block runs, that of libraries and child processes included."""
    sys.stdout.flush()
    stdout = os.dup(1)
    with open(os.devnull, "w") as nothing, redirect_stdout(nothing):
        os.dup2(nothing.fileno(), 1)
        try:
            yield
        finally:
            nothing.flush()
            os.dup2(stdout, 1)
            os.close(stdout)


def train(tasks, argv):
    """`train TASK [--preset NAME] [--config FILE] [--name RUN] [--workers N] [--section.option VALUE ...]`"""
    name, entry = named_task("train", tasks, argv)
    from attention_zoo.pipelines.engine.run.config import parse

    settings_class = load(entry.settings) if entry.settings else load(entry.task).Config
    run = parse(
        settings_class, argv[1:], presets_of(name), entry.default_preset, f"attention-zoo train {name}", entry.summary
    )
    if Path(run.name).name != run.name or run.name in ("", ".."):
        raise UserError(f"--name: expected the name of a folder in runs/{name}, received {run.name!r}")
    if run.workers > 1 and "TF_CONFIG" not in os.environ:
        from attention_zoo.pipelines.engine.run.launcher import run_workers

        return run_workers(run.workers, argv)
    task_class = load(entry.task)
    from attention_zoo.pipelines.engine.run.run import train as train_run

    train_run(task_class, run.config, Path("runs") / name / run.name, run.preset)
    return 0


def of_a_run(command, tasks, argv):
    """`evaluate TASK` and `export TASK`, with `[--run DIR | --name RUN | --preset NAME]`"""
    parser = Parser(
        prog=f"attention-zoo {command}", description="The settings are those of the run, in its config.yaml."
    )
    parser.add_argument("task", metavar="TASK", help=", ".join(tasks))
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--run", metavar="DIR", type=Path, help="folder of the run (default: runs/TASK/DEFAULT_PRESET)")
    which.add_argument("--name", metavar="RUN", help="the run in runs/TASK/RUN")
    which.add_argument("--preset", metavar="NAME", help="the run in runs/TASK/NAME")
    arguments = parser.parse_args(argv)
    name, entry = named_task(command, tasks, [arguments.task])
    directory = arguments.run or Path("runs") / name / (arguments.name or arguments.preset or entry.default_preset)
    if not RunFolder(directory).config.is_file():
        runs = sorted(str(path.parent) for path in Path("runs", name).glob("*/" + RunFolder("").config.name))
        there = f"; there are {', '.join(runs)}" if runs else f"; `attention-zoo train {name}` makes one"
        raise UserError(f"no run in {directory}: expected config.yaml there{there}")
    task_class = load(entry.task)
    experiment = import_module("attention_zoo.pipelines.engine.run.run")
    getattr(experiment, command)(task_class, directory)
    return 0


def predict(tasks, argv):
    """`predict TASK [INPUT ...] [--attention PNG] [--model DIR]`"""
    parser = Parser(prog="attention-zoo predict", description="Answers with the newest version of the exported model.")
    parser.add_argument("task", metavar="TASK", help=", ".join(tasks))
    parser.add_argument("inputs", metavar="INPUT", nargs="*", help="what to answer (default: lines of standard input)")
    parser.add_argument("--attention", metavar="PNG", type=Path, help="draw what the model attended to")
    parser.add_argument("--model", metavar="DIR", type=Path, help="folder of the exports (default: saved_models/TASK)")
    arguments = parser.parse_intermixed_args(argv)  # the inputs may follow the options
    name, entry = named_task("predict", tasks, [arguments.task])
    inputs = arguments.inputs or read_lines()
    if not inputs:
        raise UserError("expected something to answer, as INPUT or on standard input; received nothing")
    directory = arguments.model or Path("saved_models") / name
    if not any(directory.glob("*/saved_model.pb")):  # seen before TensorFlow is loaded
        raise UserError(f"no SavedModel in {directory}: `attention-zoo train {name}` writes one to saved_models/{name}")
    task = load(entry.task)
    return task.predict([task.read_input(argument) for argument in inputs], directory, arguments.attention)


def read_lines():
    """Returns the lines of standard input, decoded as Python decodes arguments: what is not UTF-8 in them is kept."""
    if sys.stdin.isatty():
        print("one input a line, Ctrl-D ends:", file=sys.stderr)
    text = os.fsdecode(sys.stdin.buffer.read())
    return text.removesuffix("\n").replace("\r\n", "\n").split("\n") if text else []


def show_tasks(tasks, argv):
    """`tasks`"""
    Parser(prog="attention-zoo tasks", description="Lists the tasks.").parse_args(argv)
    rows = []
    for name, entry in tasks.items():
        presets = [f"{preset} (default)" if preset == entry.default_preset else preset for preset in presets_of(name)]
        rows.append((name, ", ".join(presets), entry.summary))
    show(("task", "presets", "what it does"), rows)
    return 0


def show_datasets(datasets, argv):
    """`datasets`"""
    Parser(prog="attention-zoo datasets", description="Lists the data sets that come with the project.").parse_args(
        argv
    )
    if not datasets:
        print("no data set comes with this installation")
        return 0
    show(("data set", "what it holds", "terms"), datasets)
    return 0


def show(columns, rows):
    """Prints a table."""
    from rich.table import Table
    from rich.text import Text

    from attention_zoo.pipelines.engine.run.console import make_console

    table = Table(*columns)
    for row in rows:
        table.add_row(*map(Text, row))  # no markup: a name may hold brackets
    make_console().print(table)


def presets_of(task):
    """Returns the presets of a task, by name: `TASK/presets/*.yaml`."""
    return {path.stem: path for path in sorted((TASK_FOLDERS / task / "presets").glob("*.yaml"))}


def named_task(command, tasks, argv):
    """Returns the name and entry of the task that a command names."""
    known = ", ".join(tasks)
    if not argv or argv[0].startswith("-") and argv[0] not in ("-h", "--help"):
        raise UserError(f"{command}: expected a task first, one of {known}; received {argv[0] if argv else 'none'}")
    if argv[0] in ("-h", "--help"):
        print(f"usage: attention-zoo {command} TASK ...\n\nTASK is one of {known}; {command} TASK --help says more.")
        sys.exit(0)
    if argv[0] not in tasks:
        raise UserError(f"{command}: expected a task, one of {known}; received {argv[0]}{near(argv[0], tasks)}")
    return argv[0], tasks[argv[0]]


def near(name, valid):
    """Returns the suggestion of the nearest valid name."""
    from attention_zoo.pipelines.engine.run.config import suggest

    return suggest(name, valid)


def load(reference):
    """Imports "module:name"."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # what TensorFlow says of a machine without a GPU
    # Tensors of a step come from memory that is kept, not from the system anew: a step on CPUs takes a tenth to a
    # quarter less.
    os.environ.setdefault("TF_CPU_ALLOCATOR_USE_BFC", "true")
    module, _, name = reference.partition(":")
    with quiet_start():
        found = getattr(import_module(module), name)
    if "absl.logging" in sys.modules:  # what TensorFlow Datasets warns its own developers of
        sys.modules["absl.logging"].set_verbosity("error")
    return found


@contextmanager
def quiet_start():
    """Withholds what is written to standard error, by TensorFlow's libraries above all, unless an error follows."""
    sys.stderr.flush()
    with tempfile.TemporaryFile() as written:
        stderr = os.dup(2)
        os.dup2(written.fileno(), 2)
        try:
            yield
        except BaseException:
            written.seek(0)
            os.write(stderr, written.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(stderr, 2)
            os.close(stderr)


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are `UserError`s: one line, without the usage."""

    def __init__(self, **options):
        super().__init__(allow_abbrev=False, **options)

    def error(self, message):
        raise UserError(f"{self.prog.split()[-1]}: {message}; see {self.prog} --help")
