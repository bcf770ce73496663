"""A loop over the time of a sequence, on any backend."""

import keras
from keras import ops, tree


def loop(step, sequence, state, mask=None, return_state=False):
    """Runs a step over the time of a sequence.

    Args:
        step: `step(inputs, state) -> (outputs, state)` of inputs (B, ...), with outputs a tuple of tensors (B, ·).
        sequence: (B, T, ...).
        state: A nest of tensors (B, ·), the one before the first step.
        mask: (B, T); a step that is False leaves the state as it was and gives zeros. Default None.
        return_state: Whether to return the state after the last step, too. Default False.

    Returns:
        The outputs, side by side, float32 (B, T, ·); with `return_state` also the nest, in float32.
    """
    cell, options = (
        _Cell(step, state),
        {"return_sequences": True, "return_state": return_state, "zero_output_for_mask": True},
    )
    rnn = keras.layers.RNN(cell, dtype="float32", autocast=False, **options)
    results = rnn(sequence, initial_state=[ops.cast(tensor, "float32") for tensor in tree.flatten(state)], mask=mask)
    return (results[0], tree.pack_sequence_as(state, list(results[1:]))) if return_state else results


class _Cell:
    """A step function as the cell that `keras.layers.RNN` loops over.

    `ops.scan` was no faster (both measured on TensorFlow), its gradient does not compile under XLA there, and its
    outputs must
    have the shapes of its state. RNN keeps all states in one dtype: float32, which holds float16, bfloat16 and the
    number of a step exactly.
    """

    compute_dtype = "float32"

    def __init__(self, step, state):
        self.step = step
        self.state = state
        self.state_size = [tensor.shape[-1] for tensor in tree.flatten(state)]

    def call(self, inputs, states):
        dtypes = [keras.backend.standardize_dtype(tensor.dtype) for tensor in tree.flatten(self.state)]
        states = [ops.cast(tensor, dtype) for tensor, dtype in zip(states, dtypes)]
        outputs, state = self.step(inputs, tree.pack_sequence_as(self.state, states))
        outputs = ops.concatenate([ops.cast(tensor, "float32") for tensor in outputs], axis=-1)
        return outputs, [ops.cast(tensor, "float32") for tensor in tree.flatten(state)]

    __call__ = call
