"""Format and size of an image file, read from its head, and the decoders of the four formats, in the TensorFlow graph.

Every decoder takes `run`, which calls TensorFlow's own operation: `run_plainly`, or `run_or_empty`, which hands an
empty image back where the operation raises.
"""

from collections.abc import Callable

import tensorflow as tf

FORMATS = ("JPEG", "PNG", "GIF", "BMP")
MAX_PIXELS = 50_000_000
HEAD = 32  # bytes of a file that tell its format and, except for JPEG, its size
TAIL = 65536  # the end of an image lies in these last bytes: some cameras write notes of their own after it

_MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM")  # in the order of FORMATS
_END = (b"\xff\xd9", b"IEND", b";", b"")
_PNG_BIT_DEPTH = 24  # its place in the head
_PNG_COLOR_TYPE = 25  # its place in the head: 0 grey, 2 RGB, 3 palette (alpha by a chunk), 4 grey and alpha, 6 RGBA
_HEXADECIMAL = [f"{value:02x}" for value in range(256)]

Run = Callable[[Callable[[tf.Tensor], tf.Tensor], tf.Tensor, tf.Tensor], tf.Tensor]
RunHere = Callable[..., tf.Tensor]  # a `Run` that knows its file: called with an operation, and an empty image or none


def run_plainly(operation: Callable[[tf.Tensor], tf.Tensor], image_bytes: tf.Tensor, empty: tf.Tensor) -> tf.Tensor:
    """Calls `operation(image_bytes)`, whose errors stop the whole graph; `empty` is not used."""
    return operation(image_bytes)


def run_or_empty(operation: Callable[[tf.Tensor], tf.Tensor], image_bytes: tf.Tensor, empty: tf.Tensor) -> tf.Tensor:
    """Calls `operation(image_bytes)`, and returns `empty` where it raises.

    Of TensorFlow's graph operations only datasets continue after an error. A dataset of one element costs some tenths
    of a millisecond as long as its function is one operation; with the whole of `decode_image` in it, it costs 200 ms.
    """
    options = tf.data.Options()
    options.experimental_optimization.apply_default_optimizations = False  # they take longer than the one operation
    options.autotune.enabled = False
    decoded = tf.data.Dataset.from_tensors(image_bytes).map(operation).ignore_errors()
    either = decoded.concatenate(tf.data.Dataset.from_tensors(empty)).take(1)
    return either.with_options(options).get_single_element()


def head_of(image_bytes: tf.Tensor) -> tf.Tensor:
    """Returns the first HEAD bytes as uint8 `(HEAD,)`, zeros where the file is shorter."""
    return tf.io.decode_raw(tf.strings.substr(image_bytes, 0, HEAD) + b"\0" * HEAD, tf.uint8)[:HEAD]


def format_of(head: tf.Tensor) -> tf.Tensor:
    """Returns the index of the format in FORMATS, int32 scalar; 4 if it is none of them."""
    known = [tf.reduce_all(head[: len(magic)] == list(magic)) for magic in _MAGIC]
    return tf.argmax(tf.stack([*known, True]), output_type=tf.int32)


def error_of_format(kind: tf.Tensor, head: tf.Tensor, image_bytes: tf.Tensor) -> tf.Tensor:
    """Checks the first and last bytes of a file; the decoders detect all other damage.

    Returns:
        String scalar: why the file cannot be decoded, or "".
    """
    length = tf.strings.length(image_bytes)
    size = tf.strings.as_string(length)
    begin = tf.strings.reduce_join(tf.gather(_HEXADECIMAL, tf.cast(head[:4], tf.int32)), separator=" ")
    unknown = tf.strings.join(
        ["image_bytes: expected a JPEG, PNG, GIF or BMP image, received ", size, " bytes that begin with ", begin]
    )
    name = tf.gather((*FORMATS, "known"), kind)
    cut_off = tf.strings.join(
        ["image_bytes: expected a whole ", name, " image, received one that is cut off after ", size, " bytes"]
    )
    bits = number(head, 28, 2)
    depth = tf.strings.join(
        ["image_bytes: expected a BMP of 8, 24 or 32 bits a pixel, received ", tf.strings.as_string(bits)]
    )
    tail = tf.strings.substr(image_bytes, tf.maximum(length - TAIL, 0), TAIL)
    ended = tf.stack([*(tf.size(tf.strings.split(tail, end)) > 1 for end in _END[:3]), True, True])
    return tf.case(
        [
            (kind == len(FORMATS), lambda: unknown),
            (~tf.gather(ended, kind), lambda: cut_off),
            ((kind == 3) & (bits != 8) & (bits != 24) & (bits != 32), lambda: depth),
        ],
        default=lambda: tf.constant(""),
    )


