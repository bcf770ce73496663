"""Datasets whose iterators begin and end at once."""

from typing import Any

import tensorflow as tf


def untuned(dataset: tf.data.Dataset) -> Any:
    """Returns the dataset without the thread that tunes its parallelism, and without the rewriting of its graph.

    `tf.data.AUTOTUNE` means a thread a core then. The tuner sleeps between two looks, each time twice as long as
    before, up to a minute. TensorFlow 2.21 cancels an iterator by waking the tuner before it marks the iterator as
    cancelled. A tuner that wakes in between goes back to sleep, and the end of the iterator waits for it: up to as long
    as the iteration took, without using a core.

    The rewriting would add parallel maps and prefetching, which our datasets name themselves. For each iterator, and so
    for each epoch, it takes half a second where a function of the graph decodes images.

    Args:
        dataset: A `tf.data.Dataset`. The setting also holds for datasets that are made of the returned one.

    Example:

    >>> untuned(tf.data.Dataset.range(3)).options().autotune.enabled
    False
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    options.experimental_optimization.apply_default_optimizations = False
    return dataset.with_options(options)
