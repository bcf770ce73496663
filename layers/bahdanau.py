"""The attention of Bahdanau et al. 2015, "Neural Machine Translation by Jointly Learning to Align and Translate"."""

import keras

from attention_zoo.layers.attention import Attention
from attention_zoo.layers.scores import AdditiveScore


@keras.saving.register_keras_serializable("attention_zoo")
class BahdanauAttention(Attention):
    """Additive score, softmax over all keys (Bahdanau et al. 2015, sec. 3.1, eq. 5 and 6).

    Args:
        units: Width of the hidden layer of the score, a positive integer.
        dropout, implementation: As in `Attention`.

    Call arguments, output and methods: as in `Attention`.

    Raises:
        ValueError: If `units` is not a positive integer, and as in `Attention`.

    Example:

    >>> import keras
    >>> from attention_zoo.layers import BahdanauAttention
    >>> attention = BahdanauAttention(units=8)
    >>> attention(keras.ops.ones((2, 3, 4)), keras.ops.ones((2, 5, 6))).shape
    TensorShape([2, 3, 6])
    """

    def __init__(self, units, dropout=0.0, **kwargs):
        super().__init__(AdditiveScore(units, name="score", dtype=kwargs.get("dtype")), dropout=dropout, **kwargs)
        self.units = units

    def get_config(self):
        config = super().get_config()
        del config["score"], config["alignment"]  # they follow from the arguments
        return {**config, "units": self.units}
