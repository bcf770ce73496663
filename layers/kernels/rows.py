"""Reads single rows of a large weight, so that a training step costs the rows and not the whole weight."""

import keras
from keras import ops


def gather_rows(table, indices):
    """Returns rows of a weight.

    On TensorFlow the gradient is a `tf.IndexedSlices`, and the forward pass reads the rows alone. `ops.take` reads the
    weight first, and after an update of single rows TensorFlow copies all of a weight that is read.

    Args:
        table: A Keras variable `(V, D)` that was made with `autocast=False`.
        indices: Integers from 0 to V - 1, of any shape.

    Returns:
        Tensor of the shape of `indices` and D.
    """
    if keras.backend.backend() != "tensorflow":
        return ops.take(table, indices, axis=0)
    import tensorflow as tf

    return tf.gather(table.value, indices)
