"""Pictures of what attends to what: a row for each token that was written, a column for each that was read.

The layout of Bahdanau et al. 2015, figure 3, with dark for heavy on white.
"""

import textwrap

from attention_zoo.pipelines.engine.pictures.fonts import fonts_for, readable, width
from attention_zoo.pipelines.engine.pictures.saving import DOTS_PER_INCH, save

COLORS = "Blues"  # one hue, even steps of lightness, white for nothing: it prints in grey, too
LARGEST = 24  # inches: a picture of a very long text gets smaller cells instead


def draw_alignment(weights, source_tokens, target_tokens, path, title=None, sides=None):
    """Draws one alignment.

    Args:
        weights: Array `(T, S)`, from 0 to 1.
        source_tokens: The S tokens that were read.
        target_tokens: The T tokens that were written.
        path: The PNG; missing folders are made, and an old picture is replaced as a whole.
        title: A line above it, if any.
        sides: Names of the two axes, (source, target). Defaults to None, no names.

    Returns:
        The `Path`.

    Raises:
        ValueError: the weights have another shape than the tokens.

    Example:

    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "alignment.png"
    >>> draw_alignment([[0.9, 0.1], [0.2, 0.8]], ["▁3", "▁hours"], ["▁3", "▁heures"], path).name
    'alignment.png'
    """
    return draw_heads([weights], source_tokens, target_tokens, path, title, names=[""], sides=sides)


def draw_heads(weights, source_tokens, target_tokens, path, title=None, names=None, sides=None):
    """Draws the alignments of several heads side by side, on one scale.

    Args:
        weights: Array `(H, T, S)`, from 0 to 1.
        source_tokens: The S tokens that were read.
        target_tokens: The T tokens that were written.
        path: The PNG; missing folders are made, and an old picture is replaced as a whole.
        title: A line above them, if any.
        names: Name of each head. Defaults to "head 1", "head 2", ...
        sides: Names of the two axes, (source, target). Defaults to None, no names.

    Returns:
        The `Path`.

    Raises:
        ValueError: the weights have another shape than the tokens.
    """
    import numpy as np
    from matplotlib.figure import Figure

    weights = np.asarray(weights, dtype="float32")
    expected = (len(target_tokens), len(source_tokens))
    if weights.ndim != 3 or weights.shape[1:] != expected or 0 in weights.shape:
        raise ValueError(f"weights: expected shape {expected} by the tokens, neither 0; received {weights.shape[1:]}")
    names = names or [f"head {number + 1}" for number in range(len(weights))]
    columns = min(4, len(weights))
    rows = -(-len(weights) // columns)
    families, missing = fonts_for("".join([*source_tokens, *target_tokens, title or "", *(sides or ())]))
    source, target = ([label(token, missing) for token in tokens] for tokens in (source_tokens, target_tokens))

    across, down = expected[1] * columns, expected[0] * rows
    cell = min(0.3, LARGEST / max(across, down))  # inches
    margin = [0.13 * min(16, max(map(width, labels))) + 0.3 for labels in (target, source)]
    size = (max(3.2, across * cell + columns * margin[0]) + 0.7, max(2.0, down * cell + rows * margin[1]) + 0.5)
    figure = Figure(figsize=size, dpi=DOTS_PER_INCH, layout="constrained", facecolor="white")
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes, head, name in zip(grid.flat, weights, names):
        places = [range(count) for count in reversed(expected)]
        image = axes.pcolormesh(*places, head, cmap=COLORS, vmin=0.0, vmax=1.0, shading="nearest", snap=True)
        axes.set_aspect("equal")
        axes.invert_yaxis()
        font = {"family": families, "size": min(9, 72 * cell * 0.8), "parse_math": False}  # "$" is a token, no formula
        axes.set_xticks(range(len(source)), source, rotation=90, **font)
        axes.set_yticks(range(len(target)), target, **font)
        axes.xaxis.tick_top()
        axes.tick_params(length=0)
        # One collection of lines each way: a grid of minor ticks takes seconds for a long text.
        axes.vlines([i - 0.5 for i in range(1, len(source))], -0.5, len(target) - 0.5, color="0.92", linewidth=0.5)
        axes.hlines([i - 0.5 for i in range(1, len(target))], -0.5, len(source) - 0.5, color="0.92", linewidth=0.5)
        for side in axes.spines.values():
            side.set_color("0.7")
        if sides:
            axes.xaxis.set_label_position("top")
            axes.set_xlabel(sides[0], family=families, size=9)
            axes.set_ylabel(sides[1], family=families, size=9)
        if name:
            axes.text(0.5, -0.03, name, transform=axes.transAxes, ha="center", va="top", family=families, size=9)
    for axes in grid.flat[len(weights) :]:
        axes.remove()
    bar = figure.colorbar(
        image, ax=list(grid.flat[: len(weights)]), shrink=min(1.0, 2.5 / size[1]), aspect=15, ticks=[0, 0.5, 1]
    )
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=7, length=0)
    if title:
        lines = textwrap.fill(readable(title, missing), max(20, int(size[0] * 11)))
        figure.suptitle(lines, family=families, size=10, parse_math=False)
    if missing:
        note = f"no font here shows {len(missing)} of the characters (□); fonts-noto-cjk or another Noto font may"
        figure.supxlabel(textwrap.fill(note, max(20, int(size[0] * 15))), size=7, color="0.4")
    return save(figure, path)


def label(token, missing=()):
    """Returns a token as it is to be shown, at most 16 columns wide."""
    text = readable(token, missing)
    return text if width(text) <= 16 else text[:15] + "…"
