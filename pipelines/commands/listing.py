"""`attention-zoo tasks` and `attention-zoo datasets`: tables of names."""

from collections.abc import Iterable, Mapping, Sequence

from attention_zoo.pipelines.commands.arguments import Parser, head_of, presets_of
from attention_zoo.pipelines.registry import Entry


def show_tasks(tasks: Mapping[str, Entry], argv: Sequence[str]) -> int:
    """`tasks`"""
    Parser(
        prog="attention-zoo tasks",
        description="Lists the tasks and their presets, with the time and the scores of each.",
    ).parse_args(argv)
    rows = []
    for name, entry in tasks.items():
        rows.append((name, "", entry.summary))
        for preset, path in presets_of(name).items():
            rows.append(("", f"{preset} (default)" if preset == entry.default_preset else preset, head_of(path)))
    show(("task", "preset", "what it does; time and scores of the preset"), rows)
    return 0


def show_datasets(datasets: Sequence[tuple[str, str, str]], argv: Sequence[str]) -> int:
    """`datasets`"""
    Parser(prog="attention-zoo datasets", description="Lists the data sets that come with the project.").parse_args(
        argv
    )
    if not datasets:
        print("no data set comes with this installation")
        return 0
    show(("data set", "what it holds", "terms"), datasets)
    return 0


def show(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    """Prints a table."""
    from rich.table import Table
    from rich.text import Text

    from attention_zoo.pipelines.engine.run.console import make_console

    table = Table(*columns)
    for row in rows:
        table.add_row(*map(Text, row))  # no markup: a name may hold brackets
    make_console().print(table)