def error_of_size(rows: tf.Tensor, columns: tf.Tensor) -> tf.Tensor:
    """Returns why an image of this size is not decoded, string scalar, or ""."""
    pixels = tf.cast(rows, tf.int64) * tf.cast(columns, tf.int64)
    message = tf.strings.join(
        [f"image_bytes: expected an image of 1 to {MAX_PIXELS:,} pixels, received ",
         tf.strings.as_string(columns), " x ", tf.strings.as_string(rows)]
    )  # fmt: skip
    return tf.where((rows > 0) & (columns > 0) & (pixels <= MAX_PIXELS), "", message)


def error_of_damage(kind: tf.Tensor, image_bytes: tf.Tensor) -> tf.Tensor:
    """Returns the error of a file that the decoder refuses, string scalar."""
    length = tf.strings.as_string(tf.strings.length(image_bytes))
    return tf.strings.join(
        ["image_bytes: expected a whole ", tf.gather(FORMATS, kind), " image, received a damaged one of ", length,
         " bytes"]
    )  # fmt: skip


def size_of(kind: tf.Tensor, head: tf.Tensor, image_bytes: tf.Tensor, run: Run) -> tf.Tensor:
    """Reads `(rows, columns)` from the head of a file.

    Returns:
        int32 `(2,)`; zeros for a JPEG whose head `run_or_empty` cannot read.
    """
    none = tf.zeros([3], tf.int32)
    return tf.switch_case(
        kind,
        [
            lambda: run(tf.image.extract_jpeg_shape, image_bytes, none)[:2],
            lambda: tf.stack([number(head, 20, 4, big_endian=True), number(head, 16, 4, big_endian=True)]),
            lambda: largest_gif_frame(image_bytes, number(head, 8, 2), number(head, 6, 2)),
            # A negative number of rows means that they go from the top down.
            lambda: tf.stack([tf.abs(number(head, 22, 4)), number(head, 18, 4)]),
        ],
    )


def decode(kind: tf.Tensor, head: tf.Tensor, image_bytes: tf.Tensor, shrink: tf.Tensor, run: Run) -> tf.Tensor:
    """Decodes to uint8 `(rows, columns, 3)`; a JPEG is reduced as far as `shrink` allows."""
    empty = tf.zeros([0, 0, 3], tf.uint8)

    def decode_gif(one):
        return tf.io.decode_image(one, expand_animations=False)

    image = tf.switch_case(
        kind,
        [
            lambda: decode_jpeg(image_bytes, shrink, lambda operation: run(operation, image_bytes, empty)),
            lambda: decode_png(head, lambda operation, none=empty: run(operation, image_bytes, none)),
            lambda: in_color(run(decode_gif, image_bytes, empty)),
            lambda: decode_bmp(image_bytes, head, lambda operation: run(operation, image_bytes, empty)),
        ],
    )
    image.set_shape((None, None, 3))
    return image


def number(content: tf.Tensor, place: int | tf.Tensor, count: int, big_endian: bool = False) -> tf.Tensor:
    """Returns a number of `count` bytes as int32 scalar; bytes beyond the end of a file count as 0."""
    values = tf.cast(content[place : place + count], tf.int32)
    shifts = tf.constant([8 * (count - 1 - i if big_endian else i) for i in range(count)])
    return tf.reduce_sum(tf.bitwise.left_shift(values, shifts[: tf.size(values)]))


