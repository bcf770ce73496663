"""Alignments: windows drawn by hand, and the Gaussian of Luong's local-p from loops over NumPy numbers."""

import keras
import numpy as np
import pytest
from arrays import array, floats

from attention_zoo.layers import Alignment, LocalMonotonicAlignment, LocalPredictiveAlignment, SoftAlignment

ALIGNMENTS = {"soft": SoftAlignment, "monotonic": LocalMonotonicAlignment, "predictive": LocalPredictiveAlignment}
every_alignment = pytest.mark.parametrize("make", ALIGNMENTS.values(), ids=ALIGNMENTS)


def softmax_over(scores, allowed):
    """Softmax of one row over the places that are allowed; zeros elsewhere."""
    weights = np.where(allowed, np.exp(scores - scores.max()), 0.0)
    return weights / weights.sum() if weights.any() else weights


def test_soft_weighs_all_that_the_mask_allows():
    scores, mask = floats(2, 3, 4), np.random.default_rng(1).random((2, 3, 4)) > 0.4
    actual = array(SoftAlignment()(scores, mask))
    for place in np.ndindex(2, 3):
        np.testing.assert_allclose(actual[place], softmax_over(scores[place], mask[place]), atol=1e-6)


def test_monotonic_windows_by_hand():
    weights = array(LocalMonotonicAlignment(window_size=1)(np.zeros((1, 6, 4), "float32")))
    third = 1 / 3
    expected = [
        [0.5, 0.5, 0, 0],
        [third, third, third, 0],
        [0, third, third, third],
        [0, 0, 0.5, 0.5],
        [0, 0, 0, 1],
        [0, 0, 0, 0],  # the window fell off the end
    ]
    np.testing.assert_allclose(weights[0], expected, atol=1e-6)


def test_monotonic_follows_the_scores_within_the_window_and_the_mask():
    scores, mask = floats(2, 5, 7), np.random.default_rng(1).random((2, 1, 7)) > 0.3
    actual = array(LocalMonotonicAlignment(window_size=2)(scores, mask))
    for b, t in np.ndindex(2, 5):
        allowed = (np.abs(np.arange(7) - t) <= 2) & mask[b, 0]
        np.testing.assert_allclose(actual[b, t], softmax_over(scores[b, t], allowed), atol=1e-6)


def test_a_decoder_tells_each_sentence_where_it_is():
    scores = floats(2, 1, 5)
    actual = array(LocalMonotonicAlignment(window_size=1)(scores, positions=np.array([[0], [3]], "int32")))
    assert (actual[:, 0] > 0).tolist() == [[True, True, False, False, False], [False, False, True, True, True]]


def test_positions_may_be_shared_by_all_sentences():
    scores, layer = floats(2, 2, 5), LocalMonotonicAlignment(window_size=1)
    shared = layer(scores, positions=np.array([1, 4], "int32"))
    np.testing.assert_array_equal(array(shared), array(layer(scores, positions=np.array([[1, 4], [1, 4]], "int32"))))


def predictive(scores, query, lengths, window_size, w_p, v_p, mask):
    """Equations 9 and 10 of Luong et al., one row at a time."""
    expected = np.zeros_like(scores)
    for place in np.ndindex(scores.shape[:-1]):
        center = lengths[place] / (1 + np.exp(-(v_p @ np.tanh(query[place] @ w_p))))
        keys = np.arange(scores.shape[-1])
        allowed = (keys >= center - window_size) & (keys <= center + window_size) & mask[place]
        gauss = np.exp(-((keys - center) ** 2) / (2 * (window_size / 2) ** 2))
        expected[place] = softmax_over(scores[place], allowed) * gauss
    return expected


@pytest.mark.parametrize("units, leading", [(3, (2,)), (None, (2,)), (3, (2, 2))])
def test_predictive_is_equations_9_and_10(units, leading):
    keras.utils.set_random_seed(2)
    scores, query = floats(*leading, 4, 9, seed=1), floats(*leading, 4, 6, seed=2)
    layer = LocalPredictiveAlignment(window_size=2, units=units)
    actual = array(layer(scores, query=query))
    w_p, v_p = (np.array(w) for w in layer.get_weights())
    assert (w_p.shape, v_p.shape) == ((6, units or 6), (units or 6,))
    everything = np.ones(scores.shape, bool)
    expected = predictive(scores, query, np.full(scores.shape[:-1], 9), 2, w_p, v_p, everything)
    np.testing.assert_allclose(actual, expected, atol=1e-6)
    assert (actual == 0).any() and (actual.sum(-1) < 1).all()  # cut off by the window, and not renormalised


