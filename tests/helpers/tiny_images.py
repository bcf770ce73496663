"""Small images that say something: pytest finds this module for all tests (`pythonpath` in pytest.ini)."""

import io

import numpy as np
from PIL import Image

COLORS = {"red": (220, 30, 30), "green": (30, 180, 30), "blue": (40, 60, 220)}
PLACES = {"left": 0, "right": 16}
SIDES = {"left": slice(0, 4), "right": slice(4, 8)}
ROAD = (16, 24)  # height and width of a frame


def encoded(pixels, kind="PNG"):
    """Pixels as an image file."""
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, kind)
    return content.getvalue()


def square(color, place, kind="PNG"):
    """A square of a color on one side, 32 x 32 pixels, as a file."""
    pixels = np.full((32, 32, 3), 255, np.uint8)
    pixels[8:24, PLACES[place] : PLACES[place] + 16] = COLORS[color]
    return encoded(pixels, kind)


def side(name, rng):
    """A noisy image that is bright on one side, 8 x 8 pixels."""
    pixels = rng.integers(0, 60, (8, 8, 3))
    pixels[:, SIDES[name]] += 150
    return pixels.astype("uint8")


def road(angle, size=ROAD):
    """A frame whose bright column says the steering."""
    frame = np.full((*size, 3), 40, "uint8")
    frame[:, int((angle + 0.4) / 0.8 * (size[1] - 4)) :][:, :4] = 230
    return frame
