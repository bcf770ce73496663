"""Arrays that layers are tested with: random numbers, what a tensor holds, and a softmax."""

import numpy as np
from keras import ops


def floats(*shape, seed=0):
    """Returns standard normal numbers, float32."""
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def array(tensor):
    """Returns what a tensor of any precision holds, float32."""
    return ops.convert_to_numpy(ops.cast(tensor, "float32"))


def softmax(scores):
    """Returns the softmax over the last axis."""
    exponentials = np.exp(scores - scores.max(-1, keepdims=True))
    return exponentials / exponentials.sum(-1, keepdims=True)


def close(actual, expected, tolerance=1e-5):
    """Raises `AssertionError` unless two tensors or arrays are equal but for rounding."""
    np.testing.assert_allclose(array(actual), array(expected), rtol=tolerance, atol=tolerance)
