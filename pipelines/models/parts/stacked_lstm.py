"""A stack of LSTMs, the encoder of Sutskever et al. (2014) and Luong et al. (2015) and the decoder of the former.

Shapes: B batch, T positions, U units.
"""

import keras

from attention_zoo.layers.checks import check_positive_integer


@keras.saving.register_keras_serializable("attention_zoo")
class StackedLSTM(keras.layers.Layer):
    """LSTMs on top of each other, layer by layer over the whole sequence, with dropout between them.

    Args:
        units: U of each.
        num_layers: Number of LSTMs, at least 1.
        dropout: Share of features dropped between two LSTMs in training. Defaults to 0.

    Call arguments:
        inputs: (B, T, D).
        mask: Bool (B, T); a masked position leaves the states as they were. Defaults to `None`.
        initial_state: A list with a pair (hidden, carry), each (B, U), for each LSTM. Defaults to zeros.
        training: Whether to apply dropout.

    Returns:
        (outputs, states): the outputs of the top one (B, T, U), and the last (hidden, carry) of each.

    Example:

    >>> outputs, states = StackedLSTM(units=4, num_layers=2)(keras.ops.ones((3, 5, 6)))
    >>> tuple(outputs.shape), [tuple(tensor.shape) for pair in states for tensor in pair]
    ((3, 5, 4), [(3, 4), (3, 4), (3, 4), (3, 4)])
    """

    def __init__(self, units, num_layers, dropout=0.0, **kwargs):
        super().__init__(**kwargs)
        check_positive_integer("num_layers", num_layers)
        self.supports_masking = True  # the outputs carry the mask of the inputs
        self.units = units
        self.num_layers = num_layers
        self.dropout = dropout
        self.lstms = [
            keras.layers.LSTM(
                units, return_sequences=True, return_state=True, dtype=self.dtype_policy, name=f"lstm_{i}"
            )
            for i in range(num_layers)
        ]
        self.drop = keras.layers.Dropout(dropout, dtype=self.dtype_policy, name="drop")

    def build(self, input_shape):
        features = input_shape[-1]
        for lstm in self.lstms:
            lstm.build((*input_shape[:-1], features))
            features = self.units

    def call(self, inputs, mask=None, initial_state=None, training=None):
        states = []
        for i, lstm in enumerate(self.lstms):
            if i:
                inputs = self.drop(inputs, training=training)
            inputs, hidden, carry = lstm(
                inputs, mask=mask, initial_state=None if initial_state is None else initial_state[i]
            )
            states.append((hidden, carry))
        return inputs, states

    def step(self, inputs, states):
        """Runs one position: (B, D) and the states before it -> the top output (B, U) and the states after it."""
        new_states = []
        for lstm, state in zip(self.lstms, states):
            inputs, (hidden, carry) = lstm.cell(inputs, list(state))
            new_states.append((hidden, carry))
        return inputs, new_states

    def get_config(self):
        return {**super().get_config(), "units": self.units, "num_layers": self.num_layers, "dropout": self.dropout}
