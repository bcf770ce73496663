"""Random changes of images by Keras's layers, in the input pipeline, as a pure function of a seed.

Keras's layers count their random draws in a variable. In a pipeline that works on several batches at a time, and that
begins in
the middle of an epoch when a run is resumed, each batch would then meet another count. Here a batch has a seed of its
own.
"""

import keras
import tensorflow as tf


class BatchSeeds(keras.random.SeedGenerator):
    """Seeds for the draws of one batch, without a variable.

    Args:
        seed: Integer Tensor `(2,)`.
    """

    def __init__(self, seed):
        self.base, self.drawn = seed, 0

    def next(self, ordered=True):
        self.drawn += 1
        return tf.cast(tf.random.experimental.stateless_fold_in(self.base, self.drawn), tf.uint32)


def augment(layers, data, seed):
    """Applies Keras's image layers in turn, drawing from `seed` alone.

    Args:
        layers: Preprocessing layers, such as `keras.layers.RandomRotation` and `keras.layers.MixUp`.
        data: Dict of "images", floats `(B, H, W, C)`, and "labels", floats `(B, K)`.
        seed: Integer Tensor `(2,)`: the same one gives the same images.

    Returns:
        A dict as `data`.

    Example:

    >>> data = {"images": tf.random.uniform((2, 8, 8, 3)), "labels": tf.eye(2)}
    >>> layers = [keras.layers.RandomTranslation(0.3, 0.3)]
    >>> first, second = (augment(layers, data, tf.constant([1, number]))["images"] for number in (5, 6))
    >>> bool(tf.reduce_all(first == augment(layers, data, tf.constant([1, 5]))["images"])), bool(tf.reduce_all(first == second))
    (True, False)
    """
    seeds = BatchSeeds(seed)
    for layer in layers:
        vars(layer)["generator"] = seeds  # past Keras's tracking, which would keep what belongs to this graph
        data = layer(dict(data), training=True)
    return data


def either(first, second, data, seed):
    """Applies one list of layers or another, each for half of the seeds; `augment` says the rest."""
    choice = tf.random.stateless_uniform([], tf.random.experimental.stateless_fold_in(seed, 0)) < 0.5
    return tf.cond(choice, lambda: augment(first, data, seed), lambda: augment(second, data, seed))
