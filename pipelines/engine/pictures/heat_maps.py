"""Pictures of where a model looks: the image under its attention, a panel for each word, head or moment."""

from attention_zoo.pipelines.engine.pictures.fonts import fonts_for, readable
from attention_zoo.pipelines.engine.pictures.saving import DOTS_PER_INCH, save

COLORS = "inferno"  # lightness grows with the weight, so it can be read in grey, too
SHARE = 0.55  # of the map's color in a panel; the rest is the image in grey
COLUMNS = 6


def draw_image_attention(image, weights, captions, path, title=None, untouched=False):
    """Draws the image under each of its maps. Each map has a scale of its own: from 0 to its largest weight.

    Args:
        image: uint8 array `(H, W, 3)`.
        weights: Array `(N, h, w)`, none negative; a cell of a map covers its share of the whole image.
        captions: N texts, one for each panel.
        path: The PNG; missing folders are made, and an old picture is replaced as a whole.
        title: A line above them, if any.
        untouched: Whether the first panel is the image without a map. Defaults to False.

    Returns:
        The `Path`.

    Raises:
        ValueError: the image or the weights have another shape.

    Example:

    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "attention.png"
    >>> draw_image_attention(np.zeros((16, 16, 3), "uint8"), np.eye(4)[None], ["the diagonal"], path).name
    'attention.png'
    """
    import numpy as np
    from matplotlib.figure import Figure

    image, weights = np.asarray(image), np.asarray(weights, dtype="float32")
    if image.ndim != 3 or image.shape[-1] != 3 or 0 in image.shape:
        raise ValueError(f"image: expected shape (H, W, 3), received {image.shape}")
    if weights.ndim != 3 or len(weights) != len(captions) or 0 in weights.shape:
        raise ValueError(f"weights: expected shape ({len(captions)}, h, w) by the captions, received {weights.shape}")
    height, width = image.shape[:2]
    panels = len(weights) + untouched
    columns = min(COLUMNS, panels)
    rows = -(-panels // columns)
    families, missing = fonts_for("".join([*captions, title or ""]))
    side = 1.6  # inches of a panel's shorter side
    panel = (side * min(3.0, max(1.0, width / height)), side * min(3.0, max(1.0, height / width)))
    size = (columns * panel[0], rows * (panel[1] + 0.35) + (0.3 if title else 0.0))
    figure = Figure(figsize=size, dpi=DOTS_PER_INCH, layout="constrained", facecolor="white")
    grey = image @ np.array([0.299, 0.587, 0.114], "float32")
    place = (0, width, height, 0)
    grid = figure.subplots(rows, columns, squeeze=False)
    if untouched:
        grid.flat[0].imshow(image, extent=place, interpolation="nearest")
    for axes, weight, caption in zip(grid.flat[int(untouched) :], weights, captions):
        axes.imshow(grey, cmap="gray", vmin=0, vmax=255, extent=place, interpolation="nearest")
        top = max(float(weight.max()), 1e-12)
        axes.imshow(weight, cmap=COLORS, vmin=0.0, vmax=top, extent=place, interpolation="bilinear", alpha=SHARE)
        axes.set_title(readable(caption, missing), family=families, size=8, parse_math=False, wrap=True)
    for axes in grid.flat:
        axes.set_axis_off()
    if title:
        figure.suptitle(readable(title, missing), family=families, size=9, parse_math=False)
    return save(figure, path)
