"""`attention-zoo runs`: lists the runs with their scores and states."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from attention_zoo.pipelines.commands.arguments import Parser
from attention_zoo.pipelines.commands.listing import show
from attention_zoo.pipelines.registry import Entry

SCORES_SHOWN = 4


def runs(tasks: Mapping[str, Entry], argv: Sequence[str]) -> int:
    """`runs [TASK] [--directory DIR]`"""
    parser = Parser(
        prog="attention-zoo runs",
        description="Lists the runs: task, run, preset, date, state and scores. Exit codes: 0; 2 for a mistake.",
    )
    parser.add_argument(
        "task", metavar="TASK", nargs="?", choices=sorted(tasks), help=f"only one of {', '.join(tasks)}"
    )
    parser.add_argument("--directory", metavar="DIR", type=Path, default=Path("runs"), help="default: runs")
    arguments = parser.parse_args(argv)
    from attention_zoo.pipelines.engine.run.runs import list_runs

    listed = list_runs(arguments.directory, arguments.task)
    if not listed:
        print(f"no runs in {arguments.directory}: `attention-zoo train TASK` makes one")
        return 0
    rows = []
    for run in listed:
        scores = [f"{name} {value:.4g}" for name, value in list(run.scores.items())[:SCORES_SHOWN]]
        more = len(run.scores) - len(scores)
        scores += [f"and {more} more"] if more else []
        rows.append((run.task, run.name, run.preset, f"{run.date:%Y-%m-%d %H:%M}", run.state, ", ".join(scores)))
    show(("task", "run", "preset", "date", "state", "scores"), rows)
    return 0
