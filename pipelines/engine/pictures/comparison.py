"""A picture of several runs: the same curve of each in one panel."""

import math
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from attention_zoo.pipelines.engine.pictures.curves import look, make_logarithmic, panels_of
from attention_zoo.pipelines.engine.pictures.saving import save


def draw_compared_curves(histories: Mapping[str, Sequence[Mapping[str, Any]]], path: str | PathLike) -> Path:
    """Draws the curves of several runs, a panel for each loss and each metric of the validation split.

    What no run has measured more than once gets no panel, unless there is nothing else to draw.

    Args:
        histories: Dict of run names to records of evaluations, as `draw_curves` takes them.
        path: The file, PNG, SVG or PDF; missing folders are created, and an existing file is replaced at once.

    Returns:
        The `Path`.

    Raises:
        ValueError: There is nothing to draw.

    Example:

    >>> import tempfile
    >>> histories = {"a": [{"step": 1, "dev/loss": 3.0}], "b": [{"step": 1, "dev/loss": 2.0}]}
    >>> draw_compared_curves(histories, f"{tempfile.mkdtemp()}/both.png").name
    'both.png'
    """
    names = dict.fromkeys(name for history in histories.values() for record in history for name in record)
    shown = [name for name in names if name == "train/loss" or name.startswith("dev/")]
    if not shown:
        raise ValueError(f"histories: expected records with figures such as dev/loss, received {sorted(names)}")
    several = [name for name in shown if any(sum(name in record for record in one) > 1 for one in histories.values())]
    shown = several or shown
    figure, grid = panels_of(len(shown))
    for axes, name in zip(grid, shown):
        for number, (run, history) in enumerate(histories.items()):
            points = [(record["step"], record[name]) for record in history if name in record]
            if points:
                steps, values = zip(*points)
                values = [value if math.isfinite(value) else math.nan for value in values]
                axes.plot(steps, values, **look(number), ms=3.5, label=run)
        axes.set_xlabel("step")
        axes.set_ylabel(name)
        if name.endswith("/loss"):
            make_logarithmic(axes)
        axes.legend(frameon=False)
    return save(figure, path)
