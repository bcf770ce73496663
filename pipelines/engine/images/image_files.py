"""Decodes image files, in the TensorFlow graph: the same code for training, evaluation and serving.

Every image that enters the project from outside comes through `decode_image`. It reads the size in the file's head
before it decodes anything. A small file that unpacks to gigabytes is therefore refused, and a large JPEG is decoded at
a half, a quarter or an eighth of its size where the model needs no more.
"""

import io
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.images.formats import (
    FORMATS,
    MAX_PIXELS,
    decode,
    error_of_damage,
    error_of_format,
    error_of_size,
    format_of,
    head_of,
    run_or_empty,
    run_plainly,
    size_of,
)
from attention_zoo.pipelines.engine.images.orientation import is_turned, orientation_of, upright


def decode_image(image_bytes: tf.Tensor, size: tuple[int, int]) -> tf.Tensor:
    """Decodes one image file and brings it to a size, in a graph or eagerly.

    Reads JPEG (grey, YCbCr, CMYK), PNG (1 to 16 bits a channel; transparent pixels become white), GIF (the first frame)
    and BMP. Turns and mirrors an image as the EXIF orientation of a JPEG or PNG file says. Resizes the whole image,
    bilinearly and with antialiasing; the proportions of its sides are not kept.

    Args:
        image_bytes: String scalar, the content of the file.
        size: `(height, width)`, integers.

    Returns:
        uint8 Tensor `(height, width, 3)`.

    Raises:
        tf.errors.InvalidArgumentError: The file is no image of these formats, is cut off or damaged, or has more than
            `MAX_PIXELS` pixels.

    Example:

    >>> red = tf.io.encode_png(tf.fill([4, 6, 3], tf.constant(255, tf.uint8)) * [1, 0, 0])
    >>> decode_image(red, (2, 3))[0, 0].numpy().tolist()
    [255, 0, 0]
    """
    pixels, error = _decode_plainly(image_bytes, size)
    with tf.control_dependencies([tf.debugging.Assert(tf.equal(error, ""), [error])]):
        return tf.ensure_shape(pixels, (*size, 3))


def decode_images(image_bytes: tf.Tensor, size: tuple[int, int]) -> tf.Tensor:
    """Decodes a batch of image files, one after the other: the memory that it needs does not grow with the batch.

    Args:
        image_bytes: String Tensor `(B,)`; B may be 0.
        size: `(height, width)`, integers.

    Returns:
        uint8 Tensor `(B, height, width, 3)`.

    Raises:
        tf.errors.InvalidArgumentError: One of the files is as `decode_image` describes it.

    Example:

    >>> decode_images(tf.constant([], tf.string), (8, 8)).shape
    TensorShape([0, 8, 8, 3])
    """
    spec = tf.TensorSpec((*size, 3), tf.uint8)
    return tf.map_fn(lambda one: decode_image(one, size), image_bytes, fn_output_signature=spec, parallel_iterations=1)


def decode_each_image(
    image_bytes: tf.Tensor, size: tuple[int, int], resize: Callable[[tf.Tensor], tf.Tensor] | None = None
) -> tuple[tf.Tensor, tf.Tensor]:
    """Decodes a batch of image files; one that cannot be decoded does not affect the others.

    Args:
        image_bytes: String Tensor `(B,)`; B may be 0.
        size: `(height, width)`, integers.
        resize: Function of an upright image, uint8 `(H, W, 3)`, to one of that size. JPEG files are then decoded at
            their full size. Defaults to `None`, which resizes as `decode_image` does.

    Returns:
        Tuple of `images`, uint8 `(B, height, width, 3)`, zeros where a file cannot be decoded, and `error`, string
        `(B,)`, the reason why, or "".

    Example:

    >>> images, error = decode_each_image(tf.constant([b"hello"]), (8, 8))
    >>> error.numpy()[0].decode()
    'image_bytes: expected a JPEG, PNG, GIF or BMP image, received 5 bytes that begin with 68 65 6c 6c'
    """
    specs = (tf.TensorSpec((*size, 3), tf.uint8), tf.TensorSpec((), tf.string))

    def decode_one(one):
        pixels, error = _decode(one, size, run_or_empty, resize) if resize else _decode_or_empty(one, size)
        return tf.ensure_shape(pixels, (*size, 3)), error

    return tf.map_fn(decode_one, image_bytes, fn_output_signature=specs, parallel_iterations=1)


