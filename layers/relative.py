"""Self-attention that sees how far apart two tokens are (Shaw et al. 2018), and what its relatives share.

Shapes: B batch (one or more leading axes), T queries, S keys, R = T + S - 1 distances, D features, H heads, d key_dim.

If S is greater than T, the queries are the last T of the S positions: query i stands at S - T + i. A distance has the
number p from 0 (the key lies S - 1 positions before the query) to R - 1 (the key lies T - 1 positions after it).
"""

import keras
from keras import ops

from attention_zoo.layers.checks import check_positive_integer, check_share
from attention_zoo.layers.masks import causal_mask, combine_head_masks, masked_softmax
from attention_zoo.layers.precision import widen
from attention_zoo.layers.projection import Projection
from attention_zoo.layers.shapes import check_mask_shapes, leading_axes


def relative_shift(scores, key_length):
    """From a column for each distance to a column for each key (Dai et al. 2019, appendix B).

    Element (i, j) of the result is element (i, T - 1 - i + j) of `scores`. Padding and reshaping move the rows, so that
    no tensor with an axis of T, one of S and one of features is needed.

    Args:
        scores: (..., T, R), R = T + S - 1.
        key_length: S, an integer or a scalar tensor.

    Returns:
        (..., T, S).

    Example: two queries, two keys, the distances "one before", "same place" and "one after".

    >>> import keras
    >>> from attention_zoo.layers.relative import relative_shift
    >>> print(relative_shift(keras.ops.array([[-1, 0, 1], [-1, 0, 1]]), key_length=2).numpy())
    [[ 0  1]
     [-1  0]]
    """
    leading, (length, distances) = leading_axes(scores, features=2), ops.shape(scores)[-2:]
    padded = ops.pad(scores, [*[[0, 0]] * (len(scores.shape) - 1), [1, 0]])  # (..., T, R + 1)
    moved = ops.reshape(padded, (*leading, distances + 1, length))[..., 1:, :]
    return ops.reshape(moved, (*leading, length, distances))[..., :key_length]


def relative_unshift(weights):
    """From a column for each key to a column for each distance; the inverse of `relative_shift`.

    Args:
        weights: (..., T, S).

    Returns:
        (..., T, R), R = T + S - 1; zeros for the distances that a query has no key at.

    Example:

    >>> import keras
    >>> from attention_zoo.layers.relative import relative_unshift
    >>> print(relative_unshift(keras.ops.array([[5, 6], [7, 8]])).numpy())
    [[0 5 6]
     [7 8 0]]
    """
    leading, (length, keys) = leading_axes(weights, features=2), ops.shape(weights)[-2:]
    distances, same = length + keys - 1, [[0, 0]] * (len(weights.shape) - 2)
    padded = ops.pad(weights, [*same, [0, 0], [0, length - 1]])  # (..., T, R)
    moved = ops.pad(ops.reshape(padded, (*leading, distances, length)), [*same, [1, 0], [0, 0]])
    return ops.reshape(moved, (*leading, length, distances + 1))[..., 1:]


