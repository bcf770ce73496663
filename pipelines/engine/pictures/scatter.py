"""Pictures of the answers of a regression: a dot for each example, at its truth and its answer."""

from os import PathLike
from pathlib import Path

import numpy as np

from attention_zoo.pipelines.engine.pictures.fonts import fonts_for, readable
from attention_zoo.pipelines.engine.pictures.saving import DOTS_PER_INCH, save
from attention_zoo.pipelines.engine.views import Scatter

COLOR = "#2171b5"
SIDE = 4.2  # inches
FEW, MANY = 100, 5000  # dots: few are large and dark; many are small and pale, so that dense places are seen


def draw_scatter(view: Scatter, path: str | PathLike) -> Path:
    """Draws a `Scatter`. Both axes have one scale, and a line where the answer is the truth.

    Args:
        view: `Scatter`.
        path: The file, PNG, SVG or PDF; missing folders are created, and an existing file is replaced at once.

    Returns:
        The `Path`.

    Raises:
        ValueError: There are not as many answers as truths, or none.

    Example:

    >>> import tempfile
    >>> view = Scatter(np.array([1.0, 2.0, 4.0]), np.array([1.5, 2.0, 3.0]))
    >>> draw_scatter(view, f"{tempfile.mkdtemp()}/scatter.png").name
    'scatter.png'
    """
    from matplotlib.figure import Figure

    truths, answers = view.columns()
    low, high = min(truths.min(), answers.min()), max(truths.max(), answers.max())
    margin = 0.04 * (high - low) or 1.0
    limits = (low - margin, high + margin)
    size, alpha = (np.interp(len(truths), [FEW, MANY], ends) for ends in ([18, 5], [0.7, 0.2]))
    families, missing = fonts_for(view.title)

    figure = Figure(figsize=(SIDE, SIDE), dpi=DOTS_PER_INCH, layout="constrained", facecolor="white")
    axes = figure.subplots()
    axes.plot(limits, limits, color="0.35", linewidth=0.9, linestyle=(0, (5, 3)), label="answer = truth", zorder=1)
    axes.scatter(truths, answers, s=size, color=COLOR, alpha=alpha, linewidths=0, zorder=2)
    axes.set(xlim=limits, ylim=limits, aspect="equal", xlabel="truth", ylabel="answer")
    axes.grid(color="0.9", linewidth=0.6, zorder=0)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=8, color="0.7")
    axes.legend(loc="upper left", fontsize=8, frameon=False)
    for side in axes.spines.values():
        side.set_color("0.7")
    if view.title:
        figure.suptitle(readable(view.title, missing), family=families, size=10, parse_math=False)
    return save(figure, path)
