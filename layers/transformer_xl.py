"""The attention of Transformer-XL: a score has a part for content and a part for distance, each with a bias.

Shapes: B batch (one or more leading axes), T queries, S keys, R = T + S - 1 distances, D features, H heads, d key_dim.
"""

import keras
from keras import ops

from attention_zoo.layers.checks import check_positive_integer
from attention_zoo.layers.relative import RelativeAttention, relative_shift


def relative_sinusoids(length, total, dim, clamp_length=None):
    """Sinusoids of the distances from T queries to S keys, from the farthest key before to the farthest one after.

    Row p has the sines, then the cosines of the distance S - 1 - p of the key before the query, as in the authors'
    code; the paper refers to Vaswani et al. 2017, where they alternate. The projection that follows takes either.

    Args:
        length: T, an integer or a scalar tensor.
        total: S, an integer or a scalar tensor.
        dim: D, even.
        clamp_length: Distance from which on all are alike. Defaults to `None`: no limit.

    Returns:
        float32 `(R, D)`.

    Example:

    >>> from attention_zoo.layers.transformer_xl import relative_sinusoids
    >>> relative_sinusoids(length=2, total=3, dim=6).shape == (4, 6)
    True
    """
    rates = ops.convert_to_tensor([10000.0 ** (-2 * i / dim) for i in range(dim // 2)], dtype="float32")
    distances = ops.cast(total - 1 - ops.arange(length + total - 1), "float32")  # (R,)
    if clamp_length is not None:
        distances = ops.clip(distances, -clamp_length, clamp_length)
    angles = distances[:, None] * rates  # (R, D / 2)
    return ops.concatenate([ops.sin(angles), ops.cos(angles)], axis=-1)


@keras.saving.register_keras_serializable("attention_zoo")
class TransformerXLAttention(RelativeAttention):
    """Multi-head attention with relative positions and a memory (Dai et al. 2019, section 3.3).

    `A_ij = (q_i + u)^T k_j + (q_i + v)^T W_{k,R} R_{i-j}`, divided by sqrt(d): content and content bias, distance and
    distance bias. R are sinusoids. With `value` longer than `query` the first S - T values are a memory.

    Weights: `position_dense` (D, H, d) is W_{k,R}; `content_bias` and `position_bias` (H, d) are u and v, which start
    at zero; and those of the projections.

    Args:
        num_heads: H.
        key_dim: d, the width of one head.
        dropout: Share of the attention weights that are dropped in training. Defaults to 0.
        use_bias: Whether the projections add a bias; the paper's do not. Defaults to `False`.
        kernel_initializer: Of all projections; each gets a copy. Defaults to `"glorot_uniform"`.
        clamp_length: Distance from which on all are alike. Defaults to `None`: no limit.

    Call arguments:
        query: `(B, T, D)`; B may be several axes. D is even.
        value: `(B, S, D)`, S at least T, whose last T positions are those of the queries. Defaults to `query`.
        query_mask: Bool `(B, T)`, True where there is a query. Defaults to the Keras mask of `query`.
        value_mask: Bool `(B, S)`. Defaults to the Keras mask of `value`; without a `value` to `query_mask`.
        attention_mask: Bool, broadcastable to `(B, T, S)` or `(B, H, T, S)`.
        use_causal_mask: Whether a query sees only the keys up to its own position.
        return_attention_scores: Whether to return the weights too (those before dropout).
        training: Whether to apply dropout.

    Returns:
        `(B, T, D)`, and with `return_attention_scores` also the weights, float32 `(B, H, T, S)`. A query with nothing
        to attend to gets zeros.

    Raises:
        ValueError: If a size is not a positive integer, `dropout` is out of range, or D is odd.

    Example:

    >>> import keras
    >>> from attention_zoo.layers import TransformerXLAttention
    >>> layer = TransformerXLAttention(num_heads=2, key_dim=4)
    >>> memory, segment = keras.ops.ones((3, 7, 8)), keras.ops.ones((3, 5, 8))
    >>> joined = keras.ops.concatenate([memory, segment], axis=1)
    >>> output, scores = layer(segment, joined, use_causal_mask=True, return_attention_scores=True)
    >>> tuple(output.shape), tuple(scores.shape)
    ((3, 5, 8), (3, 2, 5, 12))
    """

    def __init__(
        self,
        num_heads,
        key_dim,
        dropout=0.0,
        use_bias=False,
        kernel_initializer="glorot_uniform",
        clamp_length=None,
        **kwargs,
    ):
        super().__init__(num_heads, key_dim, dropout, use_bias, kernel_initializer, **kwargs)
        check_positive_integer("clamp_length", clamp_length, optional=True)
        self.clamp_length = clamp_length

    def build(self, query_shape, value_shape=None):
        if query_shape[-1] % 2:
            raise ValueError(
                f"{type(self).__name__}: the width of `query` must be even. Received: query of shape {query_shape}"
            )
        super().build(query_shape, value_shape)
        heads = (self.num_heads, self.key_dim)
        self.position_dense = self._projection("position", (None, query_shape[-1]), heads)
        for name in ("content_bias", "position_bias"):
            setattr(self, name, self.add_weight(name=name, shape=heads, initializer="zeros"))
        self.width = query_shape[-1]

    def scores(self, query_heads, key_heads):
        length, total = ops.shape(query_heads)[-2], ops.shape(key_heads)[-2]
        by_distance = self.distance_scores(query_heads, length, total)  # (B, H, T, R)
        return self.content_scores(query_heads, key_heads) + relative_shift(by_distance, total)

    def content_scores(self, query_heads, key_heads):
        """`(q_i + u)^T k_j` for all keys: `(B, H, T, S)`."""
        return ops.matmul(self._biased(query_heads, self.content_bias), ops.swapaxes(key_heads, -2, -1))

    def distance_scores(self, query_heads, length, total):
        """`(q_i + v)^T W_{k,R} R` for all distances of T = `length` queries to S = `total` keys: `(B, H, ..., R)`."""
        sinusoids = relative_sinusoids(length, total, self.width, self.clamp_length)  # (R, D)
        positions = self.position_dense(ops.cast(sinusoids, self.compute_dtype))  # (R, H, d)
        positions = ops.cast(ops.transpose(positions, (1, 2, 0)), query_heads.dtype)  # (H, d, R)
        return ops.matmul(self._biased(query_heads, self.position_bias), positions)

    def _biased(self, query_heads, bias):
        return query_heads + ops.cast(bias, query_heads.dtype)[:, None, :]

    def call(
        self,
        query,
        value=None,
        query_mask=None,
        value_mask=None,
        attention_mask=None,
        use_causal_mask=False,
        return_attention_scores=False,
        training=None,
    ):
        if query_mask is None:
            query_mask = getattr(query, "_keras_mask", None)
        if value_mask is None:
            value_mask = query_mask if value is None else getattr(value, "_keras_mask", None)
        value = query if value is None else value
        masks = (query_mask, value_mask, attention_mask, use_causal_mask)
        output, weights = self._attend_masked(query, value, *masks, training)
        return (output, weights) if return_attention_scores else output

    def compute_output_spec(self, query, value=None, *args, return_attention_scores=False, **kwargs):
        output = keras.KerasTensor(query.shape, dtype=self.compute_dtype)
        total = (query if value is None else value).shape[-2]
        scores = keras.KerasTensor((*query.shape[:-2], self.num_heads, query.shape[-2], total), dtype="float32")
        return (output, scores) if return_attention_scores else output

    def get_config(self):
        return {**super().get_config(), "clamp_length": self.clamp_length}
