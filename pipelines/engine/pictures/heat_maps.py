"""Pictures of an image under the attention of a model, with a panel for each word, head or moment."""

from os import PathLike
from pathlib import Path

from attention_zoo.pipelines.engine.pictures.fonts import fonts_for, readable
from attention_zoo.pipelines.engine.pictures.saving import DOTS_PER_INCH, save
from attention_zoo.pipelines.engine.views import HeatMaps

COLORS = "inferno"  # lightness grows with the weight, so it can be read in grey, too
SHARE = 0.55  # of the map's color in a panel; the rest is the image in grey
COLUMNS = 6


def draw_heat_maps(view: HeatMaps, path: str | PathLike) -> Path:
    """Draws `HeatMaps`: the image under each map. Each map has a scale of its own: from 0 to its largest weight.

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
    from matplotlib.figure import Figure

    image, maps, captions = np.asarray(view.image), np.asarray(view.maps, dtype="float32"), view.captions
    if image.ndim != 3 or image.shape[-1] != 3 or 0 in image.shape:
        raise ValueError(f"image: expected shape (H, W, 3), received {image.shape}")
    if maps.ndim != 3 or len(maps) != len(captions) or 0 in maps.shape:
        raise ValueError(f"maps: expected shape ({len(captions)}, h, w) by the captions, received {maps.shape}")
    height, width = image.shape[:2]
    panels = len(maps) + view.untouched
    columns = min(COLUMNS, panels)
    rows = -(-panels // columns)
    families, missing = fonts_for("".join([*captions, view.title]))
    side = 1.6  # inches of a panel's shorter side
    panel = (side * min(3.0, max(1.0, width / height)), side * min(3.0, max(1.0, height / width)))
    size = (columns * panel[0], rows * (panel[1] + 0.35) + (0.3 if view.title else 0.0))
    figure = Figure(figsize=size, dpi=DOTS_PER_INCH, layout="constrained", facecolor="white")
    grey = image @ np.array([0.299, 0.587, 0.114], "float32")
    place = (0, width, height, 0)
    grid = figure.subplots(rows, columns, squeeze=False)
    if view.untouched:
        grid.flat[0].imshow(image, extent=place, interpolation="nearest")
    for axes, weight, caption in zip(grid.flat[int(view.untouched) :], maps, captions):
        axes.imshow(grey, cmap="gray", vmin=0, vmax=255, extent=place, interpolation="nearest")
        top = max(float(weight.max()), 1e-12)
        axes.imshow(weight, cmap=COLORS, vmin=0.0, vmax=top, extent=place, interpolation="bilinear", alpha=SHARE)
        axes.set_title(readable(caption, missing), family=families, size=8, parse_math=False, wrap=True)
    for axes in grid.flat:
        axes.set_axis_off()
    if view.title:
        figure.suptitle(readable(view.title, missing), family=families, size=9, parse_math=False)
    return save(figure, path)