def test_predictive_measures_a_sentence_without_its_padding():
    keras.utils.set_random_seed(2)
    scores, query = floats(2, 4, 9, seed=1), floats(2, 4, 6, seed=2)
    mask = np.arange(9) < np.array([9, 4])[:, None, None]  # (2, 1, 9)
    layer = LocalPredictiveAlignment(window_size=3)
    actual = array(layer(scores, mask, query))
    np.testing.assert_allclose(actual[1:, :, :4], array(layer(scores[1:, :, :4], query=query[1:])), atol=1e-6)
    expected = predictive(
        scores, query, np.array([[9] * 4, [4] * 4]), 3, *layer.get_weights(), np.broadcast_to(mask, (2, 4, 9))
    )
    np.testing.assert_allclose(actual, expected, atol=1e-6)


def test_predictive_counts_the_keys_of_each_row_of_a_full_mask():
    query, mask = np.zeros((1, 3, 2), "float32"), np.tril(np.ones((1, 3, 3), bool))
    weights = array(LocalPredictiveAlignment(window_size=1)(np.zeros((1, 3, 3), "float32"), mask, query))
    # sigmoid(0) = 1/2: p_t = 0.5, 1, 1.5; exp(-2 · 0.5²) = .6065, exp(-2) = .1353
    half, one = np.exp(-0.5), np.exp(-2.0)
    np.testing.assert_allclose(weights[0], [[half, 0, 0], [one / 2, 1 / 2, 0], [0, half / 2, half / 2]], atol=1e-6)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="takes the gradient with TensorFlow's tape")
def test_the_prediction_learns():
    import tensorflow as tf

    keras.utils.set_random_seed(2)
    layer = LocalPredictiveAlignment(window_size=3)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(floats(2, 4, 9), query=floats(2, 4, 6))[..., 5])
    for gradient in tape.gradient(loss, layer.trainable_weights):
        assert np.isfinite(gradient).all() and np.abs(gradient).max() > 0


@every_alignment
def test_a_row_with_nothing_to_attend_to_is_zero(make):
    mask = np.ones((2, 3, 4), bool)
    mask[1, 2] = False
    weights = array(make()(floats(2, 3, 4), mask, floats(2, 3, 6)))
    assert not weights[1, 2].any() and weights[1, 1].any()


@every_alignment
@pytest.mark.parametrize("policy", ["mixed_float16", "float16", "bfloat16"])
def test_weights_are_float32_and_near_those_of_float32(make, policy):
    keras.utils.set_random_seed(1)
    exact, layer = make(), make(dtype=policy)
    inputs = floats(2, 3, 30), np.ones((2, 1, 30), bool), floats(2, 3, 6)
    expected, _ = exact(*inputs), layer(*inputs)
    layer.set_weights(exact.get_weights())
    weights = layer(*inputs)
    assert keras.backend.standardize_dtype(weights.dtype) == "float32"
    np.testing.assert_allclose(array(weights), array(expected), atol=0.03)


@every_alignment
def test_the_config_makes_the_same_layer_again(make):
    layer = make(name="mine", dtype=keras.DTypePolicy("mixed_float16"))
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert (again.name, again.dtype_policy.name) == ("mine", "mixed_float16")


def test_windows_are_of_the_papers_size_unless_told_otherwise():
    assert LocalMonotonicAlignment().window_size == LocalPredictiveAlignment().window_size == 10


@pytest.mark.parametrize("wrong", [0, -2, 1.5, "10", True])
def test_sizes_must_be_positive_integers(wrong):
    for make in (LocalMonotonicAlignment, LocalPredictiveAlignment):
        with pytest.raises(ValueError, match=f"`window_size` must be a positive integer.*{wrong!r}"):
            make(wrong)
    with pytest.raises(ValueError, match=f"`units` must be a positive integer.*{wrong!r}"):
        LocalPredictiveAlignment(units=wrong)


def test_predictive_says_that_it_needs_the_query():
    with pytest.raises(ValueError, match="from `query`.*Received: query=None"):
        LocalPredictiveAlignment()(floats(2, 3, 4))


def test_an_alignment_without_call_says_so():
    with pytest.raises(NotImplementedError, match="Forgetful must override call"):
        type("Forgetful", (Alignment,), {})()(floats(2, 3, 4))


def test_local_p_counts_all_keys_under_a_mask_of_queries_alone():
    align = LocalPredictiveAlignment(window_size=2)
    scores, query = keras.ops.zeros((1, 2, 8)), keras.ops.zeros((1, 2, 4))
    align.build((1, 2, 8), (1, 2, 4))
    masked = align(scores, mask=keras.ops.array([[[True], [False]]]), query=query)
    free = align(scores, query=query)
    np.testing.assert_allclose(masked[0, 0], free[0, 0], atol=1e-6)
    assert not np.array(masked)[0, 1].any()
