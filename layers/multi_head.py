"""Multi-head attention: several scaled dot products side by side, each in a small subspace of its own.

Shapes: B batch (one or more leading axes), T queries, S keys, D features, H heads, d key_dim, v value_dim.
"""

import keras
from keras import ops

from attention_zoo.layers.masks import causal_mask, combine_masks, masked_softmax


@keras.saving.register_keras_serializable("attention_zoo")
class MultiHeadAttention(keras.layers.Layer):
    """Attends with H heads and joins what they found (Vaswani et al. 2017, section 3.2.2).

    `head_i = softmax(Q W_i^Q (K W_i^K)^T / sqrt(d)) V W_i^V`, output `Concat(head_1, ..., head_H) W^O`.

    The weights lie as in `keras.layers.MultiHeadAttention`, whose `get_weights()` can be set here; the two then give the
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
        ValueError: If a size is not a positive integer, if the ranks of the inputs differ, or if `key` and `value`
            have different lengths.

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
        **kwargs,
    ):
        super().__init__(**kwargs)
        value_dim = key_dim if value_dim is None else value_dim
        sizes = {"num_heads": num_heads, "key_dim": key_dim, "value_dim": value_dim, "output_dim": output_dim}
        for name, size in sizes.items():
            if (name, size) != ("output_dim", None) and (not isinstance(size, int) or size < 1):
                raise ValueError(f"`{name}` must be a positive integer. Received: {name}={size!r}")
        self.num_heads = num_heads
        self.key_dim = key_dim
        self.value_dim = value_dim
        self.dropout = dropout
        self.use_bias = use_bias
        self.output_dim = output_dim
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.weight_dropout = keras.layers.Dropout(dropout, dtype=self.dtype_policy, name="dropout")
        self.supports_masking = True

    def build(self, query_shape, value_shape, key_shape=None):
        key_shape = value_shape if key_shape is None else key_shape
        if len(query_shape) < 3 or not len(query_shape) == len(value_shape) == len(key_shape):
            raise ValueError(
                "`query`, `value` and `key` must have the same rank, 3 or more. "
                f"Received shapes: query={query_shape}, value={value_shape}, key={key_shape}"
            )
        if None not in (value_shape[-2], key_shape[-2]) and value_shape[-2] != key_shape[-2]:
            raise ValueError(
                f"`key` and `value` must have the same length. Received shapes: key={key_shape}, value={value_shape}"
            )
        lead = "tuvwxyz"[: len(query_shape) - 1]  # the axes that a projection leaves alone
        split = f"{lead}e,ehd->{lead}hd"
        heads = self.num_heads
        self.query_dense = self._projection("query", split, query_shape, (heads, self.key_dim), fan_axes=1)
        self.key_dense = self._projection("key", split, key_shape, (heads, self.key_dim), fan_axes=1)
        self.value_dense = self._projection("value", split, value_shape, (heads, self.value_dim), fan_axes=1)
        joined_shape = (*query_shape[:-1], heads, self.value_dim)
        output_dim = query_shape[-1] if self.output_dim is None else self.output_dim
        self.output_dense = self._projection(
            "attention_output", f"{lead}hd,hde->{lead}e", joined_shape, (output_dim,), fan_axes=2
        )

    def _projection(self, name, equation, input_shape, output_sizes, fan_axes):
        """One matmul for all heads. `fan_axes`: how many axes of the kernel are inputs."""
        initializer = self.kernel_initializer.clone()

        def draw_as_matrix(shape, dtype=None):
            rows = columns = 1
            for size in shape[:fan_axes]:
                rows *= size
            for size in shape[fan_axes:]:
                columns *= size
            return ops.reshape(initializer((rows, columns), dtype=dtype), shape)

        kept = len(input_shape) - 1 - fan_axes  # the leading axes behind the batch, which EinsumDense wants named
        dense = keras.layers.EinsumDense(
            equation,
            output_shape=(*[None] * kept, *output_sizes),
            bias_axes=equation[-len(output_sizes) :] if self.use_bias else None,
            kernel_initializer=draw_as_matrix,
            dtype=self.dtype_policy,
            name=name,
        )
        dense.supports_masking = True  # masks are dealt with here; a projection need not warn that it drops them
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
        causal = causal_mask(ops.shape(query)[-2], ops.shape(value)[-2]) if use_causal_mask else None
        mask = combine_masks(query_mask, value_mask, attention_mask, causal)
        output, weights = self.attend(query, key_heads, value_heads, mask, training=training)
        return (output, weights) if return_attention_scores else output

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
        scores = ops.einsum("...td,...sd->...ts", query_heads, key_heads)  # (B, H, T, S)
        # Rank 2 broadcasts over the heads as it is; a mask with a batch gets an axis of size 1 for them.
        head_mask = mask if mask is None or len(mask.shape) == 2 else ops.expand_dims(mask, -3)
        weights = masked_softmax(scores, head_mask)
        dropped = self.weight_dropout(ops.cast(weights, self.compute_dtype), training=training)
        found = ops.matmul(dropped, value_heads)  # (B, H, T, v)
        output = self.output_dense(ops.swapaxes(found, -3, -2))  # (B, T, output_dim)
        if mask is not None:  # weights of zero still let the output bias through
            output = ops.where(ops.any(mask, axis=-1, keepdims=True), output, 0.0)
        return output, weights

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
        }


@keras.saving.register_keras_serializable("attention_zoo")
class MultiHeadSelfAttention(MultiHeadAttention):
    """Multi-head attention of a sequence to itself, with a cache for writing step by step.

    Takes the arguments of `MultiHeadAttention` (Vaswani et al. 2017, section 3.2.3).

    Call arguments:
        query: `(B, T, D)`; B may be several axes.
        query_mask: Bool `(B, T)`, True where there is a token, which attends and is attended to. Defaults to the Keras
            mask of `query`. With a cache it speaks of the new tokens; cached ones can be hidden by `attention_mask`.
        attention_mask: Bool, broadcastable to `(B, T, S)`, S counting the cached positions too.
        use_causal_mask: Whether token i sees the tokens up to i alone. With a cache, i counts from the cached length.
        cache: `{"key": (B, H, T_past, d), "value": (B, H, T_past, v)}`; `empty_cache(batch_size)` to begin with.
        return_attention_scores: Whether to return the weights too (those before dropout).
        training: Whether to apply dropout.

    Returns:
        `(B, T, output_dim)`, then with `return_attention_scores` the weights, float32 `(B, H, T, S)`, then with a cache
        the new cache, longer by T. A new tensor each step: nothing is kept in the layer.

    Example:

    >>> import keras
    >>> from attention_zoo.layers import MultiHeadSelfAttention
    >>> layer = MultiHeadSelfAttention(num_heads=2, key_dim=4)
    >>> sequence = keras.ops.ones((3, 5, 8))
    >>> tuple(layer(sequence, use_causal_mask=True).shape)
    (3, 5, 8)
    >>> step, cache = layer(sequence[:, :1], cache=layer.empty_cache(batch_size=3), use_causal_mask=True)
    >>> tuple(step.shape), tuple(cache["key"].shape)
    ((3, 1, 8), (3, 2, 1, 4))
    """

    def build(self, query_shape):
        super().build(query_shape, query_shape)

    def call(
        self,
        query,
        query_mask=None,
        attention_mask=None,
        use_causal_mask=False,
        cache=None,
        return_attention_scores=False,
        training=None,
    ):
        if query_mask is None:  # Keras hands implicit masks to layers with several inputs alone
            query_mask = getattr(query, "_keras_mask", None)
        key_heads, value_heads = self.project_key_value(query)
        past, key_mask = 0, query_mask
        if cache is not None:
            past = ops.shape(cache["key"])[-2]
            key_heads = ops.concatenate([cache["key"], key_heads], axis=-2)  # (B, H, S, d)
            value_heads = ops.concatenate([cache["value"], value_heads], axis=-2)  # (B, H, S, v)
            cache = {"key": key_heads, "value": value_heads}
            if query_mask is not None:
                past_mask = ops.ones_like(key_heads[..., 0, :past, 0], dtype="bool")  # (B, T_past)
                key_mask = ops.concatenate([past_mask, ops.cast(query_mask, "bool")], axis=-1)  # (B, S)
        causal = None
        if use_causal_mask and not (cache is not None and query.shape[-2] == 1):  # a lone new token sees all there is
            length = ops.shape(query)[-2]
            causal = causal_mask(length, past + length, past)
        mask = combine_masks(query_mask, key_mask, attention_mask, causal)
        output, weights = self.attend(query, key_heads, value_heads, mask, training=training)
        results = (output, *[weights] * bool(return_attention_scores), *[cache] * (cache is not None))
        return results if len(results) > 1 else output

    def empty_cache(self, batch_size):
        """A cache of no tokens, `{"key": (batch_size, H, 0, d), "value": (batch_size, H, 0, v)}`, in the compute dtype.

        The axis of time has the static size 0: that tells a decoding loop which axis grows.
        """
        sizes = {"key": self.key_dim, "value": self.value_dim}
        return {
            name: ops.zeros((batch_size, self.num_heads, 0, size), dtype=self.compute_dtype)
            for name, size in sizes.items()
        }

    def compute_output_shape(self, query_shape):
        return super().compute_output_shape(query_shape, query_shape)

    def compute_output_spec(
        self,
        query,
        query_mask=None,
        attention_mask=None,
        use_causal_mask=False,
        cache=None,
        return_attention_scores=False,
        training=None,
    ):
        length = query.shape[-2]
        past = 0 if cache is None else cache["key"].shape[-2]
        total = None if None in (length, past) else past + length
        heads = (*query.shape[:-2], self.num_heads)
        results = [keras.KerasTensor(self.compute_output_shape(query.shape), dtype=self.compute_dtype)]
        if return_attention_scores:
            results.append(keras.KerasTensor((*heads, length, total), dtype="float32"))
        if cache is not None:
            shapes = {"key": (*heads, total, self.key_dim), "value": (*heads, total, self.value_dim)}
            results.append({name: keras.KerasTensor(shape, dtype=self.compute_dtype) for name, shape in shapes.items()})
        return tuple(results) if len(results) > 1 else results[0]
