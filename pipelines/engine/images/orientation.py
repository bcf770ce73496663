"""The orientation in an image file's EXIF data, in the TensorFlow graph.

A camera that is held upright often stores the rows of its sensor as they are, and notes which side of the image is up:
one of eight numbers. A JPEG file has it in an APP1 segment, and a PNG file in an eXIf chunk; the content of both is a
small TIFF file, in either byte order. EXIF data that is missing, malformed or cut off counts as 1, upright.

Reference:
    CIPA DC-008-2019, "Exchangeable image file format for digital still cameras: Exif Version 2.32", section 4.6.4.
"""

import tensorflow as tf

from attention_zoo.pipelines.engine.images.formats import number

MAX_BLOCKS = 10_000  # segments of a JPEG or chunks of a PNG that are searched, so that many tiny ones cost little

# An entry of a TIFF directory: the tag, the type (3: numbers of 2 bytes), the count, and 4 bytes for the value.
_ENTRY_LENGTH = 12
_LITTLE_ENDIAN_ENTRY = (0x12, 0x01, 3, 0, 1, 0, 0, 0)
_BIG_ENDIAN_ENTRY = (0x01, 0x12, 0, 3, 0, 0, 0, 1)

_DOWN = (1, 1, 1, -1, -1, 1, 1, -1, -1)  # by orientation; -1: the last row comes first
_RIGHT = (1, 1, -1, -1, 1, 1, -1, -1, 1)


def orientation_of(kind: tf.Tensor, image_bytes: tf.Tensor) -> tf.Tensor:
    r"""Reads the EXIF orientation of an image file.

    Args:
        kind: Index of the format in `formats.FORMATS`, int32 scalar.
        image_bytes: String scalar, the content of the file.

    Returns:
        int32 scalar: 1 upright, 2 mirrored, 3 upside down, 4 both; 5 to 8 the same with rows and columns exchanged.

    Example:

    >>> exif = b"Exif\0\0MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\6\0\0"
    >>> int(orientation_of(tf.constant(0), tf.constant(b"\xff\xd8\xff\xe1\0\x22" + exif)))
    6
    """
    exif = tf.switch_case(
        tf.minimum(kind, 2),
        [lambda: _exif_of_jpeg(image_bytes), lambda: _exif_of_png(image_bytes), lambda: tf.constant("")],
    )
    return tf.cond(tf.equal(exif, ""), lambda: tf.constant(1), lambda: _orientation_of_tiff(exif))


def is_turned(orientation: tf.Tensor) -> tf.Tensor:
    """Returns whether the stored rows are the columns of the upright image, bool scalar."""
    return orientation >= 5