def largest_gif_frame(image_bytes: tf.Tensor, rows: tf.Tensor, columns: tf.Tensor) -> tf.Tensor:
    """Returns `(rows, columns)` of the largest frame of a GIF, or of its screen, int32 `(2,)`.

    The decoder allocates memory for every frame, whatever the size of the screen.
    """
    content = tf.io.decode_raw(image_bytes, tf.uint8)
    length = tf.size(content)

    def colors(flags):  # bytes of a table of colors, where the flags say that there is one
        return tf.where(flags >= 128, 3 * tf.bitwise.left_shift(2, flags % 8), 0)

    def block(place, in_data, rows, columns):
        """One step: a sub-block of data, whose first byte is its length, or the head of a block."""
        kind = number(content, place, 1)
        frame = tf.logical_and(~in_data, kind == 0x2C)
        known = in_data | frame | (kind == 0x21)
        after_head = tf.where(frame, place + 11 + colors(number(content, place + 9, 1)), place + 2)
        after = tf.where(in_data, place + 1 + kind, tf.where(known, after_head, length))
        wide, high = number(content, place + 5, 2), number(content, place + 7, 2)
        larger = frame & (
            tf.cast(wide, tf.int64) * tf.cast(high, tf.int64) > tf.cast(rows, tf.int64) * tf.cast(columns, tf.int64)
        )
        return after, tf.where(in_data, kind != 0, True), tf.where(larger, high, rows), tf.where(larger, wide, columns)

    start = 13 + colors(number(content, 10, 1))
    _, _, rows, columns = tf.while_loop(
        lambda place, *_: place < length, block, (start, tf.constant(False), rows, columns)
    )
    return tf.stack([rows, columns])


def decode_jpeg(image_bytes: tf.Tensor, shrink: tf.Tensor, run: RunHere) -> tf.Tensor:
    """Decodes at 1, 1/2, 1/4 or 1/8 of the size, the smallest that is not below `1 / shrink`."""
    ratios = (1, 2, 4, 8)
    index = tf.reduce_sum(tf.cast(shrink >= ratios[1:], tf.int32))

    def reduced(ratio):
        return run(lambda one: tf.io.decode_jpeg(one, 3, ratio, dct_method="INTEGER_ACCURATE"))

    return tf.switch_case(index, [lambda ratio=ratio: reduced(ratio) for ratio in ratios])


def decode_png(head: tf.Tensor, run: RunHere) -> tf.Tensor:
    """Decodes to 8 bits a channel, over white where there can be alpha."""

    def over_white():
        image = run(lambda one: tf.io.decode_png(one, 4), tf.zeros([0, 0, 4], tf.uint8))
        color, alpha = tf.cast(image[:, :, :3], tf.uint16), tf.cast(image[:, :, 3:], tf.uint16)
        # Of palettes of 1, 2 or 4 bits the decoder fills alpha up with 1, 3 or 15, where the file has none.
        opaque = tf.cast(tf.pow(2, tf.cast(head[_PNG_BIT_DEPTH], tf.int32)) - 1, tf.uint16)
        alpha = tf.where((opaque < 255) & (tf.reduce_max(alpha) <= opaque), alpha * (255 // opaque), alpha)
        # At most 255 * 255 + 127: a large image takes two bytes a channel, not four.
        return tf.cast((color * alpha + 255 * (255 - alpha) + 127) // 255, tf.uint8)

    has_alpha = tf.reduce_any(head[_PNG_COLOR_TYPE] == tf.constant([3, 4, 6], tf.uint8))
    return tf.cond(has_alpha, over_white, lambda: run(lambda one: tf.io.decode_png(one, 3)))


def decode_bmp(image_bytes: tf.Tensor, head: tf.Tensor, run: RunHere) -> tf.Tensor:
    """Decodes 24 bits, 32, or 8 with a palette, whose colors TensorFlow's decoder does not look up."""
    image = run(tf.io.decode_bmp)

    def of_palette():
        start = tf.io.decode_raw(tf.strings.substr(image_bytes, 46, 2) + b"\0\0", tf.uint8)
        header, colors = number(head, 14, 2), number(start, 0, 2)
        colors = tf.where(colors == 0, 256, tf.minimum(colors, 256))
        place = tf.minimum(14 + header, tf.strings.length(image_bytes))
        # A palette that is cut off ends in black: the decoder has to refuse the file, not this arithmetic.
        entries = tf.strings.substr(tf.strings.substr(image_bytes, place, 4 * colors) + b"\0" * 1024, 0, 4 * colors)
        palette = tf.reshape(tf.io.decode_raw(entries, tf.uint8), (-1, 4))[:, 2::-1]  # from blue, green, red, nothing
        return tf.gather(palette, tf.minimum(tf.cast(image[:, :, 0], tf.int32), tf.shape(palette)[0] - 1))

    return tf.cond(number(head, 28, 2) == 8, of_palette, lambda: in_color(image))


def in_color(image: tf.Tensor) -> tf.Tensor:
    """Turns `(H, W, 1 or 3 or 4)` into `(H, W, 3)`; a fourth channel of a BMP is padding."""
    image = image[:, :, :3]
    return tf.broadcast_to(image, tf.concat([tf.shape(image)[:2], [3]], axis=0))
