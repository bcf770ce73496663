"""A loop over the steps of a sequence, on any backend."""

import keras
from keras import ops, tree


def loop(step, sequence, state, mask=None, return_state=False):
    """Runs a function at each step of a sequence.

    Args:
        step: `step(inputs, state) -> (outputs, state)` of inputs (B, ...), with outputs a tuple of tensors (B, ·).
        sequence: (B, T, ...).
        state: A nest of tensors (B, ·), the state before the first step.
        mask: Bool (B, T); a step that is False leaves the state as it was and gives zeros. Defaults to `None`.
        return_state: Whether to return the state after the last step, too. Defaults to `False`.

    Returns:
        The outputs, concatenated, float32 (B, T, ·); with `return_state` also the nest, in float32.

    Example:

    >>> from keras import ops
    >>> from attention_zoo.layers.loop import loop
    >>> sums = loop(lambda inputs, total: ((total + inputs,), total + inputs), ops.ones((1, 3, 1)), ops.zeros((1, 1)))
    >>> print(sums.numpy().ravel())
    [1. 2. 3.]
    """
    rnn = keras.layers.RNN(
        _Cell(step, state),
        return_sequences=True,
        return_state=return_state,
        zero_output_for_mask=True,
        dtype="float32",
        autocast=False,
    )
    results = rnn(sequence, initial_state=[ops.cast(tensor, "float32") for tensor in tree.flatten(state)], mask=mask)
    return (results[0], tree.pack_sequence_as(state, list(results[1:]))) if return_state else results


class _Cell:
    """A step function as the cell that `keras.layers.RNN` loops over.

    `ops.scan` was no faster (both measured on TensorFlow). Its gradient does not compile under XLA there, and its
    outputs must have the shapes of its state. RNN keeps all states in one dtype: float32, which represents float16,
    bfloat16 and the number of a step exactly.
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
