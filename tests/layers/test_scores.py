"""Scores against loops over NumPy vectors, one pair of query and key at a time."""

import keras
import numpy as np
import pytest
from arrays import array, floats
from keras import ops

from attention_zoo.layers import (
    AdditiveScore,
    ConcatScore,
    DotScore,
    GeneralScore,
    LocationScore,
    ScaledDotScore,
    Score,
)

SCORES = {
    "dot": DotScore,
    "scaled": ScaledDotScore,
    "general": GeneralScore,
    "additive": lambda **options: AdditiveScore(3, **options),
    "concat": lambda **options: ConcatScore(3, **options),
    "location": lambda **options: LocationScore(max_length=9, **options),
}
every_score = pytest.mark.parametrize("make", SCORES.values(), ids=SCORES)


def each_pair(query, key, function):
    """function(q, k, s) for every pair, where s is the number of the key."""
    expected = np.zeros((*query.shape[:-1], key.shape[-2]), "float32")
    for place in np.ndindex(expected.shape):
        *lead, t, s = place
        expected[place] = function(query[(*lead, t)], key[(*lead, s)], s)
    return expected


def weights_of(layer):
    return [np.array(w) for w in layer.get_weights()]


@pytest.fixture(params=[(2,), (2, 3)], ids=["rank 3", "rank 4"])
def pair(request):
    keras.utils.set_random_seed(1)
    return floats(*request.param, 4, 6, seed=1), floats(*request.param, 5, 6, seed=2)


@pytest.fixture
def uneven():
    keras.utils.set_random_seed(1)
    return floats(2, 4, 6, seed=1), floats(2, 5, 7, seed=2)


def test_dot_is_the_inner_product(pair):
    np.testing.assert_allclose(array(DotScore()(*pair)), each_pair(*pair, lambda q, k, s: q @ k), rtol=1e-4, atol=1e-5)


def test_scaled_dot_is_divided_by_the_root_of_the_width(pair):
    expected = each_pair(*pair, lambda q, k, s: q @ k / np.sqrt(6))
    np.testing.assert_allclose(array(ScaledDotScore()(*pair)), expected, rtol=1e-4, atol=1e-5)


def test_general_goes_through_w_a(uneven):
    layer = GeneralScore()
    actual = array(layer(*uneven))
    (w_a,) = weights_of(layer)
    assert w_a.shape == (6, 7)
    np.testing.assert_allclose(actual, each_pair(*uneven, lambda q, k, s: q @ w_a @ k), rtol=1e-4, atol=1e-5)


def test_additive_is_v_tanh_of_the_sum(uneven):
    layer = AdditiveScore(3)
    actual = array(layer(*uneven))
    w_a, u_a, v_a = weights_of(layer)
    assert (w_a.shape, u_a.shape, v_a.shape) == ((6, 3), (7, 3), (3,))
    expected = each_pair(*uneven, lambda q, k, s: v_a @ np.tanh(w_a.T @ q + u_a.T @ k))
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)


def test_additive_with_numbers_worked_by_hand():
    layer = AdditiveScore(1)
    layer.build((1, 1, 1), (1, 2, 1))
    layer.set_weights([np.array([[1.0]]), np.array([[0.5]]), np.array([2.0])])
    # 2 tanh(1 + 0) = 1.5232, 2 tanh(1 + 0.5 · -2) = 0
    scores = layer(np.ones((1, 1, 1), "float32"), np.array([[[0.0], [-2.0]]], "float32"))
    np.testing.assert_allclose(array(scores), [[[1.5232, 0]]], atol=1e-4)


def test_additive_equals_keras_when_its_kernels_are_the_identity(pair):
    query, key = pair[0].reshape(-1, 4, 6), pair[1].reshape(-1, 5, 6)
    layer, keras_layer = AdditiveScore(6), keras.layers.AdditiveAttention()
    layer.build(query.shape, key.shape)
    _, weights = keras_layer([query, key], return_attention_scores=True)
    layer.set_weights([np.eye(6), np.eye(6), *keras_layer.get_weights()])
    np.testing.assert_allclose(array(ops.softmax(layer(query, key))), array(weights), atol=1e-5)


@pytest.mark.parametrize("units, width", [(3, 3), (None, 6)])
def test_concat_equals_a_real_concatenation(uneven, units, width):
    layer = ConcatScore(units)
    actual = array(layer(*uneven))
    w_a, v_a = weights_of(layer)
    assert (w_a.shape, v_a.shape) == ((6 + 7, width), (width,))
    expected = each_pair(*uneven, lambda q, k, s: v_a @ np.tanh(np.concatenate([q, k]) @ w_a))
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)


