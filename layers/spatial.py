"""Attention over the locations of a feature map that keeps the locations apart.

Notation: B batch, T queries, S locations, D features; "..." stands for any leading axes.
"""

import keras
from keras import ops

from attention_zoo.layers.gated import GatedAttention
from attention_zoo.layers.scores import AdditiveScore
from attention_zoo.layers.uniform import UniformAlignment, ZeroScore


@keras.saving.register_keras_serializable("attention_zoo")
class SpatialAttention(GatedAttention):
    """y_t = β_t · flatten(S α_ts x_s): each location's features, weighted and gated, but not summed.

    Kim and Canny 2017, "Interpretable Learning for Self-Driving Cars by Visualizing Causal Attention", sec. 3.3:
    α = softmax of an additive score, β_t = sigmoid(f_β(h_{t-1})), f_β linear. Later layers still know where a feature
    was seen, which the sum of `Attention` forgets. Deviation: the factor S, the number of locations, which the paper
    leaves to the weights of later layers. With it uniform attention passes the features on as they are, however many
    locations there are.

    Weights: those of the score, `gate_kernel` (Dq, 1) and `gate_bias` (1,).

    Args:
        units: Width of the hidden layer of the score, a positive integer; or `None`: every location weighs the same
            (`UniformAlignment`), the baseline without attention.

    Call arguments and methods: as in `Attention`.

    Returns:
        (..., T, S · D) in the compute dtype; with `return_attention_scores` also the float32 weights (..., T, S).

    Raises:
        ValueError: If `units` is neither a positive integer nor `None`, or the number of locations is not known.

    Example:

    >>> import keras
    >>> from attention_zoo.layers import SpatialAttention
    >>> attention = SpatialAttention(units=8)
    >>> attention(keras.ops.ones((2, 3, 4)), keras.ops.ones((2, 5, 6))).shape
    TensorShape([2, 3, 30])
    """

    def __init__(self, units, **kwargs):
        dtype = kwargs.get("dtype")
        if units is None:
            score, alignment = ZeroScore(name="score", dtype=dtype), UniformAlignment(name="alignment", dtype=dtype)
        else:
            score, alignment = AdditiveScore(units, name="score", dtype=dtype), None
        super().__init__(score, alignment, dropout=0.0, **kwargs)
        self.units = units

    def build(self, query_shape, value_shape, key_shape=None):
        if value_shape[-2] is None:
            raise ValueError(
                f"SpatialAttention: the number of locations must be known. Received: value.shape={tuple(value_shape)}"
            )
        super().build(query_shape, value_shape, key_shape)

    def attend(
        self, query, projected_key, value, mask=None, positions=None, training=None, draws=None, with_weights=True
    ):
        query, value = ops.cast(query, self.compute_dtype), ops.cast(value, self.compute_dtype)
        weights = self._weigh(query, projected_key, mask, positions)  # (..., T, S)
        factors = self.gate(query) * ops.cast(weights * weights.shape[-1], self.compute_dtype)  # (..., T, S)
        weighted = factors[..., None] * value[..., None, :, :]  # (..., T, S, D)
        shape = (*ops.shape(weighted)[:-2], value.shape[-2] * value.shape[-1])
        return ops.reshape(weighted, shape), weights  # (..., T, S D)

    def compute_output_shape(self, query_shape, value_shape, key_shape=None):
        return (*query_shape[:-1], value_shape[-2] * value_shape[-1])

    def get_config(self):
        config = super().get_config()
        for name in ("score", "alignment", "dropout"):  # two follow from `units`, and there is no dropout
            del config[name]
        return {**config, "units": self.units}
