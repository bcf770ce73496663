"""Pictures of confusion matrices: a row for each true class, a column for each answer."""

from os import PathLike
from pathlib import Path

import numpy as np

from attention_zoo.pipelines.engine.pictures.alignments import COLORS, LARGEST, label
from attention_zoo.pipelines.engine.pictures.fonts import fonts_for, readable, width
from attention_zoo.pipelines.engine.pictures.saving import DOTS_PER_INCH, save
from attention_zoo.pipelines.engine.views import ConfusionMatrix

MOST_COUNTED = 30  # classes: the cells of more have no room for a number


def draw_confusion(view: ConfusionMatrix, path: str | PathLike) -> Path:
    """Draws a `ConfusionMatrix`: a cell has the color of its share of the row, and its count as a number.

    Zeros are left out. Above 30 classes only the colors remain.

    Args:
        view: `ConfusionMatrix`.
        path: The file, PNG, SVG or PDF; missing folders are created, and an existing file is replaced at once.

    Returns:
        The `Path`.

    Raises:
        ValueError: The counts are not K x K for the K labels, or there is no label.

    Example:

    >>> import tempfile
    >>> view = ConfusionMatrix(["cat", "dog"], np.array([[8, 2], [1, 9]]))
    >>> draw_confusion(view, f"{tempfile.mkdtemp()}/confusion.png").name
    'confusion.png'
    """
    from matplotlib.figure import Figure

    counts, classes = np.asarray(view.counts), len(view.labels)
    if counts.shape != (classes, classes) or not classes:
        raise ValueError(f"counts: expected shape ({classes}, {classes}), not 0; received {counts.shape}")
    totals = counts.sum(axis=1)  # (K,)
    shares = counts / np.maximum(totals, 1)[:, None]  # (K, K)
    families, missing = fonts_for("".join([*view.labels, view.title]))
    names = [label(name, missing) for name in view.labels]
    rows = [f"{name} ({total:,})" for name, total in zip(names, totals)]

    cell = min(0.4, LARGEST / classes)  # inches
    margin = 0.1 * max(map(width, rows)) + 0.8
    size = (max(3.6, classes * cell + margin + 0.9), max(2.8, classes * cell + margin))
    figure = Figure(figsize=size, dpi=DOTS_PER_INCH, layout="constrained", facecolor="white")
    axes = figure.subplots()
    image = axes.imshow(shares, cmap=COLORS, vmin=0.0, vmax=1.0, interpolation="nearest")
    font = {"family": families, "size": min(9, 72 * cell * 0.8), "parse_math": False}
    axes.set_xticks(range(classes), names, rotation=90, **font)
    axes.set_yticks(range(classes), rows, **font)
    axes.tick_params(length=0)
    axes.set_xlabel("answer")
    axes.set_ylabel("truth (number of examples)")
    if classes <= MOST_COUNTED:
        for row, column in np.argwhere(counts):
            color = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, f"{counts[row, column]:,}", ha="center", va="center", color=color, size=8)
    for side in axes.spines.values():
        side.set_color("0.7")
    bar = figure.colorbar(image, ax=axes, shrink=min(1.0, 2.5 / size[1]), aspect=15, ticks=[0, 0.5, 1])
    bar.set_label("share of the row", size=7)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=7, length=0)
    if view.title:
        figure.suptitle(readable(view.title, missing), family=families, size=10, parse_math=False)
    return save(figure, path)
