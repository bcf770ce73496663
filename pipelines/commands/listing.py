"""`attention-zoo tasks` and `attention-zoo datasets`: tables of names."""

from collections.abc import Iterable, Mapping, Sequence

from attention_zoo.pipelines.commands.arguments import Parser, presets_of
from attention_zoo.pipelines.registry import Entry


def show_tasks(tasks: Mapping[str, Entry], argv: Sequence[str]) -> int:
    """`tasks`"""
    Parser(prog="attention-zoo tasks", description="Lists the tasks.").parse_args(argv)
    rows = []
    for name, entry in tasks.items():
        presets = [f"{preset} (default)" if preset == entry.default_preset else preset for preset in presets_of(name)]
        rows.append((name, ", ".join(presets), entry.summary))
    show(("task", "presets", "what it does"), rows)
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
