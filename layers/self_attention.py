"""Multi-head attention of a sequence to itself, all at once or step by step.

Shapes: B batch (one or more leading axes), T new positions, S all positions, D features, H heads, d key_dim, v
value_dim, L the positions that a cache has room for.
"""

import keras
from keras import ops

from attention_zoo.layers.masks import combine_masks
from attention_zoo.layers.multi_head import MultiHeadAttention
from attention_zoo.layers.projection import project_together
from attention_zoo.layers.shapes import check_mask_shapes


@keras.saving.register_keras_serializable("attention_zoo")
class MultiHeadSelfAttention(MultiHeadAttention):
    """Multi-head attention of a sequence to itself, with a cache for writing step by step.

    Takes the arguments of `MultiHeadAttention` (Vaswani et al. 2017, section 3.2.3).

    Call arguments:
        query: `(B, T, D)`; B may be several axes.
        query_mask: Bool `(B, T)`, True where there is a token, as a query and as a key. Defaults to the Keras mask of
            `query`. With a cache it covers only the new tokens; `attention_mask` can hide cached ones.
        attention_mask: Bool, broadcastable to `(B, T, S)`, where S includes the cached positions.
        use_causal_mask: Whether token i sees only the tokens up to i. With a cache, i counts from the cached length.
        cache: `{"key": (B, H, T_past, d), "value": (B, H, T_past, v)}`, or one of fixed size: `{"key": (B, H, L, d),
            "value": (B, H, L, v), "length": T_past}`, where S is L. `empty_cache` makes both kinds.
        return_attention_scores: Whether to return the weights too (those before dropout).
        training: Whether to apply dropout.

    Returns:
        `(B, T, output_shape)`, then with `return_attention_scores` the weights, float32 `(B, H, T, S)`, then with a
        cache the new cache: longer by T, or of the same size with a "length" greater by T. The layer keeps no state.

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
    >>> step, cache = layer(sequence[:, :1], cache=layer.empty_cache(batch_size=3, max_length=5), use_causal_mask=True)
    >>> tuple(cache["key"].shape), int(cache["length"])
    ((3, 2, 5, 4), 1)
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
        if query_mask is None:  # Keras passes implicit masks only to layers with several inputs
            query_mask = getattr(query, "_keras_mask", None)
        if self.attention_axes is not None:
            if cache is not None:
                raise ValueError(f"A cache needs `attention_axes=None`. Received: attention_axes={self.attention_axes}")
            masks = (query_mask, query_mask, None, attention_mask)
            return super().call(query, query, None, *masks, return_attention_scores, training, use_causal_mask)
        if cache is None:
            check_mask_shapes(type(self).__name__, query.shape, query.shape, query_mask, None, attention_mask)
        query_heads, key_heads, value_heads = self.project_heads(query)
        if cache is None and not return_attention_scores:
            masks = (query_mask, query_mask, attention_mask, use_causal_mask)
            return self.attend_without_scores(
                query, key_heads, value_heads, *masks, training=training, query_heads=query_heads
            )
        past, key_mask = 0, query_mask
        if cache is not None:
            past = cache["length"] if "length" in cache else ops.shape(cache["key"])[-2]
            cache, key_mask = self._append(cache, key_heads, value_heads, query_mask)
            key_heads, value_heads = cache["key"], cache["value"]
        causal = use_causal_mask and not (
            cache is not None and query.shape[-2] == 1
        )  # one new token sees all positions
        order = self.order_mask(ops.shape(query)[-2], ops.shape(key_heads)[-2], causal, past)
        mask = combine_masks(query_mask, key_mask, attention_mask, order)
        output, weights = self.attend(query, key_heads, value_heads, mask, training, query_heads)
        results = [output]
        if return_attention_scores:
            results.append(weights)
        if cache is not None:
            results.append(cache)
        return tuple(results) if len(results) > 1 else output

    def project_heads(self, query):
        """Projects a sequence `(B, T, D)` to queries `(B, T, H, d)`, keys `(B, H, T, d)` and values `(B, H, T, v)`."""
        query_heads, *others = project_together(query, [self.query_dense, self.key_dense, self.value_dense])
        return query_heads, *(ops.swapaxes(heads, -3, -2) for heads in others)

    def _append(self, cache, keys, values, query_mask):
        """Appends new keys and values to the cached ones.

        Returns:
            (cache, key_mask): the new cache, and the keys that may be attended to, bool `(B, S)`, `(S,)` or `None`.
        """
        if "length" not in cache:
            if query_mask is not None:
                past_mask = ops.ones_like(cache["key"][..., 0, :, 0], dtype="bool")  # (B, T_past)
                query_mask = ops.concatenate([past_mask, ops.cast(query_mask, "bool")], axis=-1)  # (B, S)
            joined = (ops.concatenate(pair, axis=-2) for pair in ((cache["key"], keys), (cache["value"], values)))
            return dict(zip(("key", "value"), joined)), query_mask
        past = cache["length"]
        length = past + ops.shape(keys)[-2]
        start = [*[0] * (len(keys.shape) - 2), past, 0]
        written = {
            "key": ops.slice_update(cache["key"], start, keys),
            "value": ops.slice_update(cache["value"], start, values),
        }
        key_mask = ops.arange(ops.shape(cache["key"])[-2]) < length  # (L,)
        if query_mask is not None:
            room = ops.ones_like(written["key"][..., 0, :, 0], dtype="bool")  # (B, L)
            room = ops.slice_update(room, [*[0] * (len(room.shape) - 1), past], ops.cast(query_mask, "bool"))
            key_mask = ops.logical_and(room, key_mask)
        return written | {"length": length}, key_mask

    def empty_cache(self, batch_size, max_length=None):
        """Makes a cache without tokens, in the compute dtype.

        Args:
            batch_size: B, an integer or a scalar tensor.
            max_length: L, the number of tokens that the cache has room for, an integer or a scalar tensor. Shapes then
                are the same at each step, as XLA and JAX need them; the caller must not write more tokens. Defaults to
                `None`: the cache grows at each step.

        Returns:
            `{"key": (B, H, 0, d), "value": (B, H, 0, v)}`, whose static size 0 tells a decoding loop which axis grows;
            with `max_length`, `{"key": (B, H, L, d), "value": (B, H, L, v), "length": 0}`.
        """
        sizes = {"key": self.key_dim, "value": self.value_dim}
        room = 0 if max_length is None else max_length
        cache = {
            name: ops.zeros((batch_size, self.num_heads, room, size), dtype=self.compute_dtype)
            for name, size in sizes.items()
        }
        return cache if max_length is None else cache | {"length": ops.zeros((), "int32")}

    def compute_output_shape(self, query_shape, value_shape=None):
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
        if cache is None:
            return super().compute_output_spec(query, query, return_attention_scores=return_attention_scores)
        length, total = query.shape[-2], positions_in(cache, query.shape[-2])
        heads = (*query.shape[:-2], self.num_heads)
        results = [keras.KerasTensor(self.compute_output_shape(query.shape), dtype=self.compute_dtype)]
        if return_attention_scores:
            results.append(keras.KerasTensor((*heads, length, total), dtype="float32"))
        if cache is not None:
            shapes = {"key": (*heads, total, self.key_dim), "value": (*heads, total, self.value_dim)}
            written = {name: keras.KerasTensor(shape, dtype=self.compute_dtype) for name, shape in shapes.items()}
            results.append(written | ({"length": keras.KerasTensor((), dtype="int32")} if "length" in cache else {}))
        return tuple(results) if len(results) > 1 else results[0]


def positions_in(cache, length):
    """S: the number of positions after `length` new ones, with those in a cache if there is one; `None` if unknown."""
    past = 0 if cache is None else cache["key"].shape[-2]
    if cache is not None and "length" in cache:
        return past
    return None if None in (length, past) else past + length