class RelativeAttention(keras.layers.Layer):
    """Base of the layers in which a score depends on content and on distance; subclasses compute the scores.

    Weights: the projections `query_dense`, `key_dense` and `value_dense` (D, H, d), and `output_dense` (H, d, D).

    Args:
        num_heads: H.
        key_dim: d, the width of one head.
        dropout: Share of the attention weights that are dropped in training. Defaults to 0.
        use_bias: Whether the projections add a bias. Defaults to `True`.
        kernel_initializer: Of all projections; each gets a copy. Defaults to `"glorot_uniform"`.

    Example:

    >>> from attention_zoo.layers import RelativeSelfAttention
    >>> isinstance(RelativeSelfAttention(num_heads=2, key_dim=4), RelativeAttention)
    True
    """

    def __init__(self, num_heads, key_dim, dropout=0.0, use_bias=True, kernel_initializer="glorot_uniform", **kwargs):
        super().__init__(**kwargs)
        check_positive_integer("num_heads", num_heads)
        check_positive_integer("key_dim", key_dim)
        check_share("dropout", dropout)
        self.num_heads = num_heads
        self.key_dim = key_dim
        self.dropout = dropout
        self.use_bias = use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.dropout_layer = keras.layers.Dropout(dropout, dtype=self.dtype_policy, name="dropout")
        self.supports_masking = True

    def build(self, query_shape, value_shape=None):
        value_shape = query_shape if value_shape is None else value_shape
        heads = (self.num_heads, self.key_dim)
        self.query_dense = self._projection("query", query_shape, heads)
        self.key_dense = self._projection("key", value_shape, heads)
        self.value_dense = self._projection("value", value_shape, heads)
        self.output_dense = self._projection(
            "attention_output", (*query_shape[:-1], *heads), (query_shape[-1],), input_axes=2
        )

    def _projection(self, name, input_shape, sizes, input_axes=1):
        dense = Projection(
            sizes, input_axes, self.use_bias, self.kernel_initializer.clone(), dtype=self.dtype_policy, name=name
        )
        dense.build(input_shape)
        return dense

    def scores(self, query_heads, key_heads, **options):
        """Scores before the softmax: queries `(B, H, T, d)` and keys `(B, H, S, d)` to `(B, H, T, S)`."""
        raise NotImplementedError

    def contexts(self, weights, value_heads):
        """Weights `(B, H, T, S)` and values `(B, H, S, d)` to contexts `(B, H, T, d)`."""
        return ops.matmul(weights, value_heads)

    def project_key_value(self, value):
        """Projects keys and values, `(B, S, D)` to two of `(B, H, S, d)`."""
        return ops.swapaxes(self.key_dense(value), -3, -2), ops.swapaxes(self.value_dense(value), -3, -2)

    def attend(self, query, key_heads, value_heads, mask=None, training=None, **options):
        """Attends to projected keys and values.

        Args:
            query: `(B, T, D)`, not projected.
            key_heads: `(B, H, S, d)`.
            value_heads: `(B, H, S, d)`.
            mask: Bool, broadcastable to `(B, T, S)` or `(B, H, T, S)`.
            training: Whether to apply dropout.
            **options: Further arguments of `scores`.

        Returns:
            (output, weights): `(B, T, D)` and float32 `(B, H, T, S)`.
        """
        query_heads = widen(ops.swapaxes(self.query_dense(query), -3, -2))  # (B, H, T, d)
        scores = self.scores(query_heads, widen(key_heads), **options) * self.key_dim**-0.5
        has_heads = mask is not None and len(mask.shape) > len(query.shape)
        head_mask = mask if mask is None or len(mask.shape) <= 2 or has_heads else ops.expand_dims(mask, -3)
        weights = masked_softmax(scores, head_mask)
        dropped = self.dropout_layer(ops.cast(weights, self.compute_dtype), training=training)
        output = self.output_dense(ops.swapaxes(self.contexts(dropped, value_heads), -3, -2))  # (B, T, D)
        if mask is None:
            return output, weights
        attends = ops.any(mask, axis=-1)
        attends = ops.any(attends, axis=-2) if has_heads else attends
        return ops.where(attends[..., None], output, ops.zeros_like(output)), weights

    def _attend_masked(self, query, value, query_mask, value_mask, attention_mask, use_causal_mask, training):
        """`attend` with the masks of `call`."""
        mask = self._mask(query, value, query_mask, value_mask, attention_mask, use_causal_mask)
        return self.attend(query, *self.project_key_value(value), mask, training=training)

    def _mask(self, query, value, query_mask, value_mask, attention_mask, use_causal_mask):
        """The masks of `call` as the one that `attend` takes."""
        masks = (query_mask, value_mask, attention_mask)
        check_mask_shapes(type(self).__name__, query.shape, value.shape, *masks)
        length, total = ops.shape(query)[-2], ops.shape(value)[-2]
        order = causal_mask(length, total, total - length) if use_causal_mask else None
        return combine_head_masks(*masks, order, len(query.shape))

    def compute_output_shape(self, query_shape, value_shape=None):
        return tuple(query_shape)

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "key_dim": self.key_dim,
            "dropout": self.dropout,
            "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }


