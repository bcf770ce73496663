"""Multi-head attention of a sequence to itself, all at once or step by step.

Shapes: B batch (one or more leading axes), T new positions, S all positions, D features, H heads, d key_dim, v value_dim.
"""

import keras
from keras import ops

from attention_zoo.layers.masks import causal_mask, combine_masks
from attention_zoo.layers.multi_head import MultiHeadAttention


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
        if cache is None and not return_attention_scores:
            masks = (query_mask, query_mask, attention_mask, use_causal_mask)
            return self.attend_without_scores(query, key_heads, value_heads, *masks, training=training)
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
