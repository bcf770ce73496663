"""Encoded images to pixels: one way for training, evaluation and serving, in the TensorFlow graph.

Every image that enters the project from outside comes through `decode_image`. It reads the size in the file's head
before it
decodes anything, so that a small file that unpacks to gigabytes is refused, and a large JPEG is decoded at a half, a
quarter or an eighth where the model needs no more.
"""

import io
from pathlib import Path
from typing import NamedTuple

import tensorflow as tf

from attention_zoo.pipelines.engine.errors import UserError

FORMATS = ("JPEG", "PNG", "GIF", "BMP")
MAX_PIXELS = 50_000_000
HEAD = 32  # bytes of a file that tell its format and, but for JPEG, its size
TAIL = 65536  # the end of an image lies in these last bytes: some cameras write notes of their own after it

_MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM")  # in the order of FORMATS
_END = (b"\xff\xd9", b"IEND", b";", b"")
_PNG_BIT_DEPTH = 24  # its place in the head
_PNG_COLOR_TYPE = 25  # its place in the head: 0 grey, 2 RGB, 3 palette (alpha by a chunk), 4 grey and alpha, 6 RGBA
_HEXADECIMAL = [f"{value:02x}" for value in range(256)]


def decode_image(image_bytes, size):
    """Decodes one image file and brings it to a size, in a graph or eagerly.

    JPEG (grey, YCbCr, CMYK), PNG (1 to 16 bits; what is transparent becomes white), GIF (the first frame) and BMP. The
    whole image
    is resized, by triangles that widen as it shrinks (antialiasing); the proportions of the sides are not kept. EXIF's
    orientation is not applied.

    Args:
        image_bytes: String scalar, the content of the file.
        size: `(height, width)`, integers.

    Returns:
        uint8 Tensor `(height, width, 3)`.

    Raises:
        tf.errors.InvalidArgumentError: it is no image of these formats, is cut off or damaged, or has more than
            `MAX_PIXELS` pixels.

    Example:

    >>> red = tf.io.encode_png(tf.fill([4, 6, 3], tf.constant(255, tf.uint8)) * [1, 0, 0])
    >>> decode_image(red, (2, 3))[0, 0].numpy().tolist()
    [255, 0, 0]
    """
    height, width = size
    head = tf.io.decode_raw(tf.strings.substr(image_bytes, 0, HEAD) + b"\0" * HEAD, tf.uint8)[:HEAD]  # (HEAD,)
    kind = _format_of(head)
    with tf.control_dependencies([_assert_known(kind, head, image_bytes)]):
        kind = tf.identity(kind)
    with tf.control_dependencies([_assert_whole(kind, image_bytes)]):
        image_bytes = tf.identity(image_bytes)
    rows, columns = tf.unstack(_size_of(kind, head, image_bytes))
    with tf.control_dependencies([_assert_size(rows, columns)]):
        image_bytes = tf.identity(image_bytes)
    shrink = tf.minimum(rows // height, columns // width)  # so many times larger than needed
    branches = [
        lambda: _decode_jpeg(image_bytes, shrink),
        lambda: _decode_png(image_bytes, head),
        lambda: _in_color(tf.io.decode_image(image_bytes, expand_animations=False)),
        lambda: _decode_bmp(image_bytes, head),
    ]
    image = tf.switch_case(kind, branches)
    image.set_shape((None, None, 3))
    image = tf.image.resize(image, (height, width), antialias=True)
    return tf.ensure_shape(tf.saturate_cast(tf.round(image), tf.uint8), (height, width, 3))


def decode_images(image_bytes, size):
    """Decodes a batch of image files, one after the other, so that a batch of large ones needs the memory of one.

    Args:
        image_bytes: String Tensor `(B,)`; B may be 0.
        size: `(height, width)`, integers.

    Returns:
        uint8 Tensor `(B, height, width, 3)`.

    Raises:
        tf.errors.InvalidArgumentError: as `decode_image`, for any of them.

    Example:

    >>> decode_images(tf.constant([], tf.string), (8, 8)).shape
    TensorShape([0, 8, 8, 3])
    """
    spec = tf.TensorSpec((*size, 3), tf.uint8)
    return tf.map_fn(lambda one: decode_image(one, size), image_bytes, fn_output_signature=spec, parallel_iterations=1)


def check_image(image_bytes, name):
    """Looks whether `decode_image` will read a file, so that a user learns which one it is that can't be read.

    Args:
        image_bytes: The content of the file.
        name: What to call it in the message.

    Returns:
        The bytes.

    Raises:
        UserError: it is no image of these formats, is cut off or damaged, or has more than `MAX_PIXELS` pixels.

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
    """An image file that was read and looked at."""

    name: str
    image_bytes: bytes


def read_image_file(path):
    """Reads an image file that a user names; as `Task.read_input` of a task on images it takes arguments of `predict`.

    Returns:
        An `ImageFile`.

    Raises:
        UserError: there is no such file, or `check_image` refuses it.
    """
    try:
        content = Path(path).read_bytes()
    except (OSError, ValueError) as error:  # a name with a null character is a ValueError
        raise UserError(
            f"{path}: expected an image file, received: {getattr(error, 'strerror', None) or error}"
        ) from None
    return ImageFile(str(path), check_image(content, path))


def shown_image(image_bytes, longest=512):
    """Decodes an image file for a picture: in its own proportions, reduced to at most `longest` pixels a side.

    Returns:
        uint8 array `(H, W, 3)`.
    """
    from PIL import Image

    with Image.open(io.BytesIO(image_bytes), formats=FORMATS) as image:
        scale = min(1.0, longest / max(image.size))
        width, height = (max(1, round(side * scale)) for side in image.size)
    return decode_image(tf.constant(image_bytes), (height, width)).numpy()


def _format_of(head):
    """Index of the format in FORMATS, int32 scalar; 4 is none of them."""
    known = [tf.reduce_all(head[: len(magic)] == list(magic)) for magic in _MAGIC]
    return tf.argmax(tf.stack([*known, True]), output_type=tf.int32)


def _assert_known(kind, head, image_bytes):
    begin = tf.strings.reduce_join(tf.gather(_HEXADECIMAL, tf.cast(head[:4], tf.int32)), separator=" ")
    length = tf.strings.as_string(tf.strings.length(image_bytes))
    message = tf.strings.join(
        ["image_bytes: expected a JPEG, PNG, GIF or BMP image, received ", length, " bytes that begin with ", begin]
    )
    return tf.debugging.Assert(kind < len(FORMATS), [message])


def _assert_whole(kind, image_bytes):
    """Looks for what ends an image. The decoders find all other damage, and say it in words of their own."""
    length = tf.strings.length(image_bytes)
    tail = tf.strings.substr(image_bytes, tf.maximum(length - TAIL, 0), TAIL)
    ended = [tf.size(tf.strings.split(tail, end)) > 1 for end in _END[:3]]
    message = tf.strings.join(
        ["image_bytes: expected a whole ", tf.gather(FORMATS, kind), " image, received one that is cut off after ",
         tf.strings.as_string(length), " bytes"]
    )  # fmt: skip
    return tf.debugging.Assert(tf.gather(tf.stack([*ended, True]), kind), [message])


def _assert_size(rows, columns):
    pixels = tf.cast(rows, tf.int64) * tf.cast(columns, tf.int64)
    message = tf.strings.join(
        [f"image_bytes: expected an image of 1 to {MAX_PIXELS:,} pixels, received ",
         tf.strings.as_string(columns), " x ", tf.strings.as_string(rows)]
    )  # fmt: skip
    return tf.debugging.Assert((rows > 0) & (columns > 0) & (pixels <= MAX_PIXELS), [message])


def _size_of(kind, head, image_bytes):
    """`(rows, columns)` as the file's head has it, int32."""
    return tf.switch_case(
        kind,
        [
            lambda: tf.image.extract_jpeg_shape(image_bytes)[:2],
            lambda: tf.stack([_number(head, 20, 4, big_endian=True), _number(head, 16, 4, big_endian=True)]),
            lambda: _largest_gif_frame(image_bytes, _number(head, 8, 2), _number(head, 6, 2)),
            lambda: tf.stack(
                [tf.abs(_number(head, 22, 4)), _number(head, 18, 4)]
            ),  # rows from the top down are negative
        ],
    )


def _number(content, place, count, big_endian=False):
    """A number of `count` bytes as int32; bytes that a file which is cut off lacks count as 0."""
    values = tf.cast(content[place : place + count], tf.int32)
    shifts = tf.constant([8 * (count - 1 - i if big_endian else i) for i in range(count)])
    return tf.reduce_sum(tf.bitwise.left_shift(values, shifts[: tf.size(values)]))


def _largest_gif_frame(image_bytes, rows, columns):
    """`(rows, columns)` of the largest frame of a GIF, or of its screen: the decoder makes room for all of them, whatever the screen."""
    content = tf.io.decode_raw(image_bytes, tf.uint8)
    length = tf.size(content)

    def colors(flags):  # bytes of a table of colors, where the flags say that there is one
        return tf.where(flags >= 128, 3 * tf.bitwise.left_shift(2, flags % 8), 0)

    def block(place, in_data, rows, columns):
        """One step: a sub-block of data, whose first byte is its length, or the head of a block."""
        kind = _number(content, place, 1)
        frame = tf.logical_and(~in_data, kind == 0x2C)
        known = in_data | frame | (kind == 0x21)
        after_head = tf.where(frame, place + 11 + colors(_number(content, place + 9, 1)), place + 2)
        after = tf.where(in_data, place + 1 + kind, tf.where(known, after_head, length))
        wide, high = _number(content, place + 5, 2), _number(content, place + 7, 2)
        larger = frame & (
            tf.cast(wide, tf.int64) * tf.cast(high, tf.int64) > tf.cast(rows, tf.int64) * tf.cast(columns, tf.int64)
        )
        return after, tf.where(in_data, kind != 0, True), tf.where(larger, high, rows), tf.where(larger, wide, columns)

    start = 13 + colors(_number(content, 10, 1))
    _, _, rows, columns = tf.while_loop(
        lambda place, *_: place < length, block, (start, tf.constant(False), rows, columns)
    )
    return tf.stack([rows, columns])


def _decode_jpeg(image_bytes, shrink):
    """Decodes at 1, 1/2, 1/4 or 1/8 of the size: the largest reduction that keeps what `shrink` says is needed."""
    ratios = (1, 2, 4, 8)
    index = tf.reduce_sum(tf.cast(shrink >= ratios[1:], tf.int32))
    return tf.switch_case(
        index,
        [
            lambda ratio=ratio: tf.io.decode_jpeg(image_bytes, 3, ratio, dct_method="INTEGER_ACCURATE")
            for ratio in ratios
        ],
    )


def _decode_png(image_bytes, head):
    """Decodes to 8 bits a channel, over white where there can be alpha."""

    def over_white():
        image = tf.io.decode_png(image_bytes, 4)
        color, alpha = tf.cast(image[..., :3], tf.uint16), tf.cast(image[..., 3:], tf.uint16)
        # Of palettes of 1, 2 or 4 bits the decoder fills alpha up with 1, 3 or 15, where the file has none.
        opaque = tf.cast(2 ** tf.cast(head[_PNG_BIT_DEPTH], tf.int32) - 1, tf.uint16)
        alpha = tf.where((opaque < 255) & (tf.reduce_max(alpha) <= opaque), alpha * (255 // opaque), alpha)
        # At most 255 * 255 + 127: a large image takes two bytes a channel, not four.
        return tf.cast((color * alpha + 255 * (255 - alpha) + 127) // 255, tf.uint8)

    has_alpha = tf.reduce_any(head[_PNG_COLOR_TYPE] == tf.constant([3, 4, 6], tf.uint8))
    return tf.cond(has_alpha, over_white, lambda: tf.io.decode_png(image_bytes, 3))


def _decode_bmp(image_bytes, head):
    """Decodes 8 bits with a palette, 24 or 32; the decoder hands indices of a palette back as they are."""
    bits = _number(head, 28, 2)
    message = tf.strings.join(
        ["image_bytes: expected a BMP of 8, 24 or 32 bits a pixel, received ", tf.strings.as_string(bits)]
    )

    with tf.control_dependencies([tf.debugging.Assert((bits == 8) | (bits == 24) | (bits == 32), [message])]):
        image_bytes = tf.identity(image_bytes)
        start = tf.io.decode_raw(tf.strings.substr(image_bytes, 0, 54), tf.uint8)  # file header and image header

    def of_palette():
        header, colors = _number(head, 14, 2), _number(start, 46, 2)
        colors = tf.where(colors == 0, 256, tf.minimum(colors, 256))
        entries = tf.io.decode_raw(tf.strings.substr(image_bytes, 14 + header, 4 * colors), tf.uint8)
        palette = tf.reshape(entries, (-1, 4))[:, 2::-1]  # from blue, green, red and nothing
        return tf.gather(
            palette, tf.minimum(tf.cast(tf.io.decode_bmp(image_bytes)[..., 0], tf.int32), tf.shape(palette)[0] - 1)
        )

    return tf.cond(bits == 8, of_palette, lambda: _in_color(tf.io.decode_bmp(image_bytes)))


def _in_color(image):
    """`(H, W, 1 or 3 or 4)` to `(H, W, 3)`; a fourth channel of a BMP is padding."""
    image = image[..., :3]
    return tf.broadcast_to(image, tf.concat([tf.shape(image)[:2], [3]], axis=0))
