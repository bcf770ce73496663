"""`attention-zoo compare`: two runs side by side."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from attention_zoo.pipelines.commands.arguments import Parser
from attention_zoo.pipelines.commands.listing import show


def compare(argv: Sequence[str]) -> int:
    """`compare RUN RUN [--picture PICTURE]`"""
    parser = Parser(
        prog="attention-zoo compare",
        description="Prints the scores of two runs and the settings that differ, and draws their curves in one "
        "picture. Exit codes: 0; 2 for a mistake.",
    )
    parser.add_argument("runs", metavar="RUN", nargs=2, type=Path, help="folder of a run, such as runs/TASK/NAME")
    parser.add_argument(
        "--picture",
        metavar="PICTURE",
        type=Path,
        default=Path("compare.png"),
        help="picture to write, PNG, SVG or PDF (default: compare.png)",
    )
    arguments = parser.parse_args(argv)
    from attention_zoo.pipelines.engine.run.compare import compare_runs, draw_comparison

    first, second = arguments.runs
    comparison = compare_runs(first, second)
    rows = [(name, *map(number, pair)) for name, pair in comparison.scores.items()]
    show(("score", *comparison.names), rows)
    if comparison.settings:
        rows = [(name, *map(setting, pair)) for name, pair in comparison.settings.items()]
        show(("setting", *comparison.names), rows)
    else:
        print("the settings are the same")
    picture = draw_comparison(first, second, arguments.picture)
    print(f"picture: {picture}" if picture else "no picture: neither run has been evaluated yet")
    return 0


def number(value: float | None) -> str:
    """Returns a metric as text; a missing one is a dash."""
    if value is None:
        return "–"
    return f"{value:,.4g}" if isinstance(value, float) else f"{value:,}"


def setting(value: Any) -> str:
    """Returns the value of a setting as text; a missing one is a dash."""
    return "–" if value is None else str(value)
