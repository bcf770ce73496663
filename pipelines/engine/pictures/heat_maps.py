"""Pictures of an image under the attention of a model, with a panel for each word, head or moment."""

import textwrap
from os import PathLike
from pathlib import Path

from attention_zoo.pipelines.engine.pictures.fonts import fonts_for, readable
from attention_zoo.pipelines.engine.pictures.saving import DOTS_PER_INCH, save
from attention_zoo.pipelines.engine.views import HeatMaps

COLORS = "inferno"  # lightness grows with the weight, so it can be read in grey, too
SHARE = 0.55  # of the map's color in a panel; the rest is the image in grey
COLUMNS = 6


def draw_heat_maps(view: HeatMaps, path: str | PathLike) -> Path:
    """Draws `HeatMaps`: the image in its colors, then the image in grey under each map.

    All maps have one scale, from 0 to the largest weight of all, which a color bar shows. Without `one_scale` each has
    its own, and the largest weight stands above it.

    Args:
        view: `HeatMaps`.
        path: The file, PNG, SVG or PDF; missing folders are created, and an existing file is replaced at once.

    Returns:
        The `Path`.

    Raises:
        ValueError: The image or the maps have another shape.

    Example:

    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> view = HeatMaps(np.zeros((16, 16, 3), "uint8"), np.eye(4)[None], ["the diagonal"])
    >>> draw_heat_maps(view, pathlib.Path(tempfile.mkdtemp()) / "attention.png").name
    'attention.png'
    """
    import numpy as np
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure

    image, maps, captions = np.asarray(view.image), np.asarray(view.maps, dtype="float32"), view.captions
    if image.ndim != 3 or image.shape[-1] != 3 or 0 in image.shape:
        raise ValueError(f"image: expected shape (H, W, 3), received {image.shape}")
    if maps.ndim != 3 or len(maps) != len(captions) or 0 in maps.shape:
        raise ValueError(f"maps: expected shape ({len(captions)}, h, w) by the captions, received {maps.shape}")
    height, width = image.shape[:2]
    panels = 1 + len(maps)
    columns = min(COLUMNS, panels)
    rows = -(-panels // columns)
    families, missing = fonts_for("".join([*captions, view.title, view.known]))
    side = 1.6  # inches of a panel's shorter side
    panel = (side * min(3.0, max(1.0, width / height)), side * min(3.0, max(1.0, height / width)))
    across = columns * panel[0] + 0.7
    texts = [readable(text, missing) for text in (view.title, view.known) if text]
    title = "\n".join(textwrap.fill(text, max(20, int(across * 12))) for text in texts)
    size = (across, rows * (panel[1] + 0.35) + (0.3 + 0.15 * title.count("\n") if title else 0.0))
    figure = Figure(figsize=size, dpi=DOTS_PER_INCH, layout="constrained", facecolor="white")
    grey = image @ np.array([0.299, 0.587, 0.114], "float32")
    place = (0, width, height, 0)
    first, *grid = figure.subplots(rows, columns, squeeze=False).flat
    for axes in (first, *grid):
        axes.set_axis_off()
    font = {"family": families, "size": 8, "parse_math": False}
    first.imshow(image, extent=place, interpolation="nearest")
    first.set_title("input", **font)
    own = np.maximum(maps.max(axis=(1, 2)), 1e-12)  # (N,)
    largest = own.max() if view.one_scale else 1.0
    for axes, weight, caption, most in zip(grid, maps, captions, own):
        if not view.one_scale:
            weight, caption = weight / most, f"{caption} (up to {most:.2g})"
        axes.imshow(grey, cmap="gray", vmin=0, vmax=255, extent=place, interpolation="nearest")
        axes.imshow(weight, cmap=COLORS, vmin=0.0, vmax=largest, extent=place, interpolation="bilinear", alpha=SHARE)
        axes.set_title(readable(caption, missing), wrap=True, **font)
    scale, ticks = Normalize(0.0, largest), [0.0, largest / 2, largest]
    bar = figure.colorbar(ScalarMappable(scale, COLORS), ax=[first, *grid], aspect=15, shrink=min(1.0, 2.5 / size[1]))
    bar.set_ticks(ticks, labels=[f"{tick:.2g}" for tick in ticks])
    bar.set_label("weight, up to the largest" if view.one_scale else "share of the map's largest weight", size=7)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=7, length=0)
    if title:
        figure.suptitle(title, family=families, size=9, parse_math=False)
    return save(figure, path)
