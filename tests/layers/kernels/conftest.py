"""What the tests of the kernels share. TensorFlow alone has blocks."""

import keras
import numpy as np
import pytest


def pytest_collection_modifyitems(items):
    here = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="the blocks are TensorFlow's")
    for item in items:
        if item.path.parent.name == "kernels":
            item.add_marker(here)


@pytest.fixture(scope="session")
def normal():
    """`normal(*shape, seed=0)`: numbers of a standard normal distribution."""
    return lambda *shape, seed=0: np.random.default_rng(seed).normal(size=shape).astype("float32")


@pytest.fixture(scope="session")
def outcome():
    """`outcome(function, *inputs, open_shapes=False)`: output and gradients, see `output_and_gradients`."""
    return output_and_gradients


@pytest.fixture(scope="session")
def assert_same():
    """`assert_same(outcome, outcome)`: outputs to 1e-5, gradients to 1e-4."""
    return compare


def output_and_gradients(function, *inputs, open_shapes=False):
    """The output, and the gradients of a loss that tells its elements apart, computed in a graph."""
    import tensorflow as tf

    def step(*tensors):
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            output = function(*tensors)
            flat = tf.reshape(tf.cast(output, tf.float32), (-1,))
            loss = tf.reduce_sum(flat * tf.sin(tf.range(tf.size(flat), dtype=tf.float32)))
        return (output, *tape.gradient(loss, tensors, unconnected_gradients="zero"))  # one key needs no query

    def opened(x):  # all lengths, as the layers see them: heads, features and vectors are known
        return tf.TensorSpec([None, None, *x.shape[2:]] if x.ndim > 2 else x.shape, x.dtype)

    signature = [opened(x) for x in inputs] if open_shapes else None
    return [x.numpy() for x in tf.function(step, autograph=False, input_signature=signature)(*map(tf.constant, inputs))]


def compare(actual, expected):
    np.testing.assert_allclose(actual[0], expected[0], atol=1e-5, rtol=1e-5)
    for a, e in zip(actual[1:], expected[1:], strict=True):
        np.testing.assert_allclose(a, e, atol=1e-4, rtol=1e-4)
