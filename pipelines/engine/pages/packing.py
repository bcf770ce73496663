"""Arrays and images as text for a page: rounded, compressed, and in base64."""

import base64
import io
import zlib
from typing import Any

import numpy as np

LARGEST_SIDE = 1024  # pixels of an image; a larger one is reduced


def pack(values: Any, bits: int = 16) -> dict[str, Any]:
    """Packs numbers, none negative, for `unpack` of `page.js`.

    The square root of a number, as a share of that of the largest, is rounded to `bits`. The root keeps small weights
    apart: with 8 bits the error is at most .4% of the largest number, and of small ones less.

    Args:
        values: Array of any shape. What is not finite becomes 0.
        bits: 16 or 8. Defaults to `16`.

    Returns:
        Dict of `shape`, `largest`, `bits`, and `data`: zlib's format in base64.

    Raises:
        ValueError: A number is negative.

    Example:

    >>> packed = pack([[0.25, 1.0]])
    >>> packed["shape"], packed["largest"], packed["bits"]
    ([1, 2], 1.0, 16)
    >>> np.frombuffer(zlib.decompress(base64.b64decode(packed["data"])), "<u2").tolist()
    [32768, 65535]
    """
    values = np.nan_to_num(np.asarray(values, dtype="float32"), nan=0.0, posinf=0.0, neginf=0.0)
    if values.size and values.min() < 0:
        raise ValueError(f"values: expected none below 0, received {values.min()}")
    largest = float(values.max(initial=0.0))
    shares = np.sqrt(values / (largest or 1.0)) * (2**bits - 1)
    content = np.rint(shares).astype("<u2" if bits == 16 else "u1").tobytes()
    data = base64.b64encode(zlib.compress(content, 9 if bits == 16 else 3)).decode()
    return {"shape": list(values.shape), "largest": largest, "bits": bits, "data": data}


def keep_largest(weights: np.ndarray, count: int) -> np.ndarray:
    """Returns weights `(..., S)` of which each row keeps its `count` largest; the others are 0.

    Example:

    >>> keep_largest(np.array([[0.5, 0.2, 0.3]]), 2).tolist()
    [[0.5, 0.0, 0.3]]
    """
    if count >= weights.shape[-1]:
        return weights
    kept = np.argpartition(weights, -count, axis=-1)[..., -count:]
    thinned = np.zeros_like(weights)
    np.put_along_axis(thinned, kept, np.take_along_axis(weights, kept, axis=-1), axis=-1)
    return thinned


def image_url(image: np.ndarray, lossless: bool = True) -> str:
    """Returns an image as a data URL, at most 1,024 pixels wide and high.

    Args:
        image: uint8 array `(height, width, 3)`.
        lossless: PNG if `True`; `False` gives WebP, which is smaller for the frames of a film. Defaults to `True`.

    Example:

    >>> image_url(np.zeros((2, 2, 3), "uint8"))[:22]
    'data:image/png;base64,'
    """
    from PIL import Image

    picture, content = Image.fromarray(np.asarray(image, "uint8")), io.BytesIO()
    picture.thumbnail((LARGEST_SIDE, LARGEST_SIDE))
    kind = "png" if lossless else "webp"
    picture.save(content, format=kind, **({"optimize": True} if lossless else {"quality": 85}))
    return f"data:image/{kind};base64,{base64.b64encode(content.getvalue()).decode()}"
