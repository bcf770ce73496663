"""Deletion: whether leaving out what a model attended to most changes its answer more than leaving out anything else.

Both are left out of the same document, so that the difference is paired. A document of one part has nothing to compare,
and is not counted.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from attention_zoo.pipelines.engine.scores.intervals import mean_interval


def deletion_masks(weights: tf.Tensor, mask: tf.Tensor, chance: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns which parts stay when the heaviest one is left out, and when another one that is drawn at random is.

    Args:
        weights: float32 `(B, N)`.
        mask: bool `(B, N)`: the parts of each row.
        chance: float32 `(B,)` from 0 to 1, below 1: which of the other parts is drawn.

    Returns:
        Two bool Tensors `(B, N)`. With one part or none, the second is `mask`.

    Example:

    >>> weights, mask = tf.constant([[0.1, 0.7, 0.2, 0.0]]), tf.constant([[True, True, True, False]])
    >>> [kept.numpy().tolist() for kept in deletion_masks(weights, mask, tf.constant([0.9]))]
    [[[True, False, True, False]], [[True, True, False, False]]]
    """
    count = tf.shape(weights)[1]
    heaviest = tf.argmax(tf.where(mask, weights, -1.0), axis=1, output_type=tf.int32)  # (B,)
    is_heaviest = tf.one_hot(heaviest, count, on_value=True, off_value=False)
    others = mask & ~is_heaviest
    number = tf.cast(chance * tf.reduce_sum(tf.cast(others, tf.float32), axis=1), tf.int32)  # (B,)
    place = tf.cumsum(tf.cast(others, tf.int32), axis=1) - 1
    drawn = others & (place == number[:, None])
    return mask & ~is_heaviest, mask & ~drawn


def deletion_scores(
    without_heaviest: Sequence[float] | np.ndarray, without_random: Sequence[float] | np.ndarray
) -> dict[str, float]:
    """Scores the attention of N documents by what is left of the probability of the true class.

    Args:
        without_heaviest: The probabilities without the heaviest part.
        without_random: The probabilities without a random other part.

    Returns:
        A dict: "deletion_gap", the mean by how many percent points the probability is lower without the heaviest part
        than without the random one, and its 95% interval, "deletion_gap_low" and "deletion_gap_high" (paired
        bootstrap). Without any document an empty dict.

    Example:

    >>> {name: round(value, 1) for name, value in deletion_scores([0.5, 0.7], [0.9, 0.9]).items()}
    {'deletion_gap': 30.0, 'deletion_gap_low': 20.0, 'deletion_gap_high': 40.0}
    """
    gaps = 100.0 * (np.asarray(without_random, "float64") - np.asarray(without_heaviest, "float64"))
    if not len(gaps):
        return {}
    low, high = mean_interval(gaps)
    return {"deletion_gap": float(gaps.mean()), "deletion_gap_low": low, "deletion_gap_high": high}
