"""The decoder block of the Transformer, for a whole target at once or step by step with a cache.

Shapes: B batch, T target positions, S source positions, D features, H heads, K hypotheses of a source.
"""

import keras
from keras import ops

from attention_zoo.layers.masks import combine_masks
from attention_zoo.layers.multi_head import MultiHeadAttention
from attention_zoo.layers.self_attention import MultiHeadSelfAttention, positions_in
from attention_zoo.layers.shapes import at_least, leading_axes
from attention_zoo.layers.transformer_block import TransformerBlock


@keras.saving.register_keras_serializable("attention_zoo")
class TransformerDecoderBlock(TransformerBlock):
    """Causal self-attention, attention to a source, a feed-forward network (Vaswani et al. 2017, section 3.1).

    Takes the arguments of `TransformerEncoderBlock`. To write step by step, project the source once and pass a cache:
    at first `{"self": block.empty_cache(B), "cross": block.project_memory(source)}`, then the cache of the last step.

    Call arguments:
        query: `(B, T, D)`, the target so far, or with a cache only its new positions.
        value: `(B, S, Dv)`, the encoded source. May be `None` if the cache holds its projection.
        query_mask: Bool `(B, T)`, True where there is a token. Defaults to the Keras mask of `query`.
        value_mask: Bool `(B, S)`, True where there is a source token. Defaults to the Keras mask of `value`.
        attention_mask: Bool, broadcastable to `(B, T, T)`, of the self-attention; with a cache its last axis includes
            the cached positions.
        use_causal_mask: Whether token i sees only the tokens up to i. Defaults to `True`.
        cache: `{"self": block.empty_cache(B)}` and, if `value` is not to be projected, `"cross": (keys, values)`. The
            latter may have one row per source while `query` has several hypotheses of each source, which are
            neighbours.
        return_attention_scores: Whether to return the weights too.
        training: Whether to apply dropout.

    Returns:
        `(B, T, D)`, then with `return_attention_scores` the weights as `{"self": (B, H, T, T), "cross": (B, H, T, S)}`
        in float32, then with a cache the new cache: `"self"` longer by T, `"cross"` always there.

    Raises:
        ValueError: As in the encoder block, and if there is neither a `value` nor its projection.

    Example:

    >>> import keras
    >>> from attention_zoo.layers import TransformerDecoderBlock
    >>> block = TransformerDecoderBlock(num_heads=2, intermediate_dim=32)
    >>> target, source = keras.ops.ones((3, 5, 8)), keras.ops.ones((3, 7, 8))
    >>> tuple(block(target, source).shape)
    (3, 5, 8)
    >>> cache = {"self": block.empty_cache(3), "cross": block.project_memory(source)}
    >>> step, cache = block(target[:, :1], None, cache=cache)
    >>> tuple(step.shape), tuple(cache["self"]["key"].shape)
    ((3, 1, 8), (3, 2, 1, 4))
    """

    def build(self, query_shape, value_shape):
        self.self_attention = self._build_attention(MultiHeadSelfAttention, "self_attention", query_shape)
        self.self_attention_norm = self._build_norm("self_attention_norm", query_shape)
        self.cross_attention = self._build_attention(MultiHeadAttention, "cross_attention", query_shape, value_shape)
        self.cross_attention_norm = self._build_norm("cross_attention_norm", query_shape)
        self._build_feed_forward(query_shape)

    def call(
        self,
        query,
        value,
        query_mask=None,
        value_mask=None,
        attention_mask=None,
        use_causal_mask=True,
        cache=None,
        return_attention_scores=False,
        training=None,
    ):
        if query_mask is None:  # with `value` None, Keras sees one input, and hands over no implicit mask
            query_mask = getattr(query, "_keras_mask", None)
        results = self.self_attention(
            self._enter(query, self.self_attention_norm),
            query_mask=query_mask,
            attention_mask=attention_mask,
            use_causal_mask=use_causal_mask,
            cache=None if cache is None else cache["self"],
            return_attention_scores=return_attention_scores,
            training=training,
        )
        self_scores, self_cache = None, None
        if return_attention_scores and cache is not None:
            update, self_scores, self_cache = results
        elif return_attention_scores:
            update, self_scores = results
        elif cache is not None:
            update, self_cache = results
        else:
            update = results
        features = self._leave(query, update, self.self_attention_norm, training)

        memory = None if cache is None else cache.get("cross")
        if memory is None:
            if value is None:
                raise ValueError(
                    '`value` must be given unless `cache` holds its projection, "cross". Received: value=None'
                )
            memory = self.project_memory(value)
        entered = self._enter(features, self.cross_attention_norm)
        cross_scores = None
        if cache is not None:
            update, cross_scores = self._attend_to_memory(entered, memory, query_mask, value_mask, training)
        elif return_attention_scores:
            mask = combine_masks(query_mask, value_mask)
            update, cross_scores = self.cross_attention.attend(entered, *memory, mask=mask, training=training)
        else:
            update = self.cross_attention.attend_without_scores(
                entered, *memory, query_mask, value_mask, training=training
            )
        features = self._leave(features, update, self.cross_attention_norm, training)

        results = [self._feed_forward(features, training)]
        if return_attention_scores:
            results.append({"self": self_scores, "cross": cross_scores})
        if cache is not None:
            results.append({"self": self_cache, "cross": memory})
        return tuple(results) if len(results) > 1 else results[0]

    def _attend_to_memory(self, query, memory, query_mask, value_mask, training):
        """Attends to the projection of a source with the K T queries of its K hypotheses.

        Returns:
            (update, scores): (B K, T, D) and (B K, H, T, S).
        """
        rows, length = ops.shape(query)[0], ops.shape(query)[1]
        batch = ops.shape(memory[0])[0]
        queries = rows // at_least(batch, 1) * length
        if query_mask is not None:
            query_mask = ops.reshape(query_mask, (batch, queries))
        mask = combine_masks(query_mask, value_mask)
        folded = ops.reshape(query, (batch, queries, query.shape[-1]))  # (B, K T, D)
        update, scores = self.cross_attention.attend(folded, *memory, mask=mask, training=training)
        scores = ops.swapaxes(scores, 1, 2)  # (B, K T, H, S)
        scores = ops.reshape(scores, (rows, length, self.num_heads, ops.shape(scores)[-1]))
        return ops.reshape(update, (*leading_axes(query), query.shape[-1])), ops.swapaxes(scores, 1, 2)

    def project_memory(self, value):
        """Projects a source `(B, S, Dv)` to keys and values of the cross-attention, `(B, H, S, d)` each."""
        return self.cross_attention.project_key_value(value)

    def empty_cache(self, batch_size, max_length=None):
        """Makes a self-attention cache without tokens; see `MultiHeadSelfAttention.empty_cache`."""
        return self.self_attention.empty_cache(batch_size, max_length)

    def compute_output_shape(self, query_shape, value_shape):
        return query_shape

    def compute_output_spec(
        self,
        query,
        value,
        query_mask=None,
        value_mask=None,
        attention_mask=None,
        use_causal_mask=True,
        cache=None,
        return_attention_scores=False,
        training=None,
    ):
        dim, length = query.shape[-1], query.shape[-2]
        total = positions_in(None if cache is None else cache["self"], length)
        heads, key_dim = (*query.shape[:-2], self.num_heads), dim // self.num_heads
        source_length = cache["cross"][0].shape[-2] if value is None else value.shape[-2]
        results = [keras.KerasTensor(query.shape, dtype=self.compute_dtype)]
        if return_attention_scores:
            lengths = {"self": total, "cross": source_length}
            results.append({n: keras.KerasTensor((*heads, length, k), dtype="float32") for n, k in lengths.items()})
        if cache is not None:
            key, cross = (
                keras.KerasTensor((*heads, k, key_dim), dtype=self.compute_dtype) for k in (total, source_length)
            )
            taken = {"length": keras.KerasTensor((), dtype="int32")} if "length" in cache["self"] else {}
            results.append({"self": {"key": key, "value": key} | taken, "cross": (cross, cross)})
        return tuple(results) if len(results) > 1 else results[0]
