"""Pictures of labelled points, whose labels do not overlap."""

import math
from os import PathLike
from pathlib import Path

import numpy as np

from attention_zoo.pipelines.engine.pictures.fonts import fonts_for, readable
from attention_zoo.pipelines.engine.pictures.saving import DOTS_PER_INCH, save
from attention_zoo.pipelines.engine.views import PointMap

LONGEST = 40  # characters of a label
COLORS = "tab20"
DIRECTIONS = [(1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1)]  # from a point to its label
DISTANCES = (4.0, 9.0, 16.0, 24.0)  # in points


def draw_point_map(view: PointMap, path: str | PathLike) -> Path:
    """Draws a `PointMap`: a dot for each point in the color of its group, and its label beside it.

    A label is put where it overlaps no other one and no dot; a line joins it to a dot that is not near. Labels without
    room are left out, and the picture says how many. The legend names up to 20 groups, if there are several.

    Args:
        view: `PointMap`.
        path: The file, PNG, SVG or PDF; missing folders are created, and an existing file is replaced at once.

    Returns:
        The `Path`.

    Raises:
        ValueError: There are no points, or labels or groups do not fit the points.

    Example:

    >>> import tempfile
    >>> view = PointMap(np.array([[0.0, 0.0], [1.0, 1.0]]), ["cat", "dog"], ["animals", "animals"])
    >>> draw_point_map(view, f"{tempfile.mkdtemp()}/map.png").name
    'map.png'
    """
    from matplotlib import colormaps
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    points, count = np.asarray(view.points, float), len(view.labels)
    if points.shape != (count, 2) or not count:
        raise ValueError(f"points: expected shape ({count}, 2), not 0 points; received {points.shape}")
    if view.groups and len(view.groups) != count:
        raise ValueError(f"groups: expected {count}, as many as points; received {len(view.groups)}")
    names = list(dict.fromkeys(sorted(view.groups)))
    numbers = [names.index(group) for group in view.groups] or [0] * count
    step = 1 if len(names) > 10 else 2  # neighbours of tab20 are shades of one color
    colors = [colormaps[COLORS](number * step % 20) for number in numbers]
    families, missing = fonts_for("".join([*view.labels, *names, view.title]))
    font = {"family": families, "parse_math": False}
    labels = [readable(label[:LONGEST] + "…" * (len(label) > LONGEST), missing) for label in view.labels]

    side = min(14.0, 4.0 + 0.5 * math.sqrt(count))  # inches
    size = 9 if count <= 400 else 7
    figure = Figure(figsize=(1.25 * side, side), dpi=DOTS_PER_INCH, layout="constrained", facecolor="white")
    canvas = FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.set_xticks([])
    axes.set_yticks([])
    axes.margins(0.08)
    for frame in axes.spines.values():
        frame.set_color("0.8")
    axes.scatter(*points.T, c=colors, s=14 if count > 60 else 28, linewidths=0)
    if 1 < len(names) <= 20:
        for number, name in enumerate(names):
            axes.scatter([], [], color=colormaps[COLORS](number * step % 20), s=20, label=readable(name, missing))
        figure.legend(loc="outside lower center", ncols=min(8, len(names)), fontsize=8, frameon=False)
    if view.title:
        axes.set_title(readable(view.title, missing), size=10, **font)
    canvas.draw()  # settles the layout, and with it where points are

    scale = DOTS_PER_INCH / 72  # pixels in a point
    renderer = canvas.get_renderer()
    room = axes.get_window_extent(renderer)
    places = axes.transData.transform(points)
    sizes = []
    for label in labels:
        text = figure.text(0, 0, label, size=size, **font)
        box = text.get_window_extent(renderer)
        sizes.append((box.width + 2 * scale, box.height))
        text.remove()
    bounds = (room.x0, room.y0, room.x1, room.y1)
    found = place_labels(places, np.array(sizes), bounds, scale)
    for label, color, place, spot in zip(labels, colors, places, found):
        if spot is None:
            continue
        x, y, far = spot
        inverse = axes.transData.inverted().transform
        if far:
            ends = inverse([place, (x, y)])
            axes.plot(*ends.T, color="0.75", linewidth=0.4, zorder=0)
        dark = tuple(0.65 * part for part in color[:3])
        across, up = inverse((x, y))
        axes.text(across, up, label, size=size, ha="center", va="center", color=dark, **font)
    left_out = sum(spot is None for spot in found)
    if left_out:
        axes.set_xlabel(f"{left_out:,} labels without room are left out", size=8)
    return save(figure, path)


def place_labels(
    places: np.ndarray, sizes: np.ndarray, bounds: tuple[float, float, float, float], scale: float
) -> list[tuple[float, float, bool] | None]:
    """Finds places for labels beside their points, one after the other.

    Args:
        places: Array `(N, 2)` of points, in pixels.
        sizes: Array `(N, 2)` of widths and heights of labels, in pixels.
        bounds: Left, bottom, right and top of the picture.
        scale: Pixels in a unit of `DISTANCES`.

    Returns:
        For each point (x, y, whether it is far from its point), the centre of its label, or `None` if all places that
        were tried overlap a label, a point or the border.

    Example:

    >>> places, sizes = np.array([[50.0, 50.0], [52.0, 50.0]]), np.array([[20.0, 8.0], [20.0, 8.0]])
    >>> place_labels(places, sizes, (0, 0, 100, 100), scale=1.0)
    [(64.0, 50.0, False), (38.0, 50.0, False)]
    """
    dots = np.concatenate([places - 2 * scale, places + 2 * scale], axis=1)  # left, bottom, right, top
    taken, found = np.empty((0, 4)), []
    for number, (place, size) in enumerate(zip(places, sizes)):
        obstacles = np.concatenate([np.delete(dots, number, axis=0), taken])
        spot = None
        for distance, (right, up) in ((d, direction) for d in DISTANCES for direction in DIRECTIONS):
            gap = distance * scale / (math.sqrt(2) if right and up else 1)
            centre = place + np.array([right, up]) * (gap + size / 2)
            box = np.concatenate([centre - size / 2, centre + size / 2])
            inside = box[0] >= bounds[0] and box[1] >= bounds[1] and box[2] <= bounds[2] and box[3] <= bounds[3]
            apart = (
                (obstacles[:, 0] >= box[2])
                | (obstacles[:, 2] <= box[0])
                | (obstacles[:, 1] >= box[3])
                | (obstacles[:, 3] <= box[1])
            )
            if inside and apart.all():
                spot = (float(centre[0]), float(centre[1]), distance > DISTANCES[1])
                taken = np.concatenate([taken, box[None]])
                break
        found.append(spot)
    return found
