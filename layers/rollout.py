"""Attention through all layers of an encoder (Abnar & Zuidema 2020, "Quantifying Attention Flow in Transformers")."""

from keras import ops


def residual_attention(weights):
    """0.5 A + 0.5 I: the mean over the heads of a layer, A, and its residual connection (section 3).

    Args:
        weights: `(B, H, T, T)`, rows that sum to 1.

    Returns:
        `(B, T, T)`, rows that sum to 1.

    Example:

    >>> from keras import ops
    >>> from attention_zoo.layers.rollout import residual_attention
    >>> residual_attention(ops.array([[[[0.0, 1.0], [0.0, 1.0]]]])).numpy().tolist()
    [[[0.5, 0.5], [0.0, 1.0]]]
    """
    return 0.5 * ops.mean(weights, axis=1) + 0.5 * ops.eye(weights.shape[-1], dtype=weights.dtype)


def attention_rollout(scores):
    """The share of each input token in each output token of an encoder (section 3, "Attention rollout").

    The product of `residual_attention` over the layers, with the last one on the left.

    Args:
        scores: Weights of the layers, from the first to the last, each `(B, H, T, T)` with rows that sum to 1: the
            values of what `record_attention` gives, for example.

    Returns:
        `(B, T, T)`, rows that sum to 1.

    Raises:
        ValueError: If there are no layers.

    Example:

    >>> import keras
    >>> from attention_zoo.layers import attention_rollout
    >>> layer = keras.ops.array([[[[0.0, 1.0], [0.0, 1.0]]]])
    >>> attention_rollout([layer, layer]).numpy().tolist()
    [[[0.25, 0.75], [0.0, 1.0]]]
    """
    rollout = None
    for weights in scores:
        mixed = residual_attention(weights)
        rollout = mixed if rollout is None else ops.matmul(mixed, rollout)
    if rollout is None:
        raise ValueError("`scores` must hold the weights of at least one layer. Received: none")
    return rollout
