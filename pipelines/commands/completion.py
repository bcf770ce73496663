"""`attention-zoo completion`: the script that lets a shell complete commands, tasks, presets and settings."""

import argparse
from collections.abc import Mapping, Sequence

from attention_zoo.pipelines.commands.arguments import Parser, presets_of
from attention_zoo.pipelines.commands.loading import load
from attention_zoo.pipelines.registry import Entry

PRESETS = "preset to start from"
RUN_OPTIONS = {"--run": "folder of the run", "--name": "name of the run", "--preset": "name of the run's preset"}


def completion(tasks: Mapping[str, Entry], argv: Sequence[str]) -> int:
    """`completion {bash,zsh,tcsh}`"""
    import shtab

    parser = Parser(
        prog="attention-zoo completion",
        description="Prints a completion script, for instance for `source <(attention-zoo completion bash)`. "
        "Exit codes: 0; 2 for a mistake.",
    )
    parser.add_argument("shell", choices=shtab.SUPPORTED_SHELLS, help="the shell")
    print(shtab.complete(command_tree(tasks), parser.parse_args(argv).shell))
    return 0


def command_tree(tasks: Mapping[str, Entry]) -> argparse.ArgumentParser:
    """Returns an argparse parser of all commands, for shtab, which only reads it."""
    import shtab

    parser = argparse.ArgumentParser(prog="attention-zoo")
    parser.add_argument("--version", "-V", action="store_true", help="print the version")
    commands = parser.add_subparsers(dest="command")
    train = commands.add_parser("train", help="train, score, draw and export").add_subparsers(dest="task")
    for name, entry in tasks.items():
        add_settings(train.add_parser(name, help=entry.summary), name, entry)
    for command in ("evaluate", "export"):
        of_a_run = commands.add_parser(command)
        of_a_run.add_argument("task", choices=list(tasks))
        for option, reason in RUN_OPTIONS.items():
            of_a_run.add_argument(option, help=reason).complete = shtab.DIRECTORY if option == "--run" else None
    predict = commands.add_parser("predict", help="answer with an exported model")
    look = commands.add_parser("look", help="write what an exported model attended to as a page, and open it")
    look.add_argument("--output", help="the page or picture").complete = shtab.FILE
    look.add_argument("--n-best", help="number of answers to show side by side")
    look.add_argument("--no-open", action="store_true", help="open nothing")
    for asking in (predict, look):
        asking.add_argument("task", choices=list(tasks))
        asking.add_argument("inputs", nargs="*").complete = shtab.FILE
        asking.add_argument("--pieces", action="store_true", help="draw the pieces of words apart")
        asking.add_argument("--heads", action="store_true", help="draw all heads of all layers")
        asking.add_argument("--model", help="folder of the exports").complete = shtab.DIRECTORY
    predict.add_argument("--attention", help="picture of the attention").complete = shtab.FILE
    predict.add_argument("--n-best", help="number of answers to print")
    predict.add_argument("--scores", action="store_true", help="print the score of an answer before it")
    predict.add_argument("--json", action="store_true", help="print a JSON object an answer")
    page = commands.add_parser("demo", help="serve a page that asks every exported model")
    page.add_argument("--directory", help="the exports").complete = shtab.DIRECTORY
    page.add_argument("--port", help="the port")
    page.add_argument("--no-open", action="store_true", help="open nothing")
    loading = commands.add_parser("load", help="export a model folder of the Hugging Face Hub")
    loading.add_argument("folder").complete = shtab.DIRECTORY
    loading.add_argument("--task", help="what the export answers")
    loading.add_argument("--directory", help="where SavedModels go").complete = shtab.DIRECTORY
    listing = commands.add_parser("runs", help="list the runs")
    listing.add_argument("task", nargs="?", choices=list(tasks))
    listing.add_argument("--directory").complete = shtab.DIRECTORY
    comparing = commands.add_parser("compare", help="two runs side by side")
    comparing.add_argument("runs", nargs=2).complete = shtab.DIRECTORY
    comparing.add_argument("--picture").complete = shtab.FILE
    gallery = commands.add_parser("gallery")
    gallery.add_argument("names", nargs="*")
    gallery.add_argument("--table", help="table of the pictures").complete = shtab.FILE
    commands.add_parser("completion").add_argument("shell", choices=shtab.SUPPORTED_SHELLS)
    for command in ("tasks", "datasets"):
        commands.add_parser(command)
    return parser


def add_settings(parser: argparse.ArgumentParser, name: str, entry: Entry) -> None:
    """Adds the options of `train TASK`: the controls, and every setting of the task."""
    import shtab

    from attention_zoo.pipelines.engine.run.options import all_settings

    parser.add_argument("--preset", choices=list(presets_of(name)), help=PRESETS)
    parser.add_argument("--config", help="YAML file of settings").complete = shtab.FILE
    parser.add_argument("--name", help="name of the run")
    parser.add_argument("--workers", help="processes of a cluster on this machine")
    parser.add_argument("--print-config", action="store_true", help="print the settings")
    settings_class = load(entry.settings) if entry.settings else load(entry.task).Config
    for setting in all_settings(settings_class):
        parser.add_argument(f"--{setting.name}", help=setting.reason.replace("%", "%%"))
