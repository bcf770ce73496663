"""Gradient checkpointing: activations of blocks that are computed twice and not kept (Chen et al. 2016, section 4).

`keras.RematScope` does the same, but draws other random numbers the second time, so that with dropout its gradients
are those of another function.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import keras
import tensorflow as tf

from attention_zoo.pipelines.engine.errors import UserError


def recompute_blocks(model: keras.Model) -> None:
    """Makes the Transformer blocks of a model compute their activations again for the gradient, in training.

    A block is a layer that has a true attribute `recomputable`.

    Between a block's call and its gradient only its inputs are in memory. The second call draws the random numbers of
    the first one, and leaves the generators as it found them.

    Args:
        model: A built model, whose blocks are changed in place. Its weights, and what it computes, stay the same.

    Raises:
        UserError: The model has no Transformer block.

    Example:

    >>> from attention_zoo.layers import TransformerEncoderBlock
    >>> model = keras.Sequential([keras.Input((5, 8)), TransformerEncoderBlock(num_heads=2, intermediate_dim=16)])
    >>> recompute_blocks(model)
    >>> model(tf.ones((1, 5, 8)), training=True).shape
    TensorShape([1, 5, 8])
    """
    blocks = blocks_of(model)
    if not blocks:
        expected = "a model with Transformer blocks, whose activations it computes again"
        raise UserError(f"--training.recompute: expected {expected}; received {type(model).__name__}")
    for block in blocks:
        block.call = recomputed(block)


def recomputed(layer: keras.layers.Layer) -> Any:
    """Returns `layer.call` as a function that keeps only its arguments for the gradient, in training."""
    call, states = layer.call, states_of(layer)

    def recomputed_call(*args: Any, **kwargs: Any) -> Any:
        if not kwargs.get("training"):
            return call(*args, **kwargs)
        leaves = tf.nest.flatten((args, kwargs))
        places = [place for place, leaf in enumerate(leaves) if tf.is_tensor(leaf) and leaf.dtype.is_floating]
        before, outputs = [tf.identity(state.value) for state in states], []  # outputs of the last call

        def function(*tensors: tf.Tensor) -> list[tf.Tensor]:
            """Calls the layer with other values of its floating-point arguments; returns the tensors of its outputs."""
            there, later = tf.nest.pack_sequence_as((args, kwargs), replaced(leaves, places, tensors))
            with rewound(states, before) if outputs else nullcontext():
                outputs[:] = [call(*there, **later)]
            return [output for output in tf.nest.flatten(outputs) if output is not None]

        found = tf.recompute_grad(function)(*(leaves[place] for place in places))
        flat = tf.nest.flatten(outputs)
        there = [place for place, output in enumerate(flat) if output is not None]
        return tf.nest.pack_sequence_as(outputs, replaced(flat, there, found))[0]

    return recomputed_call


def blocks_of(layer: keras.layers.Layer) -> list[keras.layers.Layer]:
    """Returns the blocks inside a layer, at any depth, each once."""
    found = {}
    for inner in layer._layers:
        blocks = [inner] if getattr(inner, "recomputable", False) else blocks_of(inner)
        found |= {id(block): block for block in blocks}
    return list(found.values())


def states_of(layer: keras.layers.Layer) -> list[keras.Variable]:
    """Returns the states of the generators of random numbers in a layer: its variables that are no weights."""
    weights = {id(weight) for weight in layer.weights}
    return [variable for variable in layer.variables if id(variable) not in weights]


@contextmanager
def rewound(states: list[keras.Variable], values: list[tf.Tensor]) -> Iterator[None]:
    """Sets the states of generators while the block runs; afterwards they are as before."""
    after = [tf.identity(state.value) for state in states]
    for state, value in zip(states, values, strict=True):
        state.assign(value)
    yield
    for state, value in zip(states, after, strict=True):
        state.assign(value)


def replaced(values: list[Any], places: list[int], others: Any) -> list[Any]:
    """Returns a list with other values at some places.

    Example:

    >>> replaced(["a", "b", "c"], [0, 2], ["x", "y"])
    ['x', 'b', 'y']
    """
    found = list(values)
    for place, other in zip(places, others, strict=True):
        found[place] = other
    return found
