"""Resizes images as Pillow does, in the TensorFlow graph.

Pillow resizes along the rows, rounds to 8 bits, and then resizes along the columns. From release 13 on it resizes along
the columns first if that makes the image smaller and the other does not. So does `resample`, which computes only the
part of the result that is kept.
"""

import tensorflow as tf

KERNELS = {1: "lanczos3", 2: "triangle", 3: "keyscubic"}
"""Pillow's numbers of `LANCZOS`, `BILINEAR` and `BICUBIC`, and TensorFlow's names of the same kernels."""


LONGEST = 2**20
"""Rows or columns with which the kernel's float32 arithmetic is safe: it raises for images with 16 times as many."""


def resample(
    image: tf.Tensor, size: tf.Tensor | tuple[int, int], crop: tuple[int, int], kernel: str = "triangle"
) -> tf.Tensor:
    """Resizes an image, with antialiasing, and cuts out the centre.

    The values are those of `resize` in Pillow 13, up to rounding: some differ by 1 of 255. An image that is enlarged
    along the rows and reduced along the columns is resized along the columns first, so that no image in between is
    larger than both the image and the result. Earlier releases of Pillow give other values for such an image: up to 17
    of 255 on noise. Of an image with more than `LONGEST` rows or columns only every second or third one and so on is
    read.

    Args:
        image: uint8 Tensor `(H, W, 3)`.
        size: int32 Tensor or pair: `(height, width)` that the whole image is brought to.
        crop: `(height, width)` of the part that is kept, at most `size`. If an odd number of rows or columns is cut
            off, the second half is the larger one.
        kernel: One of the values of `KERNELS`. Defaults to "triangle", bilinear.

    Returns:
        uint8 Tensor `(*crop, 3)`.

    Example:

    >>> image = tf.constant([[[0, 0, 0], [200, 100, 0]]], tf.uint8)
    >>> resample(image, (1, 4), (1, 4))[0, :, 0].numpy().tolist()
    [0, 50, 150, 200]
    >>> resample(image, (1, 4), (1, 2))[0, :, 0].numpy().tolist()
    [50, 150]
    """
    size = tf.convert_to_tensor(size, tf.int32)
    first = (size - crop) // 2
    rows, columns = tf.shape(image)[0], tf.shape(image)[1]
    image = image[:: 1 + (rows - 1) // LONGEST, :: 1 + (columns - 1) // LONGEST]
    rows, columns = tf.shape(image)[0], tf.shape(image)[1]

    def along_rows(image):  # the kernel needs the least memory along the first axis
        turned = tf.transpose(image, (1, 0, 2))
        return tf.transpose(_along_columns(turned, size[1], first[1], crop[1], kernel), (1, 0, 2))

    def along_columns(image):
        return _along_columns(image, size[0], first[0], crop[0], kernel)

    in_order = (crop[1] <= columns) | (crop[0] >= rows)
    resized = tf.cond(in_order, lambda: along_columns(along_rows(image)), lambda: along_rows(along_columns(image)))
    return tf.ensure_shape(resized, (*crop, 3))


def _along_columns(image, length, first, count, kernel):
    """Resizes `(H, W, 3)` to a length of its columns, of which it returns `count` pixels from `first` on."""
    rows, width = tf.shape(image)[0], tf.shape(image)[1]
    scale = tf.cast(length, tf.float32) / tf.cast(rows, tf.float32)
    resized = tf.raw_ops.ScaleAndTranslate(
        images=image[None],
        size=tf.stack([count, width]),
        scale=tf.stack([scale, 1.0]),
        translation=tf.stack([-tf.cast(first, tf.float32), 0.0]),
        kernel_type=kernel,
        antialias=True,
    )[0]
    # Pillow rounds halves up.
    return tf.saturate_cast(tf.floor(resized + 0.5), tf.uint8)
