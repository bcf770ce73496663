"""Random changes of images by Keras's layers, in the input pipeline, as a pure function of a seed.

Keras's layers count their random draws in a variable. A pipeline works on several batches at a time, and a resumed run
begins it in the middle of an epoch, so a batch would meet another count in each run. Here every batch has its own seed.
"""

from collections.abc import Mapping, Sequence

import keras
import tensorflow as tf


class BatchSeeds(keras.random.SeedGenerator):
    """Seeds for the draws of one batch, without a variable.

    Args:
        seed: Integer Tensor `(2,)`.
    """

    def __init__(self, seed: tf.Tensor):
        self.base, self.drawn = seed, 0

    def next(self, ordered: bool = True) -> tf.Tensor:
        """Returns another seed at each call, uint32 `(2,)`."""
        self.drawn += 1
        return tf.cast(tf.random.experimental.stateless_fold_in(self.base, self.drawn), tf.uint32)


def augment(
    layers: Sequence[keras.layers.Layer], data: Mapping[str, tf.Tensor], seed: tf.Tensor
) -> dict[str, tf.Tensor]:
    """Applies Keras's image layers in turn, with random numbers that depend only on `seed`.

    Args:
        layers: Preprocessing layers, such as `keras.layers.RandomRotation` and `keras.layers.MixUp`.
        data: Dict of "images", floats `(B, H, W, C)`, and "labels", floats `(B, K)`.
        seed: Integer Tensor `(2,)`. Equal seeds give equal images.

    Returns:
        Dict with the keys of `data`.

    Example:

    >>> data = {"images": tf.random.uniform((2, 8, 8, 3)), "labels": tf.eye(2)}
    >>> layers = [keras.layers.RandomTranslation(0.3, 0.3)]
    >>> first, again, other = (augment(layers, data, tf.constant([1, i]))["images"] for i in (5, 5, 6))
    >>> bool(tf.reduce_all(first == again)), bool(tf.reduce_all(first == other))
    (True, False)
    """
    seeds = BatchSeeds(seed)
    augmented = dict(data)
    for layer in layers:
        # Not by `setattr`: Keras would track the seeds, and keep tensors of this graph.
        vars(layer)["generator"] = seeds  # pyright: ignore[reportIndexIssue]  it is a dict for layers
        augmented = layer(dict(augmented), training=True)
    return augmented


def either(
    first: Sequence[keras.layers.Layer],
    second: Sequence[keras.layers.Layer],
    data: Mapping[str, tf.Tensor],
    seed: tf.Tensor,
) -> dict[str, tf.Tensor]:
    """Applies one list of layers or another, each for half of the seeds.

    Args:
        first: Layers as in `augment`.
        second: The other layers.
        data: As in `augment`.
        seed: As in `augment`; it chooses the list, too.

    Returns:
        Dict with the keys of `data`.
    """
    choice = tf.random.stateless_uniform([], tf.random.experimental.stateless_fold_in(seed, 0)) < 0.5
    return tf.cond(choice, lambda: augment(first, data, seed), lambda: augment(second, data, seed))
