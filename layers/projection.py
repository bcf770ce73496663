"""The product of features with a matrix, over any number of leading axes."""

from keras import ops


def project(inputs, kernel):
    """`inputs @ kernel` over the last axis: (..., D), (D, U) -> (..., U).

    `keras.ops.matmul` does the same, but on TensorFlow as a tensordot, whose gradient inside a loop does not compile under XLA
    when the lengths are open; an einsum's does, and takes a third more time in a decoder's step.

    Args:
        inputs: (..., D).
        kernel: (D, U), of the same dtype.

    Returns:
        (..., U).

    Example:

    >>> import keras
    >>> from attention_zoo.layers.projection import project
    >>> project(keras.ops.ones((2, 3, 4)), keras.ops.ones((4, 5))).shape
    TensorShape([2, 3, 5])
    """
    rows = ops.reshape(inputs, (-1, inputs.shape[-1]))
    return ops.reshape(ops.matmul(rows, kernel), (*ops.shape(inputs)[:-1], kernel.shape[-1]))
