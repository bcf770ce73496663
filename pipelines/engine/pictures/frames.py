"""Animations of a film under the attention of a model, with a bar for the number that the model answers."""

import io
from os import PathLike
from pathlib import Path

import numpy as np

from attention_zoo.pipelines.engine.pictures.heat_maps import COLORS, draw_heat_maps
from attention_zoo.pipelines.engine.storage.files import atomic_write
from attention_zoo.pipelines.engine.views import Frames, HeatMaps

EVERY = 2  # one frame in so many is shown
FRAMES_PER_SECOND = 12.5  # of the animation
SHORTEST_SIDE = 160  # pixels: smaller frames are enlarged by a whole number
BELOW = 30  # pixels below the frames, for the bar and the numbers
TRUTH = "#E69F00"
HEAT = 0.6  # share of the map's color at its peak; the rest is the frame


def draw_frames(view: Frames, path: str | PathLike) -> Path:
    """Draws `Frames`: as an animation where the path ends in .gif, else the last frame under its map.

    In the animation the frame stands on the left, and under the model's attention on the right. A bar below the frame
    shows the number: from the middle to the side where it reaches `view.limit`. An orange mark shows the true number.
    Beside the bar both are written.

    Args:
        view: `Frames`.
        path: The file; missing folders are created, and an existing file is replaced at once.

    Returns:
        The `Path`.

    Raises:
        ValueError: There is no frame, or images, maps and values are not equally many.

    Example:

    >>> import tempfile
    >>> view = Frames(np.zeros((4, 84, 96, 3), "uint8"), np.ones((4, 11, 12)), np.zeros(4))
    >>> draw_frames(view, f"{tempfile.mkdtemp()}/drive.gif").name
    'drive.gif'
    """
    count = len(view.images)
    if view.truths is not None and len(view.truths) != count:
        raise ValueError(f"truths: expected {count}, one for each image; received {len(view.truths)}")
    if not count == len(view.maps) == len(view.values) or not count:
        raise ValueError(
            f"images, maps, values: expected equally many and at least one, received {count}, {len(view.maps)} and "
            f"{len(view.values)}"
        )
    if str(path).lower().endswith(".gif"):
        return _write_animation(view, path)
    known = "" if view.truths is None else f"truth: {_written(view, view.truths[-1])}"
    answer = f"answer: {_written(view, view.values[-1])}"
    return draw_heat_maps(HeatMaps(view.images[-1], view.maps[-1:], ["attention"], answer, known), path)


def _written(view, number):
    """Returns a number in words, such as "-0.12 rad (left)"."""
    direction = f" ({view.directions[int(number > 0)]})" if f"{abs(number):.2f}" != "0.00" else ""
    return f"{number:+.2f} {view.unit}".rstrip() + direction


def _write_animation(view, path):
    from PIL import Image

    shown = range(0, len(view.images), EVERY)
    pictures = [_panels(view, row) for row in shown]
    # One palette for all frames: colors do not flicker, and what stands still takes no room.
    palette = pictures[len(pictures) // 2].quantize(128)
    pictures = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures]
    content = io.BytesIO()
    options = {"duration": round(1000 / FRAMES_PER_SECOND), "loop": 0, "optimize": True}
    pictures[0].save(content, format="GIF", save_all=True, append_images=pictures[1:], **options)
    return atomic_write(path, content.getvalue())


def _panels(view, row):
    """Returns a frame and the frame under its map, side by side, with the bar and the numbers below: a Pillow image."""
    from matplotlib import colormaps
    from PIL import Image, ImageDraw, ImageFont

    frame, weights = view.images[row], view.maps[row]
    height, width = frame.shape[:2]
    zoom = max(1, -(-SHORTEST_SIDE // min(height, width)))
    size = (zoom * width, zoom * height)
    picture = Image.fromarray(frame).resize(size, Image.Resampling.NEAREST)
    scaled = Image.fromarray((weights / max(float(weights.max()), 1e-12)).astype("float32"))
    heat = np.clip(np.asarray(scaled.resize(size, Image.Resampling.BILINEAR)), 0.0, 1.0)[..., None]  # (H, W, 1)
    colors = 255 * colormaps[COLORS](heat[..., 0])[..., :3]
    mixed = (1 - HEAT * heat) * np.asarray(picture, "float32") + HEAT * heat * colors
    both = Image.new("RGB", (2 * size[0], size[1] + BELOW))
    both.paste(picture, (0, 0))
    both.paste(Image.fromarray(mixed.astype("uint8")), (size[0], 0))

    drawing, font, top = ImageDraw.Draw(both), ImageFont.load_default(11), size[1]
    middle = size[0] // 2
    place = middle + int(np.clip(view.values[row] / view.limit, -1.0, 1.0) * middle)
    drawing.rectangle((min(middle, place), top + 19, max(middle, place), top + 24), fill="white")
    drawing.line((middle, top + 16, middle, top + 27), fill="grey")
    texts = [("white", f"answer: {_written(view, view.values[row])}")]
    if view.truths is not None:
        place = middle + int(np.clip(view.truths[row] / view.limit, -1.0, 1.0) * (middle - 2))
        drawing.rectangle((place - 1, top + 16, place + 1, top + 27), fill=TRUTH)
        texts.append((TRUTH, f"truth: {_written(view, view.truths[row])}"))
    drawing.text((2, top + 2), view.directions[0], fill="grey", font=font)
    drawing.text((size[0] - 2, top + 2), view.directions[1], fill="grey", font=font, anchor="ra")
    for line, (color, text) in enumerate(texts):
        drawing.text((size[0] + 4, top + 2 + 13 * line), text, fill=color, font=font)
    return both
