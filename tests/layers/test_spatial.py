"""SpatialAttention against its equation, in NumPy."""

import numpy as np
from keras import ops

from attention_zoo.layers import SpatialAttention


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_the_weighted_features_are_gated_and_kept_apart():
    rng = np.random.default_rng(0)
    state, features = rng.normal(size=(2, 1, 4)).astype("float32"), rng.normal(size=(2, 3, 5)).astype("float32")
    layer = SpatialAttention(units=6)
    output, weights = layer(ops.convert_to_tensor(state), ops.convert_to_tensor(features), return_attention_scores=True)
    named = {weight.path.split("/", 1)[1]: ops.convert_to_numpy(weight) for weight in layer.weights}
    w_a, u_a, v_a = (named[f"score/{name}"] for name in ("query_kernel", "key_kernel", "vector"))
    scores = np.tanh((state @ w_a)[:, :, None] + (features @ u_a)[:, None]) @ v_a.reshape(-1)  # (2, 1, 3)
    alpha = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
    beta = sigmoid(state @ named["gate_kernel"] + named["gate_bias"])  # (2, 1, 1)
    expected = (beta[..., None] * 3 * alpha[..., None] * features[:, None]).reshape(2, 1, 15)
    np.testing.assert_allclose(ops.convert_to_numpy(weights), alpha, atol=1e-6)
    np.testing.assert_allclose(ops.convert_to_numpy(output), expected, atol=1e-5)


def test_uniform_weights_pass_the_features_on_times_the_gate():
    layer = SpatialAttention(units=None)
    features = np.random.default_rng(1).normal(size=(1, 4, 3)).astype("float32")
    query = ops.zeros((1, 1, 5))  # sigmoid(0) = 1/2
    answer, weights = layer(query, ops.convert_to_tensor(features), return_attention_scores=True)
    np.testing.assert_allclose(ops.convert_to_numpy(answer), 0.5 * features.reshape(1, 1, 12), atol=1e-6)
    np.testing.assert_allclose(ops.convert_to_numpy(weights), np.full((1, 1, 4), 0.25), atol=1e-6)
    assert [weight.path.split("/")[-1] for weight in layer.weights] == ["gate_kernel", "gate_bias"]
