"""The mean of a sequence, with the calls of `AttentionPooling`: what a model has in its place without attention."""

import keras
from keras import ops

from attention_zoo.layers import AttentionPooling
from attention_zoo.layers.pooling import pool


@keras.saving.register_keras_serializable("attention_zoo")
class MeanPooling(keras.layers.Layer):
    """output = the mean of the positions that are not padding; zeros where all are.

    Call arguments, output and masks: as in `AttentionPooling`. All weights of a sequence are equal.

    Example:

    >>> inputs, mask = keras.ops.array([[[2.0], [4.0], [9.0]]]), keras.ops.array([[True, True, False]])
    >>> print(MeanPooling()(inputs, mask=mask).numpy())
    [[3.]]
    """

    compute_mask = AttentionPooling.compute_mask
    compute_output_shape = AttentionPooling.compute_output_shape
    compute_output_spec = AttentionPooling.compute_output_spec

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.built = True

    def call(self, inputs, mask=None, return_attention_scores=False):
        inputs = ops.cast(inputs, self.compute_dtype)
        summary, weights = pool(inputs, ops.zeros(ops.shape(inputs)[:-1]), mask)
        return (summary, weights) if return_attention_scores else summary
