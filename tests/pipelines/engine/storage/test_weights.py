"""Weights are named by layer, whatever else the process has built before."""

import keras
import numpy as np
import pytest

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.storage.weights import load_weights_by_path, variables_by_path


class Block(keras.layers.Layer):
    """With layers that Keras names, and two that were given one name."""

    def __init__(self, **options):
        super().__init__(**options)
        self.inner = [keras.layers.Dense(2), keras.layers.Dense(2)]
        self.same = [keras.layers.Dense(2, name="same"), keras.layers.Dense(2, name="same")]
        self.dropout = keras.layers.Dropout(0.5)

    def build(self, shape):
        for layer in [*self.inner, *self.same]:
            layer.build(shape)

    def call(self, inputs):
        for layer in [*self.inner, *self.same]:
            inputs = layer(inputs)
        return self.dropout(inputs)


def small(blocks=2, head=3):
    inputs = keras.Input((2,))
    outputs = inputs
    for number in range(blocks):
        outputs = Block(name=f"block_{number}")(outputs)
    return keras.Model(inputs, keras.layers.Dense(head, name="head")(outputs))


def test_paths_do_not_depend_on_what_was_built_before():
    first = list(variables_by_path(small()))
    keras.layers.Dense(1), keras.layers.Dense(1), Block()
    second = list(variables_by_path(small()))
    assert first == second and len(set(first)) == len(first)
    assert {"block_0/dense/kernel", "block_0/dense_1/kernel", "block_1/dense/kernel", "head/bias"} <= set(first)


def test_weights_start_a_model_with_more_layers():
    source, target = small(blocks=1), small(blocks=2)
    arrays = {path: np.array(variable) + 1 for path, variable in variables_by_path(source).items()} | {
        "odd": np.ones(3)
    }
    loaded, missing, unexpected = load_weights_by_path(target, arrays)
    assert unexpected == ["odd"] and "block_1/dense/kernel" in missing
    assert all(path.startswith(("block_1/", "seed_generator_1/")) for path in missing)  # the random stream of a dropout
    assert sorted(loaded + missing) == sorted(variables_by_path(target))
    for path, variable in variables_by_path(target).items():
        if path in loaded:
            np.testing.assert_array_equal(variable, arrays[path])


def test_an_array_of_another_shape_is_refused_and_nothing_is_set():
    source, target = small(head=3), small(head=4)
    before = [np.array(variable) for variable in target.variables]
    with pytest.raises(UserError, match=r"weights of head/.*: expected shape .*4.*, received .*3"):
        load_weights_by_path(target, {path: np.array(v) for path, v in variables_by_path(source).items()})
    for variable, earlier in zip(target.variables, before, strict=True):
        np.testing.assert_array_equal(variable, earlier)
