"""What the tests of Transformers write with NumPy."""

import math

import numpy as np


def normalised(features, gamma, beta, epsilon=1e-12):
    """Layer normalisation over the last axis."""
    deviation = np.sqrt(features.var(-1, keepdims=True) + epsilon)
    return (features - features.mean(-1, keepdims=True)) / deviation * gamma + beta


def gelu(features):
    """The exact GELU."""
    return features * (1 + np.vectorize(math.erf)(features / math.sqrt(2))) / 2
