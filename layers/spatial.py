"""Attention over the locations of a feature map that keeps the locations apart.

Notation: B batch, T queries, S locations, D features; "..." stands for any leading axes.
"""

import keras
from keras import ops

from attention_zoo.layers.bahdanau import BahdanauAttention
from attention_zoo.layers.projection import project


@keras.saving.register_keras_serializable("attention_zoo")
class SpatialAttention(BahdanauAttention):
    """y_t = β_t · flatten(S α_ts x_s): each location's features, weighted and gated, but not summed.

    Kim and Canny 2017, "Interpretable Learning for Self-Driving Cars by Visualizing Causal Attention", sec. 3.3: α =
    softmax of
    an additive score, β_t = sigmoid(f_β(h_{t-1})), f_β linear. What is behind still knows where a feature was seen,
    which the
    sum of `Attention` forgets. Deviation: the factor S, the number of locations, which the paper leaves to the weights
    behind: with it uniform attention hands the features on as they are, however many locations there are.

    Weights: those of the score, `gate_kernel` (Dq, 1) and `gate_bias` (1,).

    Args:
        units: Width of the hidden layer of the score, a positive integer; ValueError otherwise.

    Call arguments and methods as in `Attention`.

    Returns:
        (..., T, S · D) in the compute dtype; with `return_attention_scores` also the float32 weights (..., T, S).

    Example:

    >>> import keras
    >>> from attention_zoo.layers import SpatialAttention
    >>> attention = SpatialAttention(units=8)
    >>> attention(keras.ops.ones((2, 3, 4)), keras.ops.ones((2, 5, 6))).shape
    TensorShape([2, 3, 30])
    """

    def __init__(self, units, **kwargs):
        super().__init__(units, dropout=0.0, **kwargs)

    def build(self, query_shape, value_shape, key_shape=None):
        if value_shape[-2] is None:
            raise ValueError(
                f"SpatialAttention: the number of locations must be known. Received: value.shape={tuple(value_shape)}"
            )
        super().build(query_shape, value_shape, key_shape)
        self.build_gate(query_shape[-1])

    def build_gate(self, query_dim):
        """Creates the weights of β: all that is needed by one who brings the weights of the locations along."""
        self.gate_kernel = self.add_weight(name="gate_kernel", shape=(query_dim, 1), initializer="glorot_uniform")
        self.gate_bias = self.add_weight(name="gate_bias", shape=(1,), initializer="zeros")

    def attend(self, query, projected_key, value, mask=None, positions=None, training=None, with_weights=True):
        query = ops.cast(query, self.compute_dtype)
        scores = self.score.compare(self.score.project_query(query), projected_key)  # (..., T, S)
        weights = self.alignment(scores, mask=mask, query=query, positions=positions)
        return self.weigh(query, weights, value), weights

    def weigh(self, query, weights, value):
        """β · flatten(S α x) of weights (..., T, S): (..., T, S · D)."""
        query, value = ops.cast(query, self.compute_dtype), ops.cast(value, self.compute_dtype)
        gate = ops.sigmoid(
            project(query, self.gate_kernel) + ops.cast(self.gate_bias, self.compute_dtype)
        )  # β, (..., T, 1)
        factors = gate * ops.cast(weights * weights.shape[-1], self.compute_dtype)  # (..., T, S)
        weighted = factors[..., None] * value[..., None, :, :]  # (..., T, S, D)
        return ops.reshape(weighted, (*ops.shape(weighted)[:-2], value.shape[-2] * value.shape[-1]))

    attend.__doc__ = BahdanauAttention.attend.__doc__

    def compute_output_shape(self, query_shape, value_shape, key_shape=None):
        return (*query_shape[:-1], value_shape[-2] * value_shape[-1])

    def get_config(self):
        config = super().get_config()
        del config["dropout"]
        return config
