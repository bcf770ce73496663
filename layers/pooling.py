"""Attention of a learned query: a sequence becomes one vector (Yang et al. 2016, "Hierarchical Attention Networks").

Notation: B batch, S positions, D features; "..." stands for any leading axes, such as the sentences of a document.
"""

import keras
from keras import ops

from attention_zoo.layers.checks import check_positive_integer
from attention_zoo.layers.masks import masked_softmax
from attention_zoo.layers.projection import project


def pool(inputs, scores, mask=None):
    """The sum of a sequence under the softmax of its scores.

    Args:
        inputs: (..., S, D).
        scores: (..., S).
        mask: Bool (..., S), True = a position that is not padding. Defaults to `None`: all.

    Returns:
        (summary, weights): (..., D) in the dtype of `inputs`, and float32 (..., S); zeros for a sequence without any
        position.

    Example:

    >>> import keras
    >>> from attention_zoo.layers.pooling import pool
    >>> summary, weights = pool(keras.ops.array([[[2.0], [4.0], [9.0]]]), keras.ops.zeros((1, 3)), [[1, 1, 0]])
    >>> print(summary.numpy(), weights.numpy())
    [[3.]] [[0.5 0.5 0. ]]
    """
    weights = masked_softmax(scores, None if mask is None else ops.cast(mask, "bool"))  # (..., S)
    summary = ops.matmul(ops.cast(weights, inputs.dtype)[..., None, :], inputs)[..., 0, :]  # (..., D)
    return summary, weights


@keras.saving.register_keras_serializable("attention_zoo")
class AttentionPooling(keras.layers.Layer):
    """output = Σ_s α_s input_s with α = softmax_s(uᵀ tanh(W input_s + b)) (sec. 2.2, eq. 5 to 7 and 8 to 10).

    The vector u, the paper's u_w or u_s, is learned: it asks every sequence the same question, "what is the informative
    word?". Weights: `kernel` W (D, units), `bias` b (units,), `context` u (units,). The paper does not say how they are
    drawn; here W is Glorot-uniform, and b and u are zero: the layer starts as the mean, and training moves it away from
    the mean where that pays. On small data, a u drawn at random leaves the network with words that it chose by chance.

    The layer reads masked positions nowhere. A sequence without any position gets zeros, and where the sequences are
    themselves elements of one, as the sentences of a document are, it is masked in the output's Keras mask: padding
    stays padding on every level.

    Args:
        units: Width of the hidden layer, a positive integer.

    Call arguments:
        inputs: (..., S, D).
        mask: Bool (..., S), True = a position that is not padding. Defaults to `None`: the Keras mask of `inputs`,
            where it carries one.
        return_attention_scores: Whether to return the weights too. Defaults to `False`.

    Returns:
        The summaries (..., D) in the compute dtype; with `return_attention_scores` also the float32 weights (..., S).

    Raises:
        ValueError: If `units` is not a positive integer, or the inputs have fewer than three axes.

    Example: words to sentences to a document; the second sentence is padding.

    >>> import keras
    >>> from attention_zoo.layers import AttentionPooling
    >>> words, mask = keras.ops.ones((1, 2, 3, 4)), keras.ops.array([[[True, True, False], [False, False, False]]])
    >>> sentences, weights = AttentionPooling(8)(words, mask=mask, return_attention_scores=True)
    >>> print(weights.numpy())
    [[[0.5 0.5 0. ]
      [0.  0.  0. ]]]
    >>> document = AttentionPooling(8)(sentences, mask=keras.ops.any(mask, axis=-1))
    >>> document.shape
    TensorShape([1, 4])
    """

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        check_positive_integer("units", units)
        self.supports_masking = True
        self.units = units

    def build(self, input_shape):
        if len(input_shape) < 3:
            raise ValueError(
                "AttentionPooling: `inputs` must have the shape (..., S, D) with at least three axes. "
                f"Received: inputs of shape {input_shape}"
            )
        self.kernel = self.add_weight(name="kernel", shape=(input_shape[-1], self.units), initializer="glorot_uniform")
        self.context = self.add_weight(name="context", shape=(self.units, 1), initializer="zeros")
        self.bias = self.add_weight(name="bias", shape=(self.units,), initializer="zeros")

    def call(self, inputs, mask=None, return_attention_scores=False):
        inputs = ops.cast(inputs, self.compute_dtype)
        hidden = ops.tanh(project(inputs, self.kernel) + ops.cast(self.bias, self.compute_dtype))  # (..., S, units)
        scores = project(hidden, self.context)[..., 0]  # (..., S)
        summary, weights = pool(inputs, scores, mask)
        return (summary, weights) if return_attention_scores else summary

    def compute_mask(self, inputs, mask=None):
        """Which summaries have anything to summarise, (..., ): None where they are no sequence themselves."""
        if mask is None or len(mask.shape) < 3:
            return None
        return ops.any(mask, axis=-1)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-2], input_shape[-1])

    def compute_output_spec(self, inputs, mask=None, return_attention_scores=False):
        summary = keras.KerasTensor(self.compute_output_shape(inputs.shape), dtype=self.compute_dtype)
        weights = keras.KerasTensor(inputs.shape[:-1], dtype="float32")
        return (summary, weights) if return_attention_scores else summary

    def get_config(self):
        return {**super().get_config(), "units": self.units}
