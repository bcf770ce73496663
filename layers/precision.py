"""float16, whose greatest number is 65,504: less than the product of two vectors may be."""

import keras
from keras import ops

FLOAT16_MAX = 65504.0


def is_float16(x):
    """Whether a tensor is float16.

    Example:

    >>> import keras
    >>> from attention_zoo.layers.precision import is_float16
    >>> is_float16(keras.ops.ones((2,), "float16")), is_float16(keras.ops.ones((2,), "bfloat16"))
    (True, False)
    """
    return keras.backend.standardize_dtype(x.dtype) == "float16"


def widen(x):
    """Casts float16 to float32, in which products of float16 numbers are exact and do not overflow.

    Other dtypes stay as they are: bfloat16 has the range of float32.

    Example:

    >>> import keras
    >>> from attention_zoo.layers.precision import widen
    >>> widen(keras.ops.ones((2,), "float16")).dtype, widen(keras.ops.ones((2,), "bfloat16")).dtype
    (tf.float32, tf.bfloat16)
    """
    return ops.cast(x, "float32") if is_float16(x) else x
