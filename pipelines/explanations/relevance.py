"""Relevance of tokens from attention and its gradients (Chefer, Gur & Wolf 2021).

"Generic Attention-model Explainability for Interpreting Bi-Modal and Encoder-Decoder Transformers". Pure functions on
arrays; `gradients.attention_relevance` takes them from a model.

Shapes: B batch, H heads, T queries or target tokens, S keys or source tokens.
"""

from collections.abc import Sequence

import numpy as np

Layer = tuple[np.ndarray, np.ndarray]  # weights and gradients, (B, H, T, S) each


def weighted_attention(weights: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    """Returns the mean over the heads of what speaks for the answer, (∇A ⊙ A)⁺ (eq. 5).

    Args:
        weights: A, `(B, H, T, S)`.
        gradients: ∇A, those of the answer with respect to `weights`, `(B, H, T, S)`.

    Returns:
        `(B, T, S)`, not negative.

    Example:

    >>> weighted_attention(np.array([[[[0.5, 0.5]]]]), np.array([[[[2.0, -2.0]]]])).tolist()
    [[[1.0, 0.0]]]
    """
    return np.maximum(np.asarray(gradients) * np.asarray(weights), 0.0).mean(axis=1)


def self_attention_relevance(layers: Sequence[Layer]) -> np.ndarray:
    """Returns the relevance of each input token for each output token of an encoder (section 3.1).

    R = I, then R = R + Ā R in each layer (eq. 6), with Ā from `weighted_attention`. For a classifier that reads the
    first token, the explanation is row 0.

    Args:
        layers: Pairs (weights, gradients) of the layers, from the first to the last, each array `(B, H, T, T)`.

    Returns:
        `(B, T, T)`, not negative.

    Example:

    >>> weights, gradients = np.full((1, 1, 2, 2), 0.5), np.array([[[[1.0, -1.0], [0.0, 2.0]]]])
    >>> self_attention_relevance([(weights, gradients)]).tolist()
    [[[1.5, 0.0], [0.0, 2.0]]]
    """
    if not len(layers):
        raise ValueError("`layers` must hold at least one layer. Received: none")
    relevance = _identity(layers[0][0])
    for weights, gradients in layers:
        relevance = relevance + weighted_attention(weights, gradients) @ relevance
    return relevance


def encoder_decoder_relevance(
    encoder: Sequence[Layer], decoder: Sequence[tuple[Layer, Layer]]
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the relevance of target and of source tokens for each output of a decoder (sections 3.1 and 3.2).

    Self-attention of the decoder carries on both relevances (eq. 6 and 7). Its cross-attention adds
    R̄ᵀ(target) Ā R̄(source) to that of the source (eq. 10), where the rows of R̄ - I sum to 1 (eq. 8 and 9).

    Args:
        encoder: Pairs (weights, gradients) `(B, H, S, S)` of the encoder's layers, from the first to the last.
        decoder: For each of its layers a pair of such pairs: of self-attention `(B, H, T, T)`, and of cross-attention
            `(B, H, T, S)`.

    Returns:
        (target, source): `(B, T, T)` and `(B, T, S)`.

    Example: a target token that attends to both source tokens, of which one counts.

    >>> one, half = np.ones((1, 1, 1, 1)), np.full((1, 1, 1, 2), 0.5)
    >>> encoder = [(np.eye(2)[None, None], np.zeros((1, 1, 2, 2)))]
    >>> cross = (half, np.array([[[[2.0, 0.0]]]]))
    >>> target, source = encoder_decoder_relevance(encoder, [((one, 0 * one), cross)])
    >>> target.tolist(), source.tolist()
    ([[[1.0]]], [[[1.0, 0.0]]])
    """
    if not len(decoder):
        raise ValueError("`decoder` must hold at least one layer. Received: none")
    encoded = _row_normalised(self_attention_relevance(encoder))
    cross_weights = decoder[0][1][0]
    target, source = _identity(decoder[0][0][0]), np.zeros_like(cross_weights[:, 0])
    for own, cross in decoder:
        attention = weighted_attention(*own)
        target, source = target + attention @ target, source + attention @ source
        source = source + np.swapaxes(_row_normalised(target), -2, -1) @ weighted_attention(*cross) @ encoded
    return target, source


def _identity(weights: np.ndarray) -> np.ndarray:
    """I for each example, (B, T, T)."""
    return np.tile(np.eye(weights.shape[-2], dtype=weights.dtype), (len(weights), 1, 1))


def _row_normalised(relevance: np.ndarray) -> np.ndarray:
    """R̄ (eq. 8 and 9): the rows of R - I, divided by their sums, and I again; a row of zeros stays one."""
    identity = np.eye(relevance.shape[-1])
    added = relevance - identity
    sums = added.sum(axis=-1, keepdims=True)
    return np.divide(added, sums, out=np.zeros_like(added), where=sums > 0) + identity
