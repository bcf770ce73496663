"""RNN cells that are stacked: each reads the output of the one before, with the same dropout at every step.

Notation: B batch, U features of a cell's output.
"""

import keras
from keras import ops, tree


def is_cell(cell):
    """Whether an object is a Keras RNN cell whose states are vectors.

    `keras.layers.StackedRNNCells` is refused: it nests its states, which a list of cells does not need.

    Example:

    >>> import keras
    >>> from attention_zoo.layers.cells import is_cell
    >>> is_cell(keras.layers.GRUCell(3)), is_cell(keras.layers.Dense(3))
    (True, False)
    """
    if isinstance(cell, keras.layers.StackedRNNCells) or not callable(cell) or not hasattr(cell, "state_size"):
        return False
    return all(isinstance(size, int) for size in tree.flatten(cell.state_size))


def output_size(cell):
    """U, the width of a cell's output.

    Example:

    >>> import keras
    >>> from attention_zoo.layers.cells import output_size
    >>> output_size(keras.layers.LSTMCell(3))
    3
    """
    return getattr(cell, "output_size", None) or tree.flatten(cell.state_size)[0]


def run_cells(cells, inputs, states, dropped=None):
    """Runs stacked cells for one step.

    Args:
        cells: List of cells, first the one that reads `inputs`.
        inputs: `(B, features)`.
        states: List of each cell's list of tensors `(B, .)`.
        dropped: From `dropout_between`. Defaults to `None`: no dropout.

    Returns:
        (output, states): `(B, U)` of the last cell, and the states after the step.

    Example:

    >>> import keras
    >>> from attention_zoo.layers.cells import run_cells
    >>> cells = [keras.layers.GRUCell(3), keras.layers.GRUCell(5)]
    >>> output, states = run_cells(cells, ops.ones((2, 4)), [[ops.zeros((2, 3))], [ops.zeros((2, 5))]])
    >>> output.shape
    TensorShape([2, 5])
    """
    new_states = []
    for number, (cell, state) in enumerate(zip(cells, states)):
        if dropped is not None and number > 0:
            inputs = inputs * dropped[number - 1]
        inputs, new_state = cell(inputs, state)
        new_states.append(tree.flatten(new_state))
    return inputs, new_states


def dropout_between(cells, batch_size, rate, seed, dtype):
    """Factors for the outputs of all cells but the last: 0 for what is dropped, 1 / (1 - rate) for the rest.

    Args:
        cells: List of cells.
        batch_size: B, an integer or a scalar tensor.
        rate: Share of the features that are dropped.
        seed: An integer or a `keras.random.SeedGenerator`.
        dtype: Of the factors.

    Returns:
        List of tensors `(B, U)`, one fewer than there are cells.

    Example:

    >>> import keras
    >>> from attention_zoo.layers.cells import dropout_between
    >>> [factors.shape for factors in dropout_between([keras.layers.GRUCell(3)] * 2, 4, 0.5, 1, "float32")]
    [TensorShape([4, 3])]
    """
    ones = [ops.ones((batch_size, output_size(cell)), dtype=dtype) for cell in cells[:-1]]
    return [keras.random.dropout(factors, rate, seed=seed) for factors in ones]
