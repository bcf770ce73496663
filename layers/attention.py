"""Attention: a score (how well does this query match that key?) and an alignment (how do scores become weights?).

Notation: B batch, T queries, S keys, D features (Dq, Dk, Dv of query, key, value); "..." stands for any leading axes.
"""

import keras
from keras import ops

from attention_zoo.layers.alignments import Alignment, SoftAlignment
from attention_zoo.layers.checks import check_share
from attention_zoo.layers.dot_product import check_implementation
from attention_zoo.layers.kernels import additive_blocks, additive_blocks_pay, choose_implementation, traced
from attention_zoo.layers.masks import causal_mask, combine_masks
from attention_zoo.layers.scores import AdditiveScore, Score
from attention_zoo.layers.shapes import check_attention_shapes, check_mask_shapes


@keras.saving.register_keras_serializable("attention_zoo")
class Attention(keras.layers.Layer):
    """context_t = Σ_s weights(t, s) value_s, with weights = alignment(score(query, key)).

    Args:
        score: A `Score`.
        alignment: An `Alignment`. Defaults to `SoftAlignment()`.
        dropout: Share of the weights that are dropped in training, in [0, 1). Defaults to 0.
        implementation: How to compute a soft alignment of additive scores if no weights are asked for. `"plain"`
            computes all T x S hidden layers at once, `"blocks"` those of some queries at a time (TensorFlow without
            XLA). `"auto"` takes blocks where they are possible and faster. The output is the same. Defaults to
            `"auto"`.

    Call arguments:
        query: (..., T, Dq).
        value: (..., S, Dv).
        key: (..., S, Dk). Defaults to `value`.
        query_mask, value_mask: Bool (..., T) and (..., S), True = attend. Default to the Keras masks of `query` and
            `value`; an explicit mask takes precedence.
        attention_mask: Broadcastable to (..., T, S), True = attend.
        use_causal_mask: Whether query t sees only the keys up to t. Defaults to `False`.
        return_attention_scores: Whether to return the weights too. Defaults to `False`.
        training: Whether to drop weights, and to sample locations (`HardAlignment`).

    Returns:
        The contexts (..., T, Dv) in the compute dtype; with `return_attention_scores` also the float32 weights
        (..., T, S) before dropout and sampling. A query with nothing to attend to gets zeros.

    A decoding loop calls the two halves of `call`: `project_key` once per sequence, `attend` at each step.

    Raises:
        ValueError: If `score`, `alignment` or `implementation` is none of the above, `dropout` is out of range, the
            inputs have different ranks or a rank below 3, or there are not as many keys as values.

    Example:

    >>> import keras
    >>> from attention_zoo.layers import Attention, LocalMonotonicAlignment, ScaledDotScore
    >>> attention = Attention(ScaledDotScore(), LocalMonotonicAlignment(window_size=2))
    >>> query, value = keras.ops.ones((2, 3, 4)), keras.ops.ones((2, 5, 4))
    >>> contexts, weights = attention(query, value, return_attention_scores=True)
    >>> contexts.shape, weights.shape
    (TensorShape([2, 3, 4]), TensorShape([2, 3, 5]))
    """

    def __init__(self, score, alignment=None, dropout=0.0, implementation="auto", **kwargs):
        super().__init__(**kwargs)
        check_implementation(implementation)
        alignment = SoftAlignment(name="alignment", dtype=self.dtype_policy) if alignment is None else alignment
        if not isinstance(score, Score):
            raise ValueError(f"{type(self).__name__}: `score` must be a Score layer. Received: score={score!r}")
        if not isinstance(alignment, Alignment):
            raise ValueError(
                f"{type(self).__name__}: `alignment` must be an Alignment layer. Received: alignment={alignment!r}"
            )
        check_share("dropout", dropout)
        self.supports_masking = True
        self.score = score
        self.alignment = alignment
        self.dropout = dropout
        self.implementation = implementation
        self._dropout_layer = keras.layers.Dropout(dropout, name="dropout", dtype=self.dtype_policy)
        self.supports_jit = implementation != "blocks"
        self.built = type(self).build is Attention.build and score.built and alignment.built  # no weights to build

    def build(self, query_shape, value_shape, key_shape=None):
        key_shape = value_shape if key_shape is None else key_shape
        if not self.score.built:  # it is built if it was loaded with this layer
            self.score.build(query_shape, key_shape)
        if not self.alignment.built:
            self.alignment.build((*query_shape[:-1], key_shape[-2]), query_shape)

    def project_key(self, key):
        """Returns the key's part of the score, (..., S, features), from (..., S, Dk); compute it once per sequence."""
        return self.score.project_key(ops.cast(key, self.compute_dtype))

    def draw(self, shape):
        """Random numbers that `attend` consumes for queries of `shape` (..., T); see `Alignment.draw`."""
        return self.alignment.draw(shape)

    def attend(
        self, query, projected_key, value, mask=None, positions=None, training=None, draws=None, with_weights=True
    ):
        """Attends to keys that `project_key` prepared.

        Args:
            query: (..., T, Dq); a step of a decoder has T = 1.
            projected_key: (..., S, features), from `project_key`.
            value: (..., S, Dv).
            mask: Bool, broadcastable to (..., T, S), as `combine_masks` makes it. Defaults to `None`.
            positions: Integers (T,) or (..., T), the positions of the queries. Defaults to 0, ..., T - 1.
            training: Whether to drop weights.
            draws: From `draw`, for an alignment that samples. Defaults to `None`: it does not sample.
            with_weights: Whether to return the weights. Without them long sequences take less memory. Defaults to
                `True`.

        Returns:
            (output, weights): (..., T, Dv), and float32 (..., T, S) or, without `with_weights`, perhaps `None`.
        """
        query, value = ops.cast(query, self.compute_dtype), ops.cast(value, self.compute_dtype)
        if not with_weights and self._additive_and_soft() and len(query.shape) == 3:
            return self._attend_in_blocks(query, projected_key, value, mask, training), None
        return self._attend_at_once(query, projected_key, value, mask, positions, training, draws)

    def _additive_and_soft(self):
        additive = type(self.score).compare is AdditiveScore.compare  # a subclass may have one of its own
        return additive and type(self.alignment) is SoftAlignment

    def _attend_in_blocks(self, query, projected_key, value, mask, training):
        projected_query, (mask,) = self.score.project_query(query), traced(mask)  # (B, T, units)
        lengths = ops.shape(query)[1], ops.shape(projected_key)[1]
        dropout = {}
        if self.dropout and training:
            dropout = {"dropout_rate": self.dropout, "seed": self._dropout_layer.seed_generator}
        return choose_implementation(
            self.implementation,
            additive_blocks_pay(*lengths, projected_query.shape[-1]),
            lambda: additive_blocks(projected_query, projected_key, self.score.vector, value, mask, **dropout),
            lambda: self._attend_at_once(query, projected_key, value, mask, None, training)[0],
        )

    def _attend_at_once(self, query, projected_key, value, mask, positions, training, draws=None):
        weights = self._weigh(query, projected_key, mask, positions)  # (..., T, S)
        chosen = self.alignment.choose(weights, draws)
        dropped = self._dropout_layer(chosen, training=training) if self.dropout else chosen
        return ops.matmul(ops.cast(dropped, self.compute_dtype), value), weights  # (..., T, Dv)

    def _weigh(self, query, projected_key, mask, positions):
        scores = self.score.compare(self.score.project_query(query), projected_key)  # (..., T, S)
        return self.alignment(scores, mask=mask, query=query, positions=positions)  # (..., T, S)

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
        key = value if key is None else key
        check_attention_shapes(type(self).__name__, query.shape, value.shape, key.shape)
        check_mask_shapes(type(self).__name__, query.shape, value.shape, query_mask, value_mask, attention_mask)
        causal = causal_mask(ops.shape(query)[-2], ops.shape(value)[-2]) if use_causal_mask else None
        mask = combine_masks(query_mask, value_mask, attention_mask, causal)
        projected_key = self.project_key(key)
        draws = self.draw(ops.shape(query)[:-1]) if training else None
        output, weights = self.attend(
            query,
            projected_key,
            value,
            mask,
            training=training,
            draws=draws,
            with_weights=return_attention_scores,
        )
        return (output, weights) if return_attention_scores else output

    def compute_output_shape(self, query_shape, value_shape, key_shape=None):
        return (*query_shape[:-1], value_shape[-1])

    def compute_output_spec(self, query, value, key=None, return_attention_scores=False, **kwargs):
        check_attention_shapes(type(self).__name__, query.shape, value.shape, value.shape if key is None else key.shape)
        output = keras.KerasTensor(self.compute_output_shape(query.shape, value.shape), dtype=self.compute_dtype)
        if not return_attention_scores:
            return output
        return output, keras.KerasTensor((*query.shape[:-1], value.shape[-2]), dtype="float32")

    def get_config(self):
        return {
            **super().get_config(),
            "score": keras.saving.serialize_keras_object(self.score),
            "alignment": keras.saving.serialize_keras_object(self.alignment),
            "dropout": self.dropout,
            "implementation": self.implementation,
        }

    @classmethod
    def from_config(cls, config):
        parts = {name: config[name] for name in ("score", "alignment") if isinstance(config.get(name), dict)}
        return super().from_config(
            {**config, **{k: keras.saving.deserialize_keras_object(v) for k, v in parts.items()}}
        )
