"""Pictures of alignments: a row for each token that was written, a column for each token that was read.

The layout is that of Bahdanau et al. 2015, figure 3, with dark for large weights on white.
"""

import textwrap
from collections.abc import Collection
from os import PathLike
from pathlib import Path

from attention_zoo.pipelines.engine.pictures.fonts import fonts_for, readable, width
from attention_zoo.pipelines.engine.pictures.saving import DOTS_PER_INCH, save
from attention_zoo.pipelines.engine.pictures.words import join_links, join_pieces
from attention_zoo.pipelines.engine.views import Alignment

COLORS = "Blues"  # one hue, even steps of lightness, white for nothing: it prints in grey, too
OUTLINE = "#D55E00"  # of the cells of known links
LARGEST = 24  # inches: a picture of a very long text gets smaller cells instead


def draw_alignment(view: Alignment, path: str | PathLike) -> Path:
    """Draws an `Alignment`: its maps side by side, on one scale from 0 to the largest weight of all.

    With `view.join` the pieces of words are joined to words first, see `words.join_pieces`. The cells of `view.links`
    are outlined. The tokens stand at the first map of a row and at the first row of maps.

    Args:
        view: `Alignment`.
        path: The file, PNG, SVG or PDF; missing folders are created, and an existing file is replaced at once.

    Returns:
        The `Path`.

    Raises:
        ValueError: The shape of the weights does not match the tokens.

    Example:

    >>> import pathlib, tempfile
    >>> view = Alignment(["▁3", "▁hours"], ["▁3", "▁heures"], [[[0.9, 0.1], [0.2, 0.8]]])
    >>> draw_alignment(view, pathlib.Path(tempfile.mkdtemp()) / "alignment.png").name
    'alignment.png'
    """
    import numpy as np
    from matplotlib.figure import Figure

    weights = np.asarray(view.weights, dtype="float32")  # (H, T, S)
    expected = (len(view.target), len(view.source))
    if weights.ndim != 3 or weights.shape[1:] != expected or 0 in weights.shape:
        raise ValueError(f"weights: expected shape (H, {expected[0]}, {expected[1]}), none 0; received {weights.shape}")
    source, target, links = view.source, view.target, view.links
    if view.join:
        links = join_links(links, source, target)
        weights, source, target = join_pieces(weights, source, target)
    names = view.names or [f"head {number + 1}" if len(weights) > 1 else "" for number in range(len(weights))]
    columns = min(view.columns, len(weights))
    rows = -(-len(weights) // columns)
    families, missing = fonts_for("".join([*source, *target, view.title, *names, *view.sides]))
    source, target = ([label(token, missing) for token in tokens] for tokens in (source, target))

    across, down = len(source) * columns, len(target) * rows
    cell = min(0.3, LARGEST / max(across, down))  # inches
    margin = [0.13 * min(16, max(map(width, labels))) + 0.3 for labels in (target, source)]
    panel = (max(1.1 if len(weights) > 1 else 0.0, len(source) * cell) + 0.2, len(target) * cell + 0.3)
    size = (max(3.2, columns * panel[0] + margin[0]) + 0.9, max(2.0, rows * panel[1] + margin[1]) + 0.5)
    figure = Figure(figsize=size, dpi=DOTS_PER_INCH, layout="constrained", facecolor="white")
    grid = figure.subplots(rows, columns, squeeze=False)
    font = {"family": families, "size": min(9, 72 * cell * 0.8), "parse_math": False}  # "$" is a token, no formula
    largest, images = float(weights.max()) or 1.0, []
    for place, (axes, one, name) in enumerate(zip(grid.flat, weights, names)):
        images.append(_draw_map(axes, one, largest, links))
        axes.set(xticks=[], yticks=[])
        if place < columns:
            axes.set_xticks(range(len(source)), source, rotation=90, **font)
            axes.xaxis.set_label_position("top")
            axes.set_xlabel(view.sides[0], family=families, size=9)
        if place % columns == 0:
            axes.set_yticks(range(len(target)), target, **font)
            axes.set_ylabel(view.sides[1], family=families, size=9)
        if name:
            axes.text(0.5, -0.03, name, transform=axes.transAxes, ha="center", va="top", family=families, size=9)
    shown = list(grid.flat[: len(weights)])
    for axes in grid.flat[len(weights) :]:
        axes.remove()
    bar = figure.colorbar(
        images[0], ax=shown, shrink=min(1.0, 2.5 / size[1]), aspect=15, ticks=[0, largest / 2, largest]
    )
    bar.ax.set_yticklabels(["0", f"{largest / 2:.2g}", f"{largest:.2g}"])
    bar.set_label("weight, up to the largest", size=7)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=7, length=0)
    if view.title:
        lines = textwrap.fill(readable(view.title, missing), max(20, int(size[0] * 11)))
        figure.suptitle(lines, family=families, size=10, parse_math=False)
    notes = ["outlined: links that the data knows"] if links else []
    if missing:
        count = len(missing)
        notes.append(f"no font here shows {count} of the characters (□); fonts-noto-cjk or another Noto font may")
    if notes:
        figure.supxlabel(textwrap.fill("; ".join(notes), max(20, int(size[0] * 15))), size=7, color="0.4")
    return save(figure, path)


def _draw_map(axes, weights, largest, links):
    """Draws one map `(T, S)` on a scale up to `largest`; returns what the colour bar is made for."""
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Rectangle

    rows, columns = weights.shape
    across, down = ([place - 0.5 for place in range(count + 1)] for count in (columns, rows))  # edges of the cells
    image = axes.pcolormesh(across, down, weights, cmap=COLORS, vmin=0.0, vmax=largest, snap=True)
    axes.set_aspect("equal")
    axes.invert_yaxis()
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    # One collection of lines each way: a grid of minor ticks takes seconds for a long text.
    axes.vlines([i - 0.5 for i in range(1, columns)], -0.5, rows - 0.5, color="0.92", linewidth=0.5)
    axes.hlines([i - 0.5 for i in range(1, rows)], -0.5, columns - 0.5, color="0.92", linewidth=0.5)
    cells = [Rectangle((source - 0.5, target - 0.5), 1, 1) for source, target in links]
    axes.add_collection(PatchCollection(cells, facecolor="none", edgecolor=OUTLINE, linewidth=1.2, zorder=3))
    for side in axes.spines.values():
        side.set_color("0.7")
    return image


def label(token: str, missing: Collection[str] = ()) -> str:
    """Returns a token as it is to be shown, at most 16 columns wide."""
    text = readable(token, missing)
    return text if width(text) <= 16 else text[:15] + "…"
