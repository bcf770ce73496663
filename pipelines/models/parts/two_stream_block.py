"""A block of XLNet: two-stream attention and a feed-forward network, which both streams share.

Shapes: B batch, T tokens, P targets, M tokens of a memory, S = M + T, D features, H heads.
"""

from functools import partial

import keras
from keras import ops

from attention_zoo.layers import TwoStreamAttention
from attention_zoo.layers.transformer_block import TransformerBlock


@keras.saving.register_keras_serializable("attention_zoo")
class TwoStreamBlock(TransformerBlock):
    """`TransformerBlock` with `TwoStreamAttention`, normalised after each sublayer (Yang et al. 2019, figure 1).

    Besides each sublayer's output, the inner layer of the feed-forward network has dropout, as in the authors' code.

    Args:
        num_heads: H; the width D of the input must be a multiple of it.
        intermediate_dim: Width of the feed-forward network's inner layer.
        clamp_length: Distance from which on all are alike. Defaults to `None`: no limit.
        **kwargs: Further arguments of `TransformerBlock`.

    Call arguments:
        query: The content stream, `(B, T, D)`.
        query_stream: `(B, P, D)`, or `None` without targets.
        memory: Content stream of the tokens before, `(B, M, D)`. Defaults to `None`.
        targets: Positions of the targets, integers `(B, P)`.
        segments: Integers `(B, T)`. Defaults to `None`: no scores of segments.
        query_mask: Bool `(B, T)`, True where there is a token.
        memory_mask: Bool `(B, M)`. Defaults to `None`: everywhere.
        attention_mask: Bool, broadcastable to `(B, T, S)`, True where a token may attend.
        return_attention_scores: Whether to return the weights too.
        training: Whether to apply dropout.

    Returns:
        The pair of `(B, T, D)` and `(B, P, D)`, the latter `None` without targets. With `return_attention_scores` also
        the pair of the weights, float32 `(B, H, T, S)` and `(B, H, P, S)` or `None`.

    Example:

    >>> import keras
    >>> block = TwoStreamBlock(num_heads=2, intermediate_dim=16)
    >>> targets = keras.ops.ones((3, 1), "int32")
    >>> content, stream = block(keras.ops.ones((3, 5, 8)), keras.ops.ones((3, 1, 8)), targets=targets)
    >>> tuple(content.shape), tuple(stream.shape)
    ((3, 5, 8), (3, 1, 8))
    """

    def __init__(self, num_heads, intermediate_dim, clamp_length=None, **kwargs):
        super().__init__(num_heads, intermediate_dim, **kwargs)
        self.clamp_length = clamp_length

    def build(self, query_shape):
        attention = partial(TwoStreamAttention, clamp_length=self.clamp_length)
        self.self_attention = self._build_attention(attention, "self_attention", query_shape)
        self.self_attention_norm = self._build_norm("self_attention_norm", query_shape)
        self._build_feed_forward(query_shape)

    def call(
        self,
        query,
        query_stream=None,
        memory=None,
        targets=None,
        segments=None,
        query_mask=None,
        memory_mask=None,
        attention_mask=None,
        return_attention_scores=False,
        training=None,
    ):
        value, value_mask = query, query_mask
        if memory is not None:
            value = ops.concatenate([memory, query], axis=1)  # (B, S, D)
            value_mask = _joined(memory, memory_mask, query, query_mask)
        updates = self.self_attention(
            query,
            value,
            query_stream=query_stream,
            targets=targets,
            segments=segments,
            query_mask=query_mask,
            value_mask=value_mask,
            attention_mask=attention_mask,
            return_attention_scores=return_attention_scores,
            training=training,
        )
        updates, scores = updates if return_attention_scores else (updates, None)
        if query_stream is None:
            updates, scores = (updates, None), (scores, None)
        streams = tuple(
            None if stream is None else self._after_attention(stream, update, training)
            for stream, update in zip((query, query_stream), updates)
        )
        return (streams, scores) if return_attention_scores else streams

    def _after_attention(self, stream, update, training):
        features = self._leave(stream, update, self.self_attention_norm, training)
        inner = self.residual_dropout(self.activation(self.feed_forward_in(features)), training=training)
        return self._leave(features, self.feed_forward_out(inner), self.feed_forward_norm, training)

    def get_config(self):
        return {**super().get_config(), "clamp_length": self.clamp_length}


def _joined(memory, memory_mask, query, query_mask):
    """The mask of a memory and the tokens after it, bool `(B, S)`, or `None` if both are `None`."""
    if memory_mask is None and query_mask is None:
        return None
    pairs = ((memory, memory_mask), (query, query_mask))
    masks = [ops.ones_like(x[..., 0], dtype="bool") if mask is None else ops.cast(mask, "bool") for x, mask in pairs]
    return ops.concatenate(masks, axis=1)
