"""The attention of XLNet: one stream that sees the content of a token, and one that sees only where it stands.

Shapes: B batch (one or more leading axes), T tokens, P targets, S keys, R = T + S - 1 distances, D features, H heads,
d key_dim.
"""

import keras
from keras import ops

from attention_zoo.layers.masks import combine_masks
from attention_zoo.layers.transformer_xl import TransformerXLAttention


@keras.saving.register_keras_serializable("attention_zoo")
class TwoStreamAttention(TransformerXLAttention):
    """Two-stream self-attention with relative positions and segments (Yang et al. 2019, sections 2.3 to 2.5).

    `A_ij = (q_i + r_w)^T k_j + (q_i + r_r)^T W_{k,R} R_{i-j} + (q_i + r_s)^T s_ij`, divided by sqrt(d), where `s_ij` is
    one learned vector if i and j are of one segment, and another one if not. Without `segments` the last term is left
    out.

    Both streams have the same weights, and the content stream gives the keys and values of both (equations 3 and 4,
    and `g` and `h` of figure 1). The query stream, which predicts the targets, never attends to the content of its own
    position. Without `query_stream` the layer is self-attention of the content stream, as in fine-tuning.

    Weights: those of `TransformerXLAttention`, whose `content_bias` is r_w and whose `position_bias` is r_r;
    `segment_bias` (H, d), r_s, which starts at zero; `segment_embedding` (2, H, d), for the same segment and another.

    Args:
        num_heads: H.
        key_dim: d, the width of one head.
        dropout: Share of the attention weights that are dropped in training. Defaults to 0.
        use_bias: Whether the projections add a bias; the paper's do not. Defaults to `False`.
        kernel_initializer: Of all projections and of the segments; each gets a copy. Defaults to `"glorot_uniform"`.
        clamp_length: Distance from which on all are alike. Defaults to `None`: no limit.

    Call arguments:
        query: The content stream, `(B, T, D)`; B may be several axes. D is even.
        value: `(B, S, D)`, S at least T, whose last T positions are those of the queries. Defaults to `query`.
        query_stream: `(B, P, D)`. Defaults to `None`: there is only the content stream.
        targets: Positions in `query` of what the query stream predicts, integers `(B, P)`. Must be given with a
            `query_stream`.
        segments: Integers `(B, T)`. The S - T values before the queries are of segment 0, as in the authors' code.
        query_mask: Bool `(B, T)`, True where there is a query. Defaults to the Keras mask of `query`.
        value_mask: Bool `(B, S)`. Defaults to the Keras mask of `value`; without a `value` to `query_mask`.
        attention_mask: Bool, broadcastable to `(B, T, S)` or `(B, H, T, S)`. A target may attend to what the token at
            its position may attend to, except itself.
        use_causal_mask: Whether a query sees only the keys up to its own position, and a target those before.
        return_attention_scores: Whether to return the weights too (those before dropout).
        training: Whether to apply dropout.

    Returns:
        `(B, T, D)`, and with `return_attention_scores` also the weights, float32 `(B, H, T, S)`. With a `query_stream`
        both are pairs, of `(B, T, D)` and `(B, P, D)`, and of `(B, H, T, S)` and `(B, H, P, S)`. A query with nothing
        to attend to gets zeros.

    Raises:
        ValueError: If a size is not a positive integer, `dropout` is out of range, D is odd, or only one of
            `query_stream` and `targets` is given.

    Example:

    >>> import keras
    >>> from attention_zoo.layers import TwoStreamAttention
    >>> layer = TwoStreamAttention(num_heads=2, key_dim=4)
    >>> content, stream = keras.ops.ones((1, 5, 8)), keras.ops.ones((1, 2, 8))
    >>> outputs, scores = layer(
    ...     content, query_stream=stream, targets=keras.ops.array([[3, 1]]), return_attention_scores=True
    ... )
    >>> [tuple(output.shape) for output in outputs], [tuple(weights.shape) for weights in scores]
    ([(1, 5, 8), (1, 2, 8)], [(1, 2, 5, 5), (1, 2, 2, 5)])
    >>> print((scores[1][0, 0] > 0).numpy())  # no target attends to itself
    [[ True  True  True False  True]
     [ True False  True  True  True]]
    """

    def build(self, query_shape, value_shape=None):
        super().build(query_shape, value_shape)
        heads = (self.num_heads, self.key_dim)
        self.segment_bias = self.add_weight(name="segment_bias", shape=heads, initializer="zeros")
        initializer = self.kernel_initializer.clone()
        self.segment_embedding = self.add_weight(
            name="segment_embedding",
            shape=(2, *heads),
            # As the matrix that it is: Keras would compute the fans of some initialisers from three axes.
            initializer=lambda shape, dtype=None: ops.reshape(initializer((2, shape[1] * shape[2]), dtype), shape),
        )

    def scores(self, query_heads, key_heads, other=None, targets=None, length=None):
        """Scores before the softmax.

        Args:
            query_heads: `(B, H, T, d)`, or `(B, H, P, d)` with `targets`.
            key_heads: `(B, H, S, d)`.
            other: Bool `(B, 1, T, S)` or `(B, 1, P, S)`, True where query and key are of different segments.
            targets: Integers `(B, P)`.
            length: T, an integer or a scalar tensor; with `targets`.

        Returns:
            `(B, H, T, S)`, or `(B, H, P, S)` with `targets`.
        """
        if targets is None:
            scores = super().scores(query_heads, key_heads)
        else:
            by_distance = self.distance_scores(query_heads, length, ops.shape(key_heads)[-2])  # (B, H, P, R)
            scores = self.content_scores(query_heads, key_heads) + _of_keys(by_distance, targets, length)
        if other is None:
            return scores
        embedding = ops.cast(ops.transpose(self.segment_embedding, (1, 2, 0)), query_heads.dtype)  # (H, d, 2)
        by_segment = ops.matmul(self._biased(query_heads, self.segment_bias), embedding)  # (B, H, T, 2)
        return scores + ops.where(other, by_segment[..., 1:], by_segment[..., :1])

    def call(
        self,
        query,
        value=None,
        query_stream=None,
        targets=None,
        segments=None,
        query_mask=None,
        value_mask=None,
        attention_mask=None,
        use_causal_mask=False,
        return_attention_scores=False,
        training=None,
    ):
        if (query_stream is None) != (targets is None):
            missing = "query_stream" if query_stream is None else "targets"
            raise ValueError(
                f"TwoStreamAttention: `query_stream` and `targets` must be given together. Received: {missing}=None"
            )
        if query_mask is None:
            query_mask = getattr(query, "_keras_mask", None)
        if value_mask is None:
            value_mask = query_mask if value is None else getattr(value, "_keras_mask", None)
        value = query if value is None else value
        mask = self._mask(query, value, query_mask, value_mask, attention_mask, use_causal_mask)
        other = None if segments is None else _other_segment(segments, ops.shape(value)[-2])  # (B, T, S)
        key_heads, value_heads = self.project_key_value(value)  # of both streams
        heads = {"key_heads": key_heads, "value_heads": value_heads, "training": training}
        content, scores = self.attend(query, **heads, mask=mask, other=_for_heads(other))
        if query_stream is None:
            return (content, scores) if return_attention_scores else content
        length, total, targets = ops.shape(query)[-2], ops.shape(value)[-2], ops.cast(targets, "int32")
        places = ops.expand_dims(targets, -1) + (total - length)  # (B, P, 1): positions of the targets in `value`
        not_itself = ops.arange(total) != places  # (B, P, S)
        if mask is not None:
            has_heads = len(mask.shape) > len(query.shape)
            mask = _rows(mask, targets, length, total, has_heads)
            not_itself = _for_heads(not_itself) if has_heads else not_itself
        stream, stream_scores = self.attend(
            query_stream,
            **heads,
            mask=combine_masks(attention_mask=mask, causal=not_itself),
            other=None if other is None else _for_heads(_rows(other, targets, length, total)),
            targets=targets,
            length=length,
        )
        return ((content, stream), (scores, stream_scores)) if return_attention_scores else (content, stream)

    def compute_output_spec(self, query, value=None, query_stream=None, *args, return_attention_scores=False, **kwargs):
        streams = [stream for stream in (query, query_stream) if stream is not None]
        total = (query if value is None else value).shape[-2]
        outputs = tuple(keras.KerasTensor(stream.shape, dtype=self.compute_dtype) for stream in streams)
        shapes = [(*stream.shape[:-2], self.num_heads, stream.shape[-2], total) for stream in streams]
        scores = tuple(keras.KerasTensor(shape, dtype="float32") for shape in shapes)
        outputs, scores = (outputs, scores) if query_stream is not None else (outputs[0], scores[0])
        return (outputs, scores) if return_attention_scores else outputs


