"""Random orders in which XLNet predicts the tokens of a row, and the tokens that it predicts (Yang et al. 2019).

Shapes: B rows, T tokens, P targets, C contexts.
"""

import tensorflow as tf


def permutation_masks(
    mask: tf.Tensor,
    seed: tf.Tensor | tuple[int, int],
    predictable: tf.Tensor | None = None,
    context: int = 6,
    max_span: int = 5,
) -> dict[str, tf.Tensor]:
    """Samples spans of tokens to predict, and the order in which they are predicted.

    A row is cut into contexts. Each has a span of L tokens, whose length from 1 to `max_span` is drawn with a
    probability proportional to 1 / L, somewhere within `context` L tokens, so that about one token of `context` is a
    target (partial prediction, section 2.3; spans as in the authors' code). Targets come last in the order: a target
    sees all other tokens and the targets before it. The other tokens, which are not predicted, see one another.

    Args:
        mask: Bool `(B, T)`, True for tokens, False for padding.
        seed: Two integers. The same seed gives the same samples.
        predictable: Bool `(B, T)`, True for tokens that may become targets, such as those that are not special.
            Defaults to `mask`.
        context: K, tokens for each target. Defaults to 6, the paper's.
        max_span: Length of the longest span. Defaults to 5, the paper's.

    Returns:
        A dict: "permutation_mask", bool `(B, T, T)`, True where a token may attend; "targets", int32 `(B, P)`, their
        positions in ascending order, P being T / K rounded up; "weights", float32 `(B, P)`, 1 for a target and 0 for a
        place that is left over, whose position is no target.

    Example:

    >>> found = permutation_masks(tf.ones([2, 12], tf.bool), seed=(1, 0))
    >>> {name: tuple(value.shape) for name, value in found.items()}
    {'permutation_mask': (2, 12, 12), 'targets': (2, 2), 'weights': (2, 2)}
    """
    mask = tf.cast(mask, tf.bool)
    predictable = mask if predictable is None else mask & tf.cast(predictable, tf.bool)
    sizes = tf.shape(mask)
    count = _contexts(sizes[1], context)
    seeds = tf.unstack(tf.random.split(seed, 2))
    targets = span_tokens(sizes, seeds[0], context, max_span) & predictable
    targets &= tf.cumsum(tf.cast(targets, tf.int32), axis=1) <= count  # (B, T)
    order = tf.random.stateless_uniform(sizes, seeds[1])
    earlier = order[:, None, :] < order[:, :, None]  # (B, T, T): whether token j comes before token i
    seen = ~targets[:, None, :] | (targets[:, :, None] & earlier)
    # A stable sort puts the targets first, in the order of the text.
    places = tf.argsort(tf.cast(~targets, tf.int32), axis=1, stable=True)[:, :count]
    weights = tf.cast(tf.gather(targets, places, batch_dims=1), tf.float32)
    return {"permutation_mask": seen & mask[:, None, :], "targets": places, "weights": weights}


def span_tokens(sizes: tf.Tensor, seed: tf.Tensor, context: int = 6, max_span: int = 5) -> tf.Tensor:
    """Returns which tokens lie in one of the random spans of `permutation_masks`, bool `(B, T)`.

    Args:
        sizes: B and T.
        seed: Two integers.
        context: As of `permutation_masks`.
        max_span: As of `permutation_masks`.

    Example:

    >>> span_tokens(tf.constant([2, 12]), tf.constant([1, 0])).shape
    TensorShape([2, 12])
    """
    seeds = tf.unstack(tf.random.split(seed, 2))
    count = _contexts(sizes[1], context)  # if all spans are of length 1
    log_odds = -tf.math.log(tf.range(1.0, max_span + 1))
    log_odds = tf.broadcast_to(log_odds, tf.stack([sizes[0], max_span]))
    spans = 1 + tf.random.stateless_categorical(log_odds, count, seeds[0], tf.int32)  # (B, C)
    ends = tf.cumsum(context * spans, axis=1)  # (B, C), of the contexts
    room = tf.cast((context - 1) * spans + 1, tf.float32)  # how many places a span may begin at
    shift = tf.cast(tf.random.stateless_uniform(tf.stack([sizes[0], count]), seeds[1]) * room, tf.int32)
    starts = (ends - context * spans + shift)[:, :, None]  # (B, C, 1)
    places = tf.range(sizes[1])
    return tf.reduce_any((places >= starts) & (places < starts + spans[:, :, None]), axis=1)


def _contexts(length: tf.Tensor, context: int) -> tf.Tensor:
    return (length + context - 1) // context
