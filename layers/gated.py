"""Attention whose context is multiplied by a gate, which the query opens (Xu et al. 2015, "Show, Attend and Tell").

Notation: B batch, T queries, S keys, Dq and Dv features of a query and a value; "..." stands for any leading axes.
"""

import keras
from keras import ops

from attention_zoo.layers.attention import Attention
from attention_zoo.layers.projection import project


@keras.saving.register_keras_serializable("attention_zoo")
class GatedAttention(Attention):
    """context_t = β_t Σ_s weights(t, s) value_s with β_t = sigmoid(f_β(query_t)), f_β linear (sec. 4.2.1).

    The gate β_t is one number a query: it says how much the attended values matter to it. Weights besides those of
    the score and the alignment: `gate_kernel` (Dq, 1) and `gate_bias` (1,).

    Arguments, call arguments, output and methods: as in `Attention`.

    Example:

    >>> import keras
    >>> from attention_zoo.layers import AdditiveScore, GatedAttention
    >>> attention = GatedAttention(AdditiveScore(4))
    >>> attention(keras.ops.ones((2, 3, 4)), keras.ops.ones((2, 5, 6))).shape
    TensorShape([2, 3, 6])
    """

    def build(self, query_shape, value_shape, key_shape=None):
        super().build(query_shape, value_shape, key_shape)
        self.gate_kernel = self.add_weight(name="gate_kernel", shape=(query_shape[-1], 1), initializer="glorot_uniform")
        self.gate_bias = self.add_weight(name="gate_bias", shape=(1,), initializer="zeros")

    def gate(self, query):
        """β_t of queries (..., T, Dq): (..., T, 1) in the compute dtype."""
        query = ops.cast(query, self.compute_dtype)
        return ops.sigmoid(project(query, self.gate_kernel) + ops.cast(self.gate_bias, self.compute_dtype))

    def attend(
        self, query, projected_key, value, mask=None, positions=None, training=None, draws=None, with_weights=True
    ):
        context, weights = super().attend(query, projected_key, value, mask, positions, training, draws, with_weights)
        return self.gate(query) * context, weights
