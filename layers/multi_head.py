"""Multi-head attention: several scaled dot products side by side, each in a small subspace of its own.

Shapes: B batch (one or more leading axes), T queries, S keys, D features, H heads, d key_dim, v value_dim.
"""

import keras
from keras import ops

from attention_zoo.layers.dot_product import blocks_pay, check_implementation, dot_product_attention
from attention_zoo.layers.masks import attending_queries, causal_mask, combine_masks, masked_softmax
from attention_zoo.layers.projection import Projection
from attention_zoo.layers.shapes import check_attention_shapes


@keras.saving.register_keras_serializable("attention_zoo")
class MultiHeadAttention(keras.layers.Layer):
    """Attends with H heads and joins what they found (Vaswani et al. 2017, section 3.2.2).

    `head_i = softmax(Q W_i^Q (K W_i^K)^T / sqrt(d)) V W_i^V`, output `Concat(head_1, ..., head_H) W^O`.

    The weights lie as in `keras.layers.MultiHeadAttention`, whose `get_weights()` can be set here; the two then give
    the
    same output. Two things differ. A query with nothing to attend to gets zeros (Keras: the mean of all values). And
    kernels are drawn as the matrices `(D, H d)` that they are, where Keras takes H for an input fan and starts smaller.

    Args:
        num_heads: H.
        key_dim: d, the width of one head's queries and keys.
        value_dim: v, the width of one head's values. Defaults to `key_dim`.
        dropout: Share of the attention weights that are dropped in training, in [0, 1).
        use_bias: Whether the four projections add a bias (the paper's do not).
        output_dim: Width of the output. Defaults to the width of the query.
        kernel_initializer: Of all four kernels; each gets a copy.
        implementation: How attention is computed where no scores are asked for: "plain", all T x S scores of a head at once;
            "blocks",
            in memory that grows with T + S, up to 128 MB of weights apart (TensorFlow without XLA; `fit` then leaves
            XLA out by
            itself); "auto", the default, whichever is faster, as `dot_product_attention` says. All give the same
            output.

    Call arguments:
        query: `(B, T, Dq)`; B may be several axes.
        value: `(B, S, Dv)`.
        key: `(B, S, Dk)`. Defaults to `value`.
        query_mask: Bool `(B, T)`, True where there is a query. Defaults to the Keras mask of `query`.
        value_mask: Bool `(B, S)`, True where there is a value. Defaults to the Keras mask of `value`.
        attention_mask: Bool, broadcastable to `(B, T, S)`, True where a query may attend.
        use_causal_mask: Whether query i sees the keys up to i alone.
        return_attention_scores: Whether to return the weights too (those before dropout).
        training: Whether to apply dropout.

    Returns:
        `(B, T, output_dim)`, and with `return_attention_scores` also the weights, float32 `(B, H, T, S)`.

    Raises:
        ValueError: If a size is not a positive integer, if `dropout` is out of range, if the ranks of the inputs
            differ, or if `key` and `value` have different lengths.

    Example:

    >>> import keras
    >>> from attention_zoo.layers import MultiHeadAttention
    >>> layer = MultiHeadAttention(num_heads=2, key_dim=4)
    >>> output, scores = layer(keras.ops.ones((3, 5, 8)), keras.ops.ones((3, 7, 6)), return_attention_scores=True)
    >>> tuple(output.shape), tuple(scores.shape)
    ((3, 5, 8), (3, 2, 5, 7))
    """

    def __init__(
        self,
        num_heads,
        key_dim,
        value_dim=None,
        dropout=0.0,
        use_bias=True,
        output_dim=None,
        kernel_initializer="glorot_uniform",
        implementation="auto",
        **kwargs,
    ):
        super().__init__(**kwargs)
        check_implementation(implementation)
        value_dim = key_dim if value_dim is None else value_dim
        sizes = {"num_heads": num_heads, "key_dim": key_dim, "value_dim": value_dim, "output_dim": output_dim}
        for name, size in sizes.items():
            if (name, size) != ("output_dim", None) and (not isinstance(size, int) or size < 1):
                raise ValueError(f"`{name}` must be a positive integer. Received: {name}={size!r}")
        if not 0 <= dropout < 1:
            raise ValueError(f"`dropout` must be in [0, 1). Received: dropout={dropout!r}")
        self.num_heads = num_heads
        self.key_dim = key_dim
        self.value_dim = value_dim
        self.dropout = dropout
        self.use_bias = use_bias
        self.output_dim = output_dim
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.implementation = implementation
        self.weight_dropout = keras.layers.Dropout(dropout, dtype=self.dtype_policy, name="dropout")
        self.supports_masking = True

    def build(self, query_shape, value_shape, key_shape=None):
        key_shape = value_shape if key_shape is None else key_shape
        check_attention_shapes(type(self).__name__, query_shape, value_shape, key_shape)
        # Keras compiles with XLA unless a layer cannot be; there long sequences would need their whole matrix of
        # scores.
        self.supports_jit = not (
            self.implementation == "blocks"
            or self.implementation == "auto"
            and blocks_pay(query_shape[-2], key_shape[-2])
        )
        heads = self.num_heads
        self.query_dense = self._projection("query", query_shape, (heads, self.key_dim))
        self.key_dense = self._projection("key", key_shape, (heads, self.key_dim))
        self.value_dense = self._projection("value", value_shape, (heads, self.value_dim))
        joined_shape = (*query_shape[:-1], heads, self.value_dim)
        output_dim = query_shape[-1] if self.output_dim is None else self.output_dim
        self.output_dense = self._projection("attention_output", joined_shape, (output_dim,), input_axes=2)

    def _projection(self, name, input_shape, output_sizes, input_axes=1):
        dense = Projection(
            output_sizes, input_axes, self.use_bias, self.kernel_initializer, dtype=self.dtype_policy, name=name
        )
        dense.build(input_shape)
        return dense

    def call(
        self,
        query,
        value,
        key=None,
        query_mask=None,
        value_mask=None,
        attention_mask=None,
        use_causal_mask=False,
        return_attention_scores=False,
        training=None,
    ):
        key_heads, value_heads = self.project_key_value(value, key)
        if not return_attention_scores:
            masks = (query_mask, value_mask, attention_mask, use_causal_mask)
            return self.attend_without_scores(query, key_heads, value_heads, *masks, training=training)
        causal = causal_mask(ops.shape(query)[-2], ops.shape(value)[-2]) if use_causal_mask else None
        mask = combine_masks(query_mask, value_mask, attention_mask, causal)
        return self.attend(query, key_heads, value_heads, mask, training=training)

    def project_key_value(self, value, key=None):
        """Projects what is attended to; a decoder does it once a sequence.

        Args:
            value: `(B, S, Dv)`.
            key: `(B, S, Dk)`. Defaults to `value`.

        Returns:
            Keys `(B, H, S, d)` and values `(B, H, S, v)`.
        """
        key_heads = self.key_dense(value if key is None else key)  # (B, S, H, d)
        value_heads = self.value_dense(value)  # (B, S, H, v)
        return ops.swapaxes(key_heads, -3, -2), ops.swapaxes(value_heads, -3, -2)

    def attend(self, query, key_heads, value_heads, mask=None, training=None):
        """Attends to keys and values that were projected before.

        Args:
            query: `(B, T, Dq)`, not projected.
            key_heads: `(B, H, S, d)`.
            value_heads: `(B, H, S, v)`.
            mask: Bool, broadcastable to `(B, T, S)`, as `combine_masks` makes it; all heads share it.
            training: Whether to apply dropout.

        Returns:
            (output, weights): `(B, T, output_dim)` and float32 `(B, H, T, S)`.
        """
        query_heads = ops.swapaxes(self.query_dense(query), -3, -2) * self.key_dim**-0.5  # (B, H, T, d)
        scores = ops.matmul(query_heads, ops.swapaxes(key_heads, -2, -1))  # (B, H, T, S)
        # Without a batch it broadcasts over the heads as it is; a mask with one gets an axis of size 1 for them.
        head_mask = mask if mask is None or len(mask.shape) <= 2 else ops.expand_dims(mask, -3)
        weights = masked_softmax(scores, head_mask)
        dropped = self.weight_dropout(ops.cast(weights, self.compute_dtype), training=training)
        found = ops.matmul(dropped, value_heads)  # (B, H, T, v)
        output = self.output_dense(ops.swapaxes(found, -3, -2))  # (B, T, output_dim)
        if mask is not None:  # weights of zero still let the output bias through
            output = ops.where(ops.any(mask, axis=-1, keepdims=True), output, 0.0)
        return output, weights

    def attend_without_scores(
        self,
        query,
        key_heads,
        value_heads,
        query_mask=None,
        value_mask=None,
        attention_mask=None,
        use_causal_mask=False,
        training=None,
    ):
        """As `attend`, the weights staying inside the kernel; takes the masks of `call`.

        Returns:
            `(B, T, output_dim)`.
        """
        length = ops.shape(query)[-2]
        if len(query.shape) > 3:  # the kernel knows one leading axis
            causal = causal_mask(length, ops.shape(key_heads)[-2]) if use_causal_mask else None
            mask = combine_masks(query_mask, value_mask, attention_mask, causal)
            return self.attend(query, key_heads, value_heads, mask, training=training)[0]
        if attention_mask is not None:
            attention_mask = ops.cast(attention_mask, "bool")
            attention_mask = ops.reshape(
                attention_mask, (*[1] * (3 - len(attention_mask.shape)), *ops.shape(attention_mask))
            )
        found = dot_product_attention(
            self.query_dense(query),  # (B, T, H, d)
            ops.swapaxes(key_heads, 1, 2),
            ops.swapaxes(value_heads, 1, 2),
            key_mask=value_mask,
            mask=None if attention_mask is None else attention_mask[:, None],
            is_causal=use_causal_mask,
            dropout_rate=self.dropout if training else 0.0,
            seed=self.weight_dropout.seed_generator if self.dropout else None,
            implementation=self.implementation,
        )
        output = self.output_dense(found)  # (B, T, output_dim)
        attends = attending_queries(
            length, ops.shape(key_heads)[-2], query_mask, value_mask, attention_mask, use_causal_mask
        )
        return (
            output if attends is None else ops.where(attends[..., None], output, 0.0)
        )  # else the output bias would show

    def compute_output_shape(self, query_shape, value_shape, key_shape=None):
        return (*query_shape[:-1], query_shape[-1] if self.output_dim is None else self.output_dim)

    def compute_output_spec(
        self,
        query,
        value,
        key=None,
        query_mask=None,
        value_mask=None,
        attention_mask=None,
        use_causal_mask=False,
        return_attention_scores=False,
        training=None,
    ):
        output = keras.KerasTensor(self.compute_output_shape(query.shape, value.shape), dtype=self.compute_dtype)
        scores_shape = (*query.shape[:-2], self.num_heads, query.shape[-2], value.shape[-2])
        return (output, keras.KerasTensor(scores_shape, dtype="float32")) if return_attention_scores else output

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "key_dim": self.key_dim,
            "value_dim": self.value_dim,
            "dropout": self.dropout,
            "use_bias": self.use_bias,
            "output_dim": self.output_dim,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "implementation": self.implementation,
        }