@keras.saving.register_keras_serializable("attention_zoo")
class RelativeSelfAttention(RelativeAttention):
    """Multi-head self-attention with learned vectors for distances (Shaw et al. 2018, section 3).

    `e_ij = x_i W^Q (x_j W^K + a^K_ij)^T / sqrt(d)` (eq. 4), `z_i = Σ_j α_ij (x_j W^V + a^V_ij)` (eq. 3), where `a_ij`
    is row `clip(j - i, -k, k)` of a table (section 3.2). All heads share the tables, as in the paper. Both products are
    computed for distances and shifted (section 3.3 does the first of them), so that no (T, T, d) tensor is made.

    Deviation: the paper does not say how the tables are drawn; here they are Glorot-uniform.

    Weights: `key_distances` and `value_distances` (2 k + 1, d), besides those of the projections.

    Args:
        num_heads: H.
        key_dim: d, the width of one head.
        max_distance: k, the distance from which on all are alike. Defaults to 16, the paper's.
        dropout: Share of the attention weights that are dropped in training. Defaults to 0.
        use_bias: Whether the projections add a bias. Defaults to `True`.
        kernel_initializer: Of all projections; each gets a copy. Defaults to `"glorot_uniform"`.

    Call arguments:
        query: `(B, T, D)`; B may be several axes.
        query_mask: Bool `(B, T)`, True where there is a token, as a query and as a key. Defaults to the Keras mask of
            `query`.
        attention_mask: Bool, broadcastable to `(B, T, T)` or `(B, H, T, T)`.
        use_causal_mask: Whether token i sees only the tokens up to i.
        return_attention_scores: Whether to return the weights too (those before dropout).
        training: Whether to apply dropout.

    Returns:
        `(B, T, D)`, and with `return_attention_scores` also the weights, float32 `(B, H, T, T)`. A token with nothing
        to attend to gets zeros.

    Raises:
        ValueError: If a size is not a positive integer, or `dropout` is out of range.

    Example:

    >>> import keras
    >>> from attention_zoo.layers import RelativeSelfAttention
    >>> layer = RelativeSelfAttention(num_heads=2, key_dim=4, max_distance=3)
    >>> output, scores = layer(keras.ops.ones((3, 5, 8)), return_attention_scores=True)
    >>> tuple(output.shape), tuple(scores.shape)
    ((3, 5, 8), (3, 2, 5, 5))
    """

    def __init__(
        self,
        num_heads,
        key_dim,
        max_distance=16,
        dropout=0.0,
        use_bias=True,
        kernel_initializer="glorot_uniform",
        **kwargs,
    ):
        super().__init__(num_heads, key_dim, dropout, use_bias, kernel_initializer, **kwargs)
        check_positive_integer("max_distance", max_distance)
        self.max_distance = max_distance

    def build(self, query_shape):
        super().build(query_shape)
        for name in ("key_distances", "value_distances"):
            shape = (2 * self.max_distance + 1, self.key_dim)
            setattr(self, name, self.add_weight(name=name, shape=shape, initializer="glorot_uniform"))

    def _rows(self, table, length, total, dtype):
        """The rows of a table for all distances, (R, d)."""
        distances = ops.arange(length + total - 1) - (total - 1)
        numbers = ops.clip(distances, -self.max_distance, self.max_distance) + self.max_distance
        return ops.cast(ops.take(table, numbers, axis=0), dtype)

    def scores(self, query_heads, key_heads):
        length, total = ops.shape(query_heads)[-2], ops.shape(key_heads)[-2]
        rows = self._rows(self.key_distances, length, total, query_heads.dtype)
        by_distance = ops.matmul(query_heads, ops.transpose(rows))  # (B, H, T, R)
        content = ops.matmul(query_heads, ops.swapaxes(key_heads, -2, -1))  # (B, H, T, S)
        return content + relative_shift(by_distance, total)

    def contexts(self, weights, value_heads):
        length, total = ops.shape(weights)[-2:]
        rows = self._rows(self.value_distances, length, total, value_heads.dtype)
        return ops.matmul(weights, value_heads) + ops.matmul(relative_unshift(weights), rows)

    def call(
        self,
        query,
        query_mask=None,
        attention_mask=None,
        use_causal_mask=False,
        return_attention_scores=False,
        training=None,
    ):
        if query_mask is None:  # Keras passes implicit masks only to layers with several inputs
            query_mask = getattr(query, "_keras_mask", None)
        masks = (query_mask, query_mask, attention_mask, use_causal_mask)
        output, weights = self._attend_masked(query, query, *masks, training)
        return (output, weights) if return_attention_scores else output

    def compute_output_spec(self, query, *args, return_attention_scores=False, **kwargs):
        output = keras.KerasTensor(query.shape, dtype=self.compute_dtype)
        scores = keras.KerasTensor((*query.shape[:-2], self.num_heads, *[query.shape[-2]] * 2), dtype="float32")
        return (output, scores) if return_attention_scores else output

    def get_config(self):
        return {**super().get_config(), "max_distance": self.max_distance}
