"""float16: scores beyond 65,504, its greatest number, give the weights of float64."""

import numpy as np
import pytest
from keras import ops

from attention_zoo import layers
from attention_zoo.layers.dot_product import attention_scores, dot_product_attention

B, T, S, D = 2, 3, 4, 64


def large(*shape, seed):
    """float16 vectors whose products are of the order of a million, and differ by little."""
    rng = np.random.default_rng(seed)
    return (120 + rng.uniform(-0.5, 0.5, size=shape)).astype("float16")


def reference(query, key, value, scale):
    """softmax(query keyᵀ scale) value in float64."""
    query, key, value = (x.astype("float64") for x in (query, key, value))
    scores = scale * query @ np.swapaxes(key, -1, -2)
    assert scores.max() > 65504
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    return weights @ value, weights


def check(actual, expected):
    actual = ops.convert_to_numpy(actual).astype("float64")
    assert np.isfinite(actual).all()
    np.testing.assert_allclose(actual, expected, rtol=2e-3, atol=2e-3)


QUERY, KEY = large(B, T, D, seed=1), large(B, S, D, seed=2)
VALUE = np.random.default_rng(3).normal(size=(B, S, 5)).astype("float16")


@pytest.mark.parametrize("implementation", ["plain", "auto"])
def test_dot_product_attention_of_large_float16(implementation):
    heads = [ops.convert_to_tensor(x[:, :, None]) for x in (QUERY, KEY, VALUE)]
    output = dot_product_attention(*heads, scale=1.0, implementation=implementation)
    expected, weights = reference(QUERY, KEY, VALUE, 1.0)
    assert output.shape == (B, T, 1, 5)
    check(output[:, :, 0], expected)
    check(attention_scores(heads[0], heads[1], [0, 1, 2], scale=1.0)[:, 0], weights)


@pytest.mark.parametrize(
    "make, scale",
    [
        (lambda: layers.Attention(layers.DotScore(), dtype="float16"), 1.0),
        (lambda: layers.Attention(layers.ScaledDotScore(), dtype="float16"), D**-0.5),
        (lambda: layers.LuongAttention("dot", dtype="float16"), 1.0),
    ],
)
@pytest.mark.parametrize("steps", [1, T])
def test_scores_of_large_float16(make, scale, steps):
    query = QUERY[:, :steps]
    tensors = [ops.convert_to_tensor(x) for x in (query, VALUE, KEY)]
    output, weights = make()(*tensors, return_attention_scores=True)
    for actual, expected in zip((output, weights), reference(query, KEY, VALUE, scale)):
        check(actual, expected)


def test_general_score_of_large_float16():
    layer = layers.LuongAttention("general", dtype="float16")
    layer.build(QUERY.shape, VALUE.shape, KEY.shape)
    layer.score.kernel.assign(np.eye(D))
    output = layer(*[ops.convert_to_tensor(x) for x in (QUERY, VALUE, KEY)])
    check(output, reference(QUERY, KEY, VALUE, 1.0)[0])


@pytest.mark.parametrize("with_scores", [False, True])
def test_multi_head_attention_of_large_float16(with_scores):
    layer = layers.MultiHeadAttention(1, D, value_dim=5, output_shape=5, dtype="float16")
    layer.build(QUERY.shape, VALUE.shape, KEY.shape)
    layer.set_weights(
        [np.eye(D)[:, None] * 4, np.zeros((1, D)), np.eye(D)[:, None] * 4, np.zeros((1, D))]
        + [np.eye(5)[:, None], np.zeros((1, 5)), np.eye(5)[None], np.zeros(5)]
    )
    result = layer(*[ops.convert_to_tensor(x) for x in (QUERY, VALUE, KEY)], return_attention_scores=with_scores)
    output, weights = reference(QUERY * 4, KEY * 4, VALUE, D**-0.5)
    check(result[0] if with_scores else result, output)
    if with_scores:
        check(result[1][:, 0], weights)


def test_an_overflowed_float16_score_gives_no_nan():
    scores = np.array([[np.inf, 0.0, -np.inf], [np.inf, np.inf, 1.0]], "float16")
    weights = layers.masked_softmax(ops.convert_to_tensor(scores))
    np.testing.assert_allclose(ops.convert_to_numpy(weights), [[1.0, 0.0, 0.0], [0.5, 0.5, 0.0]])
