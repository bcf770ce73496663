"""Pictures of numbers: a run's curves, and scores by length of the source."""

import math
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from attention_zoo.pipelines.engine.pictures.saving import DOTS_PER_INCH, save

# Okabe & Ito 2008, distinct for color-blind readers, with grey for their yellow; the markers differ in black and white.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#888888")
MARKERS = "osD^vPX*"


def draw_curves(
    history: Sequence[Mapping[str, Any]],
    path: str | PathLike,
    losses: Sequence[tuple[float, ...]] = (),
    unit: str = "token",
) -> Path:
    """Draws the losses of a run in one panel, and each metric of the dev split in a panel of its own, over the steps.

    Losses have a logarithmic axis, on which the small changes late in a run are visible. A metric with a single value
    gets no panel, unless there is nothing else to draw.

    Args:
        history: Records of the evaluations, dicts with "step" and figures such as "train/loss", "dev/loss",
            "dev/bleu". A record need not have all; a value that is not finite leaves a gap.
        path: The file, PNG, SVG or PDF; missing folders are created, and an existing file is replaced at once.
        losses: The training loss in finer steps, tuples that begin with step and loss, drawn as "train/loss". Defaults
            to none, which draws that of `history`.
        unit: Name of the items over which a loss is the mean. Defaults to "token".

    Returns:
        The `Path`.

    Raises:
        ValueError: There is nothing to draw.

    Example:

    >>> import tempfile
    >>> history = [{"step": 100, "train/loss": 3.1, "dev/loss": 3.3}, {"step": 200, "train/loss": 2.0, "dev/loss": 2.4}]
    >>> draw_curves(history, f"{tempfile.mkdtemp()}/curves.png").name
    'curves.png'
    """
    names = list(dict.fromkeys(name for record in history for name in record))
    loss_names = [name for name in names if name.endswith("/loss")]
    metrics = [name for name in names if name.startswith("dev/") and name not in loss_names]
    curves = [name for name in metrics if sum(name in record for record in history) > 1]
    if not loss_names:
        curves = curves or metrics
    panels = [names for names in (loss_names, *([name] for name in curves)) if names]
    if not panels:
        raise ValueError(
            f"history: expected records with figures such as dev/loss, received {len(history)} with {names}"
        )
    figure, grid = panels_of(len(panels))
    for axes, shown in zip(grid, panels):
        for number, name in enumerate(shown):
            fine = name == "train/loss" and losses
            points = [row[:2] for row in losses] if fine else [(r["step"], r[name]) for r in history if name in r]
            steps, values = zip(*[(step, value if math.isfinite(value) else math.nan) for step, value in points])
            axes.plot(steps, values, **look(number), ms=0 if fine else 3.5, label=name)
        axes.set_xlabel("step")
        axes.set_ylabel(f"loss per {unit}" if shown is loss_names else shown[0])
        if shown is loss_names:
            make_logarithmic(axes)
        if len(shown) > 1:
            axes.legend(frameon=False)
    return save(figure, path)


def draw_scores_by_length(
    systems: Mapping[str, Sequence[Mapping[str, Any]]], path: str | PathLike, metric: str = "bleu"
) -> Path:
    """Draws scores by length of the source, a line for each system (Bahdanau et al. 2015, figure 2).

    A score with an interval has a bar. The systems then stand side by side, so that no bar hides another one.

    Args:
        systems: Dict of system names to scores, as `scores_by_length` returns them. The interval of a score is called
            as the score, with `_interval` behind it, and can be missing.
        path: The file, PNG, SVG or PDF; missing folders are created, and an existing file is replaced at once.
        metric: The score to draw. Defaults to "bleu".

    Returns:
        The `Path`.

    Raises:
        ValueError: There is nothing to draw.

    Example:

    >>> import tempfile
    >>> short = {"from": 0, "to": 10, "sentences": 40, "bleu": 30.0}
    >>> long = {"from": 11, "to": None, "sentences": 9, "bleu": 25.5}
    >>> draw_scores_by_length({"bahdanau": [short, long]}, f"{tempfile.mkdtemp()}/bleu_by_length.png").name
    'bleu_by_length.png'
    """
    buckets = sorted({(bucket["from"], bucket["to"] or math.inf) for scores in systems.values() for bucket in scores})
    if not buckets:
        raise ValueError(f"systems: expected scores by length, received none for {', '.join(systems) or 'no system'}")
    sizes = {}
    for scores in systems.values():
        for bucket in scores:
            place = (bucket["from"], bucket["to"] or math.inf)
            sizes[place] = max(sizes.get(place, 0), bucket["sentences"])
    bars = any(bucket.get(f"{metric}_interval") for scores in systems.values() for bucket in scores)
    figure, (axes,) = panels_of(1, width=max(4.5, 0.8 * len(buckets) + 1.5))
    for number, (name, scores) in enumerate(systems.items()):
        places = [buckets.index((bucket["from"], bucket["to"] or math.inf)) for bucket in scores]
        values = [bucket[metric] for bucket in scores]
        if bars:
            places = [place + 0.09 * (number - (len(systems) - 1) / 2) for place in places]
            known = [row for row, bucket in enumerate(scores) if bucket.get(f"{metric}_interval")]
            low, high = zip(*[scores[row][f"{metric}_interval"] for row in known]) if known else ((), ())
            axes.vlines([places[row] for row in known], low, high, color=look(number)["color"], alpha=0.5)
        axes.plot(places, values, **look(number), ms=5, label=name)
    names = [f"{start}–{end}" if end < math.inf else f"≥ {start}" for start, end in buckets]
    axes.set_xticks(range(len(buckets)), [f"{name}\nn={sizes[place]:,}" for name, place in zip(names, buckets)], size=8)
    axes.set_xlim(-0.4, len(buckets) - 0.6)
    axes.update_datalim([(0, 0)])  # so that the margin above is a share of the scale from 0, not of a flat line's range
    axes.autoscale_view(scalex=False)
    axes.set_ylim(bottom=0)
    note = "n: sentences; bars: 95% intervals" if bars else "n: sentences"
    axes.set_xlabel(f"words in the source sentence\n({note})")
    axes.set_ylabel({"bleu": "BLEU", "chrf": "chrF", "exact_match": "exact match, %"}.get(metric, metric))
    axes.legend(frameon=False)
    return save(figure, path)


def make_logarithmic(axes: Any) -> None:
    """Makes the vertical axis of a panel logarithmic, with several numbers on it, also within a decade."""
    from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

    axes.set_yscale("log")
    low, high = axes.get_ylim()
    decades = LogLocator(subs=(1.0, 2.0, 5.0) if high < 1000 * low else (1.0,))
    axes.yaxis.set_major_locator(decades if high > 10 * low else MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter("{x:g}")


def look(number: int) -> dict[str, str]:
    """Returns color and marker of a line."""
    return {"color": COLORS[number % len(COLORS)], "marker": MARKERS[number % len(MARKERS)]}


def panels_of(count: int, width: float = 4.5) -> tuple[Any, list[Any]]:
    """Returns a white figure with `count` panels, three a row, and their axes."""
    from matplotlib.figure import Figure

    rows, columns = -(-count // 3), min(count, 3)
    size = (width * columns, 3.4 * rows)
    figure = Figure(figsize=size, dpi=DOTS_PER_INCH, layout="constrained", facecolor="white")
    grid = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axes in grid[count:]:
        axes.remove()
    for axes in grid[:count]:
        axes.grid(axis="y", color="0.9", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.locator_params("x", integer=True)  # there is no half step
        axes.spines[["top", "right"]].set_visible(False)
    return figure, grid[:count]