def check_image(image_bytes: bytes, name: str) -> bytes:
    """Checks that `decode_image` can read a file, so that the error names the file.

    Args:
        image_bytes: The content of the file.
        name: Name of the file in the message.

    Returns:
        The bytes.

    Raises:
        UserError: The file is no image of these formats, is cut off or damaged, or has more than `MAX_PIXELS` pixels.

    Example:

    >>> check_image(b"hello", "notes.txt")
    Traceback (most recent call last):
    attention_zoo.pipelines.engine.errors.UserError: notes.txt: expected a JPEG, PNG, GIF or BMP image, received 5
    bytes of ...
    """
    from PIL import Image, UnidentifiedImageError

    expected = f"{name}: expected a JPEG, PNG, GIF or BMP image"
    try:
        with Image.open(io.BytesIO(image_bytes), formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise UserError(f"{expected} of at most {MAX_PIXELS:,} pixels, received {image.width} x {image.height}")
            bits = int.from_bytes(image_bytes[28:30], "little")
            if image.format == "BMP" and bits not in (8, 24, 32):
                raise UserError(f"{expected}, and a BMP of 8, 24 or 32 bits a pixel, received one of {bits}")
            image.load()
    except (UnidentifiedImageError, Image.DecompressionBombError):
        raise UserError(f"{expected}, received {len(image_bytes):,} bytes of something else") from None
    except (OSError, SyntaxError, ValueError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{expected}, received a damaged one of {len(image_bytes):,} bytes: {error}") from None
    return image_bytes


class ImageFile(NamedTuple):
    """An image file that was read and checked.

    Args:
        name: Its name, as the user wrote it.
        image_bytes: Its content.
    """

    name: str
    image_bytes: bytes


def read_image_file(path: str) -> ImageFile:
    """Reads an image file that a user names. Tasks on images use it as `Task.read_input`, for arguments of `predict`.

    Args:
        path: Path of the file.

    Returns:
        An `ImageFile`.

    Raises:
        UserError: There is no such file, or `check_image` refuses it.
    """
    try:
        content = Path(path).read_bytes()
    except (OSError, ValueError) as error:  # a name with a null character is a ValueError
        raise UserError(
            f"{path}: expected an image file, received: {getattr(error, 'strerror', None) or error}"
        ) from None
    return ImageFile(str(path), check_image(content, path))


def shown_image(image_bytes: bytes, longest: int = 512) -> np.ndarray:
    """Decodes an image file for a picture: in its own proportions, reduced to at most `longest` pixels a side.

    Args:
        image_bytes: The content of the file.
        longest: Largest height and width. Defaults to 512.

    Returns:
        uint8 array `(H, W, 3)`.
    """
    from PIL import Image

    with Image.open(io.BytesIO(image_bytes), formats=FORMATS) as image:
        columns, rows = image.size
    content = tf.constant(image_bytes)
    if is_turned(orientation_of(format_of(head_of(content)), content)):
        rows, columns = columns, rows
    scale = min(1.0, longest / max(rows, columns))
    height, width = (max(1, round(side * scale)) for side in (rows, columns))
    return decode_image(content, (height, width)).numpy()


# Traced once for all sizes: a trace takes a second, and every epoch of every split maps one of these over its files.
_SIGNATURE = [tf.TensorSpec([], tf.string), tf.TensorSpec([2], tf.int32)]


@tf.function(input_signature=_SIGNATURE, autograph=False)
def _decode_plainly(image_bytes, size):
    return _decode(image_bytes, size, run_plainly)


@tf.function(input_signature=_SIGNATURE, autograph=False)
def _decode_or_empty(image_bytes, size):
    return _decode(image_bytes, size, run_or_empty)


def _decode(image_bytes, size, run, resize=None):
    """Decodes a file to pixels `(height, width, 3)` and an error, string scalar; `run` is one of those in `formats`."""
    head = head_of(image_bytes)
    kind = format_of(head)

    def failed(error):
        return tf.zeros(tf.concat([size, [3]], axis=0), tf.uint8), error

    def sized():
        rows, columns = tf.unstack(size_of(kind, head, image_bytes, run))
        unread = (kind == 0) & (rows == 0)
        error = tf.where(unread, error_of_damage(kind, image_bytes), error_of_size(rows, columns))
        return tf.cond(tf.equal(error, ""), lambda: decoded(rows, columns), lambda: failed(error))

    def decoded(rows, columns):
        orientation = orientation_of(kind, image_bytes)
        stored = tf.where(is_turned(orientation), size[::-1], size)  # as the file has rows and columns
        larger = tf.minimum(rows // stored[0], columns // stored[1])  # so many times larger than needed
        shrink = tf.constant(1) if resize else larger
        image = decode(kind, head, image_bytes, shrink, run)
        damaged = tf.equal(tf.size(image), 0)
        return tf.cond(
            damaged,
            lambda: failed(error_of_damage(kind, image_bytes)),
            lambda: (resized(image, stored, orientation), ""),
        )

    def resized(image, stored, orientation):
        if resize:
            return resize(upright(image, orientation))
        image = tf.image.resize(image, stored, antialias=True)
        image = tf.saturate_cast(tf.round(image), tf.uint8)
        return upright(image, orientation)

    error = error_of_format(kind, head, image_bytes)
    pixels, error = tf.cond(tf.equal(error, ""), sized, lambda: failed(error))
    return pixels, error
