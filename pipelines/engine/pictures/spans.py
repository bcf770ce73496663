"""Pictures of entities: the text with its entities colored, the lattice of tags, and what entities attended to."""

import re
from os import PathLike
from pathlib import Path

import numpy as np

from attention_zoo.pipelines.engine.pictures.alignments import COLORS, LARGEST, label
from attention_zoo.pipelines.engine.pictures.fonts import fonts_for, readable, width
from attention_zoo.pipelines.engine.pictures.saving import DOTS_PER_INCH, save
from attention_zoo.pipelines.engine.views import Spans

# Light colors of Okabe and Ito's set, which those with red-green blindness tell apart: black text stands on them.
FILLS = ("#F5C98B", "#A9D8F5", "#9FDDC6", "#EBC3DC", "#F3EE9E", "#C9CCF2", "#F2B8A0", "#D9D9D9")
PATH = "#D55E00"  # outline of the tags that were chosen
COLUMN = 0.085  # inches of a column of text
MOST_WORDS = 60  # of the lattice: it shows the first ones
LINES = 12  # of the text: the others are left out


def draw_spans(view: Spans, path: str | PathLike) -> Path:
    """Draws `Spans`.

    At the top is the text with its entities on the color of their label, and the confidence of each. Below is the
    lattice, the probability of each tag at each word, with the chosen tags outlined; then, if the model attends, what
    the words of each entity attended to, their mean. Long texts show their first 60 words and 12 lines.

    Args:
        view: `Spans`.
        path: The file, PNG, SVG or PDF; missing folders are created, and an existing file is replaced at once.

    Returns:
        The `Path`.

    Raises:
        ValueError: The lattice is not K x T for the K tag names and the T words, or there is no word.

    Example:

    >>> import tempfile
    >>> lattice = np.array([[0.9, 0.1], [0.1, 0.9]])
    >>> view = Spans("in Rome", [(3, 7, "LOC", 0.9)], ["in", "Rome"], ["O", "B-LOC"], ["O", "B-LOC"], lattice)
    >>> draw_spans(view, f"{tempfile.mkdtemp()}/entities.png").name
    'entities.png'
    """
    from matplotlib.figure import Figure

    lattice = np.asarray(view.lattice, dtype="float32")
    expected = (len(view.tag_names), len(view.words))
    if lattice.shape != expected or 0 in expected:
        raise ValueError(f"lattice: expected shape {expected}, none 0; received {lattice.shape}")
    words, lattice = view.words[:MOST_WORDS], lattice[:, :MOST_WORDS]
    families, missing = fonts_for("".join([view.text, view.title, *view.tag_names, *(span[2] for span in view.spans)]))
    names = [label(word, missing) for word in words]
    rows = _attended(view)[:, :MOST_WORDS] if view.weights is not None else np.zeros((0, len(words)))
    entities = [label(readable(view.text[start:end], missing)) for start, end, *_ in view.spans]
    entities = [*([view.whole] if view.whole else []), *entities][: len(rows)]

    cell = min(0.28, LARGEST / len(words))  # inches
    margin = 0.09 * max(map(width, [*view.tag_names, *entities])) + 0.3
    across = max(6.0, len(words) * cell + margin + 0.9)
    lines = _lines(view, missing, int((across - 0.4) / COLUMN))
    heights = [0.46 * len(lines) + 0.15, len(view.tag_names) * cell, len(rows) * cell][: 3 if len(rows) else 2]
    below = 0.09 * max(map(width, names)) + 0.3
    figure = Figure(figsize=(across, sum(heights) + below + 0.9), dpi=DOTS_PER_INCH, layout="constrained")
    figure.set_facecolor("white")
    top, *maps = figure.subplots(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    _draw_text(top, lines, (across - 0.4) / COLUMN, families)
    font = {"family": families, "size": min(9, 72 * cell * 0.8), "parse_math": False}
    panels = [
        (lattice, view.tag_names, "probability of each tag"),
        (rows, entities, "what entities attended to" if not view.whole else "what each attended to"),
    ]
    for axes, (values, labels, title) in zip(maps, panels):
        image = axes.imshow(values, cmap=COLORS, vmin=0.0, vmax=1.0 if labels is view.tag_names else None)
        axes.set_yticks(range(len(labels)), labels, **font)
        axes.set_xticks([])
        axes.set_title(title, size=8, loc="left", color="0.3")
        axes.tick_params(length=0)
        for side in axes.spines.values():
            side.set_color("0.7")
        bar = figure.colorbar(image, ax=axes, shrink=0.8, aspect=12, pad=0.01, panchor=(0.0, 0.5))
        bar.outline.set_visible(False)
        bar.ax.tick_params(labelsize=7, length=0)
    maps[-1].set_xticks(range(len(names)), names, rotation=90, **font)
    _outline(maps[0], [view.tag_names.index(tag) for tag in view.tags[:MOST_WORDS]])
    if view.title:
        figure.suptitle(readable(view.title, missing), family=families, size=10, parse_math=False)
    notes = [f"the first {MOST_WORDS} of {len(view.words):,} words"] if len(view.words) > MOST_WORDS else []
    if missing:
        notes.append(f"no font here shows {len(missing)} of the characters (□)")
    if notes:
        figure.supxlabel("; ".join(notes), size=7, color="0.4")
    return save(figure, path)


def _attended(view):
    """What the words of each entity attended to, `(N, T)`: the mean of their weights; first that of the whole text."""
    weights = np.asarray(view.weights)
    places = [*([(0, 1)] if view.whole else []), *(_places(view) if view.spans else [])]
    return np.array([weights[first:last].mean(axis=0) for first, last in places]).reshape(-1, len(view.words))


def _places(view):
    """The first word of each entity and the one after its last, found by the places of the words in the text."""
    starts, done = [], 0
    for word in view.words:
        done = view.text.find(word, done) if view.text.find(word, done) >= 0 else done
        starts.append(done)
        done += len(word)
    starts = np.array(starts)
    return [
        (
            int(np.searchsorted(starts, start)),
            max(int(np.searchsorted(starts, end)), int(np.searchsorted(starts, start)) + 1),
        )
        for start, end, *_ in view.spans
    ]


def _lines(view, missing, room):
    """The text in lines of at most `room` columns: lists of (text, label, confidence, first column, columns)."""
    pieces, done = [], 0
    for start, end, kind, confidence in [*view.spans, (len(view.text), len(view.text), "", 0.0)]:
        pieces += [(word, "", 0.0) for word in re.findall(r"\s+|\S+", view.text[done:start])]
        pieces.append((view.text[start:end], kind, confidence))
        done = end
    lines, used = [[]], 0.0
    for text, kind, confidence in pieces:
        if not text.strip():
            used += 0.9 if text and used else 0.0
            continue
        text = readable(" ".join(text.split()), missing)
        text = text if width(text) <= room else text[: room // 2] + "…"
        capitals = sum(character.isupper() for character in text)  # wider than a column
        needed = max(width(text) + 0.4 * capitals, 0.8 * len(f"{kind} {confidence:.2f}") if kind else 0) + 0.5
        if used and used + needed > room:
            lines, used = [*lines, []], 0.0
        lines[-1].append((text, kind, confidence, used, needed))
        used += needed
    return lines if len(lines) <= LINES else [*lines[:LINES], [("…", "", 0.0, 0.0, 1.0)]]


def _draw_text(axes, lines, room, families):
    """Writes the lines, entities on their colors, labels and confidences below."""
    from matplotlib.patches import FancyBboxPatch

    kinds = sorted({kind for line in lines for _, kind, *_ in line if kind})
    axes.set_xlim(0, room)
    axes.set_ylim(len(lines), 0)
    axes.set_axis_off()
    for row, line in enumerate(lines):
        for text, kind, confidence, start, columns in line:
            middle = start + columns / 2
            if kind:
                fill = FILLS[kinds.index(kind) % len(FILLS)]
                box = FancyBboxPatch(
                    (start, row + 0.12),
                    columns,
                    0.44,
                    boxstyle="round,pad=0.1",
                    facecolor=fill,
                    edgecolor="none",
                    mutation_aspect=0.1,
                )
                axes.add_patch(box)
                axes.text(middle, row + 0.76, f"{kind} {confidence:.2f}", ha="center", va="center", size=6, color="0.3")
            style = {"family": families, "size": 9, "parse_math": False}
            axes.text(middle, row + 0.34, text, ha="center", va="center", **style)


def _outline(axes, chosen):
    """Outlines the chosen tag of each word."""
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Rectangle

    cells = [Rectangle((word - 0.5, tag - 0.5), 1, 1) for word, tag in enumerate(chosen)]
    axes.add_collection(PatchCollection(cells, facecolor="none", edgecolor=PATH, linewidth=1.0, zorder=3))
