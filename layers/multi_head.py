"""Multi-head attention: several scaled dot products in parallel, each in a small subspace of its own.

Shapes: B batch (one or more leading axes), T queries, S keys, D features, H heads, d key_dim, v value_dim.
"""

import keras
from keras import ops

from attention_zoo.layers.axes import attended_axes, over_axes
from attention_zoo.layers.dot_product import dot_product_attention
from attention_zoo.layers.head_projections import HeadProjections
from attention_zoo.layers.masks import attending_queries, causal_mask, combine_head_masks, masked_softmax, window_mask
from attention_zoo.layers.precision import widen
from attention_zoo.layers.projection import project_together
from attention_zoo.layers.shapes import check_mask_shapes


@keras.saving.register_keras_serializable("attention_zoo")
class MultiHeadAttention(HeadProjections):
    """Attends with H heads and joins their outputs (Vaswani et al. 2017, section 3.2.2).

    `head_i = softmax(Q W_i^Q (K W_i^K)^T / sqrt(d)) V W_i^V`, output `Concat(head_1, ..., head_H) W^O`.

    Takes the constructor arguments of `keras.layers.MultiHeadAttention`. Weights have its layout: `set_weights` accepts
    its `get_weights()`, and the two layers then give the same output. Two things differ. A query with nothing to attend
    to gets zeros (Keras: the mean of all values). `attention_axes=None` attends over the last axis before the features
    (Keras: over all axes between batch and features).

    Args:
        num_heads: H.
        key_dim: d, the width of one head's queries and keys.
        value_dim: v, the width of one head's values. Defaults to `key_dim`.
        dropout: Share of the attention weights that are dropped in training, in [0, 1). Defaults to 0.
        use_bias: Whether the projections add a bias (the paper's do not). Defaults to `True`.
        output_shape: Width of the output, or a tuple of widths. Defaults to the width of the query.
        attention_axes: An axis, or several, over which to attend; the axes before the features that are not named are
            batch axes. Defaults to `None`: the last axis before the features.
        sliding_window: A positive integer W. Query t sees only the keys s with |t - s| < W; with a causal mask, itself
            and the W - 1 before it. Defaults to `None`: no limit.
        flash_attention: Ignored; Keras's layer has this argument. The block kernels replace it: see `implementation`.
        kernel_initializer, bias_initializer: Of all projections; each gets a copy.
        kernel_regularizer, bias_regularizer, activity_regularizer: Of all projections.
        kernel_constraint, bias_constraint: Of all projections.
        use_gate: Whether to multiply the outputs of the heads by `sigmoid(Q W^G)` before `W^O`. Defaults to `False`.
        seed: An integer, for dropout.
        implementation: How to compute attention if no scores are asked for. `"plain"` computes all T x S scores of a
            head at once. `"blocks"` needs memory that grows with T + S, plus up to 128 MB of weights (TensorFlow
            without XLA, which `fit` then does not use). `"auto"` takes the faster one. All give the same output.
            Defaults to `"auto"`.

    Call arguments:
        query: `(B, T, Dq)`; B may be several axes.
        value: `(B, S, Dv)`.
        key: `(B, S, Dk)`. Defaults to `value`.
        query_mask: Bool `(B, T)`, True where there is a query. Defaults to the Keras mask of `query`.
        value_mask: Bool `(B, S)`, True where there is a value. Defaults to the Keras mask of `value`.
        key_mask: Bool `(B, S)`, True where there is a key. Defaults to the Keras mask of `key`.
        attention_mask: Bool, broadcastable to `(B, T, S)`, True where a query may attend; with one more axis, to
            `(B, H, T, S)`. With several attention axes T and S are several axes each.
        use_causal_mask: Whether query i sees only the keys up to i.
        return_attention_scores: Whether to return the weights too (those before dropout).
        training: Whether to apply dropout.

    Returns:
        `(B, T, output_shape)`, and with `return_attention_scores` also the weights, float32 `(B, H, T, S)`.

    Attributes:
        max_length: The largest T and S that are expected, which a model sets that knows them. If blocks pay at none of
            these lengths, a graph of unknown lengths holds only the plain products, which takes less time to
            trace. Longer inputs give the same output. Defaults to `None`, any length.

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

    max_length = None

    def call(
        self,
        query,
        value,
        key=None,
        query_mask=None,
        value_mask=None,
        key_mask=None,
        attention_mask=None,
        return_attention_scores=False,
        training=None,
        use_causal_mask=False,
    ):
        masks = (query_mask, value_mask, key_mask, attention_mask)
        axes = attended_axes(self.attention_axes, len(query.shape))
        if use_causal_mask and len(axes) > 1:
            raise ValueError(f"`use_causal_mask` needs a single attention axis. Received: attention_axes={axes}")
        options = (use_causal_mask, return_attention_scores, training)
        output, scores = over_axes(self._call, axes, query, value, key, masks, options)
        return (output, scores) if return_attention_scores else output

    def _call(self, query, value, key, query_mask, value_mask, key_mask, attention_mask, causal, with_scores, training):
        """`call` over the axis before the features. Returns (output, scores), scores None unless asked for."""
        check_mask_shapes(type(self).__name__, query.shape, value.shape, query_mask, value_mask, attention_mask)
        if key_mask is not None:
            key_mask = ops.cast(key_mask, "bool")
            value_mask = key_mask if value_mask is None else ops.logical_and(key_mask, ops.cast(value_mask, "bool"))
        key_heads, value_heads = self.project_key_value(value, key)
        masks = (query_mask, value_mask, attention_mask, causal)
        if not with_scores:
            return self.attend_without_scores(query, key_heads, value_heads, *masks, training=training), None
        return self.attend_with_masks(query, key_heads, value_heads, *masks, training=training)

    def order_mask(self, query_length, key_length, use_causal_mask, offset=0):
        """The causal mask and the sliding window as one mask (T, S), or `None` if neither applies."""
        causal = causal_mask(query_length, key_length, offset) if use_causal_mask else None
        if self.sliding_window is None:
            return causal
        window = window_mask(query_length, key_length, self.sliding_window, offset)
        return window if causal is None else window & causal

    def project_key_value(self, value, key=None):
        """Projects keys and values; a decoder calls this once per sequence.

        Args:
            value: `(B, S, Dv)`.
            key: `(B, S, Dk)`. Defaults to `value`.

        Returns:
            Keys `(B, H, S, d)` and values `(B, H, S, v)`.
        """
        if key is None:
            key_heads, value_heads = project_together(value, [self.key_dense, self.value_dense])
        else:
            key_heads, value_heads = self.key_dense(key), self.value_dense(value)  # (B, S, H, d) and (B, S, H, v)
        return ops.swapaxes(key_heads, -3, -2), ops.swapaxes(value_heads, -3, -2)

    def attend(self, query, key_heads, value_heads, mask=None, training=None, query_heads=None):
        """Attends to projected keys and values.

        Args:
            query: `(B, T, Dq)`, not projected.
            key_heads: `(B, H, S, d)`.
            value_heads: `(B, H, S, v)`.
            mask: Bool, broadcastable to `(B, T, S)`, as `combine_masks` makes it; all heads share it.
            training: Whether to apply dropout.
            query_heads: `(B, T, H, d)`, the projected query. Defaults to `None`: computed here.

        Returns:
            (output, weights): `(B, T, output_shape)` and float32 `(B, H, T, S)`.
        """
        query_heads = self.query_dense(query) if query_heads is None else query_heads
        if self.num_key_heads != self.num_heads:
            repeats = self.num_heads // self.num_key_heads
            key_heads, value_heads = (ops.repeat(x, repeats, axis=-3) for x in (key_heads, value_heads))
        query_heads = widen(ops.swapaxes(query_heads, -3, -2)) * self.key_dim**-0.5  # (B, H, T, d)
        scores = ops.matmul(query_heads, widen(ops.swapaxes(key_heads, -2, -1)))  # (B, H, T, S)
        # A mask without a batch axis broadcasts over the heads; one with a batch axis gets an axis of size 1 for them.
        has_heads = mask is not None and len(mask.shape) > len(query.shape)
        head_mask = mask if mask is None or len(mask.shape) <= 2 or has_heads else ops.expand_dims(mask, -3)
        weights = masked_softmax(scores, head_mask)
        dropped = self._dropout_layer(ops.cast(weights, self.compute_dtype), training=training)
        contexts = ops.matmul(dropped, value_heads)  # (B, H, T, v)
        output = self._join(query, ops.swapaxes(contexts, -3, -2))
        if mask is None:
            return output, weights
        attends = ops.any(mask, axis=-1)
        return self._zero(output, ops.any(attends, axis=-2) if has_heads else attends), weights

    def _join(self, query, contexts):
        """Joins the contexts of the heads `(B, T, H, v)`, after the gate."""
        return self.output_dense(ops.multiply(contexts, self.gate_dense(query)) if self.use_gate else contexts)

    def _zero(self, output, attends):
        """Zeros for queries with nothing to attend to: weights of zero still let the output bias through."""
        features = 1 if self.output_shape is None else len(self.output_shape)
        return ops.where(ops.reshape(attends, (*ops.shape(attends), *[1] * features)), output, 0.0)

    def attend_with_masks(
        self,
        query,
        key_heads,
        value_heads,
        query_mask=None,
        value_mask=None,
        attention_mask=None,
        use_causal_mask=False,
        training=None,
        query_heads=None,
    ):
        """Attends as `attend` does; takes the masks of `call`."""
        order = self.order_mask(ops.shape(query)[-2], ops.shape(key_heads)[-2], use_causal_mask)
        mask = combine_head_masks(query_mask, value_mask, attention_mask, order, len(query.shape))
        return self.attend(query, key_heads, value_heads, mask, training, query_heads)

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
        query_heads=None,
    ):
        """Attends as `attend` does, but keeps the weights inside the kernel; takes the masks of `call`.

        Returns:
            `(B, T, output_shape)`.
        """
        length = ops.shape(query)[-2]
        if len(query.shape) > 3:  # the kernel takes one leading axis
            masks = (query_mask, value_mask, attention_mask, use_causal_mask)
            return self.attend_with_masks(query, key_heads, value_heads, *masks, training, query_heads)[0]
        if attention_mask is not None:
            attention_mask = ops.cast(attention_mask, "bool")
            if len(attention_mask.shape) < 4:  # (B or 1, 1, T, S)
                leading = [1] * (3 - len(attention_mask.shape))
                attention_mask = ops.reshape(attention_mask, (*leading, *ops.shape(attention_mask)))[:, None]
        contexts = dot_product_attention(
            self.query_dense(query) if query_heads is None else query_heads,  # (B, T, H, d)
            ops.swapaxes(key_heads, 1, 2),
            ops.swapaxes(value_heads, 1, 2),
            key_mask=value_mask,
            mask=attention_mask,
            is_causal=use_causal_mask,
            dropout_rate=self.dropout if training else 0.0,
            seed=self._dropout_layer.seed_generator if self.dropout else None,
            implementation=self.implementation,
            sliding_window=self.sliding_window,
            max_length=self.max_length,
        )
        output = self._join(query, contexts)  # (B, T, output_shape)
        if attention_mask is not None:  # a query that may attend with any of the heads
            attention_mask = ops.any(attention_mask, axis=1)
        masks = (query_mask, value_mask, attention_mask, use_causal_mask)
        attends = attending_queries(length, ops.shape(key_heads)[-2], *masks, self.sliding_window)
        return output if attends is None else self._zero(output, attends)

    def compute_output_shape(self, query_shape, value_shape, key_shape=None):
        return (*query_shape[:-1], *(query_shape[-1:] if self.output_shape is None else self.output_shape))

    def compute_output_spec(self, query, value, key=None, *args, return_attention_scores=False, **kwargs):
        output = keras.KerasTensor(self.compute_output_shape(query.shape, value.shape), dtype=self.compute_dtype)
        axes = attended_axes(self.attention_axes, len(query.shape))
        batch = [size for axis, size in enumerate(query.shape[:-1]) if axis not in axes]
        sizes = [shape[axis] for shape in (query.shape, value.shape) for axis in axes]
        scores = keras.KerasTensor((*batch, self.num_heads, *sizes), dtype="float32")
        return (output, scores) if return_attention_scores else output