def _for_heads(mask):
    """(B, T, S) to (B, 1, T, S)."""
    return None if mask is None else ops.expand_dims(mask, -3)


def _other_segment(segments, total):
    """Whether two tokens are of different segments, `(B, T)` to `(B, T, S)`; the keys before the T are of segment 0."""
    before = total - ops.shape(segments)[-1]
    keys = ops.pad(segments, [*[[0, 0]] * (len(segments.shape) - 1), [before, 0]])  # (B, S)
    return ops.expand_dims(segments, -1) != ops.expand_dims(keys, -2)


def _rows(mask, targets, length, total, has_heads=False):
    """The rows of a mask, broadcastable to `(B, T, S)` or `(B, H, T, S)`, at `targets`, `(B, P)`."""
    leading = ops.shape(targets)[:-1]
    places = ops.expand_dims(targets, -1)  # (B, P, 1)
    if has_heads:
        leading, places = (*leading, ops.shape(mask)[-3]), ops.expand_dims(places, -3)
    mask = ops.broadcast_to(mask, (*leading, length, total))
    return ops.take_along_axis(mask, ops.broadcast_to(places, (*leading, ops.shape(targets)[-1], total)), axis=-2)


def _of_keys(by_distance, targets, length):
    """From a column for each distance to one for each key, `(B, H, P, R)` to `(B, H, P, S)`; see `relative_shift`."""
    total = ops.shape(by_distance)[-1] - length + 1
    columns = ops.expand_dims(length - 1 - targets, -1) + ops.arange(total)  # (B, P, S)
    columns = ops.broadcast_to(ops.expand_dims(columns, -3), (*ops.shape(by_distance)[:-1], total))
    return ops.take_along_axis(by_distance, columns, axis=-1)
