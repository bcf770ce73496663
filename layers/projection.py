"""The product of features with a matrix, over any number of leading axes."""

from keras import ops


def project(inputs, kernel):
    """`inputs @ kernel` over the last axis: (..., D), (D, U) -> (..., U).

    `keras.ops.matmul` does the same, but on TensorFlow as a tensordot, whose gradient inside a loop does not compile under XLA
    when the lengths are open; an einsum's does, and takes a third more time in a decoder's step.

    The kernel is cast to the dtype of the inputs: a decoder calls parts of layers without passing through `__call__`, where
    Keras would have cast their weights.

    Args:
        inputs: (..., D).
        kernel: (D, U).

    Returns:
        (..., U).

    Example:

    >>> import keras
    >>> from attention_zoo.layers.projection import project
    >>> project(keras.ops.ones((2, 3, 4)), keras.ops.ones((4, 5))).shape
    TensorShape([2, 3, 5])
    """
    rows = ops.reshape(inputs, (-1, inputs.shape[-1]))
    return ops.reshape(ops.matmul(rows, ops.cast(kernel, inputs.dtype)), (*ops.shape(inputs)[:-1], kernel.shape[-1]))