def upright(image: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Turns and mirrors a stored image until it stands upright, as Pillow's `ImageOps.exif_transpose` does.

    Args:
        image: Tensor `(H, W, C)`.
        orientation: int32 scalar, 1 to 8.

    Returns:
        Tensor `(H, W, C)`, or `(W, H, C)` for an orientation of 5 to 8.

    Example:

    >>> upright(tf.constant([[[1], [2]], [[3], [4]]]), tf.constant(6))[..., 0].numpy().tolist()  # turned clockwise
    [[3, 1], [4, 2]]
    """
    axes = tf.where(is_turned(orientation), [1, 0, 2], [0, 1, 2])
    image = tf.transpose(image, axes)  # pyright: ignore[reportArgumentType]  its stubs know no perm that is a tensor
    return image[:: tf.gather(_DOWN, orientation), :: tf.gather(_RIGHT, orientation)]


def _exif_of_jpeg(image_bytes):
    """Returns the content of the first APP1 segment with EXIF data, string scalar; "" where there is none."""
    length = tf.strings.length(image_bytes)

    def look(place, _):
        """Reads one segment: 255 and its marker, 2 bytes for the length of the rest; the image data ends the search."""
        head = _bytes_at(image_bytes, place, 10)  # (10,)
        marker, size = head[1], 256 * head[2] + head[3]
        is_exif = tf.reduce_all(tf.gather(head, [1, 4, 5, 6, 7, 8, 9]) == [0xE1, *b"Exif\0\0"])
        after = tf.where(marker == 0xFF, place + 1, place + 2 + size)  # more bytes of 255 may precede a marker
        ended = (head[0] != 0xFF) | (marker == 0xDA) | (marker == 0xD9)
        exif = tf.cond(is_exif, lambda: _text_at(image_bytes, place + 10, size - 8), lambda: tf.constant(""))
        return tf.where(ended | is_exif, length, after), exif

    return tf.cond(_contains(image_bytes, "Exif"), lambda: _search(look, 2, length), lambda: tf.constant(""))


def _exif_of_png(image_bytes):
    """Returns the content of the first eXIf chunk, string scalar; "" where there is none."""
    length = tf.strings.length(image_bytes)

    def look(place, _):
        """Reads one chunk: 4 bytes for the length of its content, 4 for its name, the content, 4 for a checksum."""
        head = _bytes_at(image_bytes, place, 8)  # (8,)
        size = number(head, 0, 4, big_endian=True)
        is_exif = tf.reduce_all(head[4:] == list(b"eXIf"))
        ended = is_exif | (size < 0) | (size > length)
        exif = tf.cond(is_exif, lambda: _text_at(image_bytes, place + 8, size), lambda: tf.constant(""))
        return tf.where(ended, length, place + 12 + size), exif

    return tf.cond(_contains(image_bytes, "eXIf"), lambda: _search(look, 8, length), lambda: tf.constant(""))


def _contains(image_bytes, name):
    """Returns whether a file has a name anywhere, bool scalar. Most files lack it, and `_search` takes longer."""
    without = tf.strings.regex_replace(image_bytes, name, "", replace_global=False)
    return tf.strings.length(without) < tf.strings.length(image_bytes)


def _search(look, start, length):
    """Calls `look`, which returns the next place and the EXIF data, until that place is the end of the file."""
    _, exif = tf.while_loop(
        lambda place, _: place < length, look, (tf.constant(start), tf.constant("")), maximum_iterations=MAX_BLOCKS
    )
    return exif


def _orientation_of_tiff(exif):
    """Returns the orientation in the first directory of a TIFF file, int32 scalar; 1 where there is none."""
    magic = tf.strings.substr(exif, 0, 4)
    big_endian = tf.equal(magic, b"MM\0*")
    content = tf.cast(tf.io.decode_raw(exif, tf.uint8), tf.int32)

    def value(place, count):
        return tf.where(big_endian, number(content, place, count, big_endian=True), number(content, place, count))

    start = value(4, 4)
    known = (big_endian | tf.equal(magic, b"II*\0")) & (start >= 8) & (start < tf.size(content))
    start = tf.where(known, start + 2, tf.size(content))
    entries = content[start : start + _ENTRY_LENGTH * value(start - 2, 2)]
    entries = tf.reshape(entries[: tf.size(entries) // _ENTRY_LENGTH * _ENTRY_LENGTH], (-1, _ENTRY_LENGTH))
    wanted = tf.where(big_endian, _BIG_ENDIAN_ENTRY, _LITTLE_ENDIAN_ENTRY)
    is_orientation = tf.reduce_all(entries[:, :8] == wanted, axis=1)  # (N,)
    high, low = tf.where(big_endian, entries[:, 8], entries[:, 9]), tf.where(big_endian, entries[:, 9], entries[:, 8])
    orientation = tf.reduce_max(tf.where(is_orientation, 256 * high + low, 1))
    return tf.where((orientation >= 1) & (orientation <= 8), orientation, 1)


def _bytes_at(image_bytes, place, count):
    """Returns `count` bytes as int32 `(count,)`, zeros beyond the end of the file."""
    text = tf.strings.substr(image_bytes, place, count) + b"\0" * count
    return tf.cast(tf.io.decode_raw(text, tf.uint8)[:count], tf.int32)


def _text_at(image_bytes, place, count):
    """Returns at most `count` bytes as a string scalar, fewer at the end of the file."""
    return tf.strings.substr(image_bytes, tf.minimum(place, tf.strings.length(image_bytes)), tf.maximum(count, 0))