def test_location_looks_at_the_query_alone(uneven):
    layer = LocationScore(max_length=9)
    query, key = uneven
    actual = array(layer(query, key))
    (w_a,) = weights_of(layer)
    assert w_a.shape == (6, 9)
    np.testing.assert_allclose(actual, each_pair(query, key, lambda q, k, s: (q @ w_a)[s]), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(actual, array(layer(query, -key)))


def test_location_gives_no_weight_past_its_longest_length(uneven):
    layer = LocationScore(max_length=3)
    actual = array(layer(*uneven))
    assert np.isfinite(actual[..., :3]).all()
    assert (actual[..., 3:] == -np.inf).all() and actual.shape == (2, 4, 5)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="other backends have no open lengths")
@pytest.mark.parametrize("max_length", [3, 5, 9])
def test_location_works_where_the_length_is_open(uneven, max_length):
    import tensorflow as tf

    layer = LocationScore(max_length)
    expected = array(layer(*uneven))
    graph = tf.function(layer, input_signature=[tf.TensorSpec((None, None, 6)), tf.TensorSpec((None, None, 7))])
    np.testing.assert_allclose(array(graph(*uneven)), expected, rtol=1e-5)


@every_score
@pytest.mark.parametrize("leading", [(2,), (2, 3)], ids=["rank 3", "rank 4"])
def test_one_step_is_one_row_of_the_whole(make, leading):
    query, key = floats(*leading, 4, 6, seed=1), floats(*leading, 5, 6, seed=2)
    layer = make()
    whole = array(layer(query, key))
    projected = layer.project_key(ops.convert_to_tensor(key))
    for t in range(4):
        step = layer.compare(layer.project_query(ops.convert_to_tensor(query[..., t : t + 1, :])), projected)
        np.testing.assert_allclose(array(step), whole[..., t : t + 1, :], rtol=1e-4, atol=1e-5)


@every_score
@pytest.mark.parametrize("policy", ["mixed_float16", "float16", "mixed_bfloat16"])
def test_a_step_outside_of_call_has_the_compute_dtype(make, policy):
    layer = make(dtype=policy)
    layer.build((2, 1, 6), (2, 5, 6))
    query, key = (ops.cast(x, layer.compute_dtype) for x in (floats(2, 1, 6), floats(2, 5, 6)))
    step = layer.compare(layer.project_query(query), layer.project_key(key))
    dot_product = isinstance(layer, (DotScore, GeneralScore))  # of float16 it would overflow: it is float32
    widened = dot_product and layer.compute_dtype == "float16"
    assert keras.backend.standardize_dtype(step.dtype) == ("float32" if widened else layer.compute_dtype)
    assert keras.backend.standardize_dtype(layer(query, key).dtype) == layer.compute_dtype


def test_scaled_dot_does_not_overflow_float16_where_its_result_fits():
    query = key = np.full((1, 1, 256), 20.0, "float32")  # q·k = 102400 > 65504, scaled: 6400
    np.testing.assert_allclose(array(ScaledDotScore(dtype="float16")(query, key)), [[[6400.0]]], rtol=1e-2)


@every_score
def test_the_config_makes_the_same_layer_again(make):
    layer = make(name="mine", dtype=keras.DTypePolicy("mixed_float16"))
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert (again.name, again.dtype_policy.name) == ("mine", "mixed_float16")


@every_score
def test_kernels_start_different_from_each_other(make):
    layer = make()
    layer.build((2, 4, 6), (2, 5, 6))
    weights = weights_of(layer)
    assert all(w.std() > 0 for w in weights)
    assert not any(a.shape == b.shape and np.allclose(a, b) for i, a in enumerate(weights) for b in weights[:i])


@pytest.mark.parametrize("make", [DotScore, ScaledDotScore])
def test_dot_refuses_widths_that_differ(make, uneven):
    with pytest.raises(ValueError, match=r"same number of features.*\(2, 4, 6\).*\(2, 5, 7\)"):
        make()(*uneven)


@pytest.mark.parametrize("wrong", [0, -1, 2.5, "8", True])
def test_sizes_must_be_positive_integers(wrong):
    for make, name in ((AdditiveScore, "units"), (ConcatScore, "units"), (LocationScore, "max_length")):
        with pytest.raises(ValueError, match=f"`{name}` must be a positive integer.*{wrong!r}"):
            make(wrong)


def test_a_score_of_ones_own_needs_only_compare():
    class Distance(Score):
        def compare(self, query, key):
            return -ops.sum(ops.square(query[..., :, None, :] - key[..., None, :, :]), axis=-1)

    query, key = floats(2, 4, 6, seed=1), floats(2, 5, 6, seed=2)
    expected = each_pair(query, key, lambda q, k, s: -((q - k) ** 2).sum())
    np.testing.assert_allclose(array(Distance()(query, key)), expected, rtol=1e-4)
    with pytest.raises(NotImplementedError, match="Forgetful must override compare"):
        type("Forgetful", (Score,), {})()(query, key)
