"""Counts the batches and the padding of an epoch before training starts."""

from dataclasses import dataclass

import tensorflow as tf

from attention_zoo.pipelines.engine.text.batching import padding_share


@dataclass(frozen=True)
class Survey:
    """The size of an epoch.

    Args:
        batches: Number of batches.
        tokens: Number of tokens; None where rows do not differ in length or are not counted.
        padding_share: Share of padding, in [0, 1]; None where it is not known.
    """

    batches: int
    tokens: int | None = None
    padding_share: float | None = None


def survey(dataset: tf.data.Dataset) -> Survey:
    """Counts the batches of an epoch and the share of padding in them.

    A dataset with a known cardinality is not read: its padding is 0 if all its rows have one shape, else unknown.

    Args:
        dataset: `tf.data.Dataset` of batches.

    Returns:
        A `Survey`.

    Example:

    >>> survey(tf.data.Dataset.range(10).batch(4))
    Survey(batches=3, tokens=None, padding_share=0.0)
    """
    count = int(dataset.cardinality())
    if count >= 0:
        specs = tf.nest.flatten(dataset.element_spec)
        one_shape = all(None not in spec.shape[1:] for spec in specs)
        return Survey(count, padding_share=0.0 if one_shape else None)
    report = padding_share(dataset)
    return Survey(report["batches"], report["tokens"], report["padding_share"])
