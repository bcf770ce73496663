"""Masks: hand-made tables of who sees whom, and a softmax that never looks where it may not."""

import warnings

import keras
import numpy as np
import pytest
from keras import ops

from attention_zoo import layers
from attention_zoo.layers import causal_mask, combine_masks, masked_softmax
from attention_zoo.layers.masks import attending_queries, window_mask


def array(tensor):
    return ops.convert_to_numpy(tensor)


def test_a_query_sees_the_keys_up_to_its_own():
    np.testing.assert_array_equal(array(causal_mask(3, 3)), [[1, 0, 0], [1, 1, 0], [1, 1, 1]])
    assert keras.backend.standardize_dtype(causal_mask(3, 3).dtype) == "bool"


def test_more_keys_than_queries_are_counted_from_the_first():
    np.testing.assert_array_equal(array(causal_mask(2, 4)), [[1, 0, 0, 0], [1, 1, 0, 0]])


@pytest.mark.parametrize("offset", [2, np.int32(2)])
def test_the_offset_stands_for_keys_before_the_first_query(offset):
    np.testing.assert_array_equal(array(causal_mask(2, 4, ops.convert_to_tensor(offset))), [[1, 1, 1, 0], [1, 1, 1, 1]])
    np.testing.assert_array_equal(array(causal_mask(2, 4, offset)), [[1, 1, 1, 0], [1, 1, 1, 1]])


def test_no_mask_at_all_is_none():
    assert combine_masks() is None


def test_all_masks_must_agree():
    combined = combine_masks(
        query_mask=np.array([[True, True, False]]),
        value_mask=np.array([[True, False, True]]),
        attention_mask=np.array([[[True, True, True], [False, True, True], [True, True, True]]]),
        causal=causal_mask(3, 3),
    )
    np.testing.assert_array_equal(array(combined), [[[1, 0, 0], [0, 0, 0], [0, 0, 0]]])


@pytest.mark.parametrize("leading", [(), (2,), (2, 3)])
def test_masks_keep_every_leading_axis(leading):
    generator = np.random.default_rng(0)
    query_mask, value_mask = generator.random((*leading, 4)) > 0.5, generator.random((*leading, 5)) > 0.5
    combined = array(combine_masks(query_mask, value_mask))
    assert combined.shape == (*leading, 4, 5)
    for place in np.ndindex(combined.shape):
        assert combined[place] == (query_mask[place[:-1]] and value_mask[(*place[:-2], place[-1])])


def test_a_value_mask_alone_stays_small():
    assert array(combine_masks(value_mask=np.ones((2, 5), bool))).shape == (2, 1, 5)


def test_numbers_are_masks_too():
    np.testing.assert_array_equal(array(combine_masks(value_mask=np.array([[1, 0, 2]]))), [[[True, False, True]]])


def test_softmax_without_a_mask_is_the_softmax():
    scores = np.array([[0.0, np.log(2.0), np.log(5.0)]], "float32")
    np.testing.assert_allclose(array(masked_softmax(scores)), [[1 / 8, 2 / 8, 5 / 8]], rtol=1e-6)


def test_masked_scores_take_no_part_however_large():
    scores = np.array([[0.0, np.log(3.0), 3e38]], "float32")
    weights = array(masked_softmax(scores, np.array([[True, True, False]])))
    np.testing.assert_allclose(weights, [[1 / 4, 3 / 4, 0]], rtol=1e-6)
    assert weights[0, 2] == 0.0


def test_allowed_scores_count_however_small():
    scores = np.array([[-1e30, -1e30, 0.0]], "float32")
    np.testing.assert_allclose(array(masked_softmax(scores, np.array([[True, True, False]]))), [[0.5, 0.5, 0]])


@pytest.mark.parametrize("scores", [[[1.0, 2.0]], [[-np.inf, -np.inf]], [[3e38, -3e38]]])
def test_a_row_with_nothing_to_attend_to_is_zero(scores):
    np.testing.assert_array_equal(
        array(masked_softmax(np.array(scores, "float32"), np.zeros((1, 2), bool))), [[0.0, 0.0]]
    )


def test_minus_infinity_is_no_weight_with_and_without_a_mask():
    scores = np.array([[0.0, 0.0, -np.inf]], "float32")
    np.testing.assert_array_equal(array(masked_softmax(scores)), [[0.5, 0.5, 0]])
    np.testing.assert_array_equal(array(masked_softmax(scores, np.array([[False, True, True]]))), [[0, 1, 0]])
    np.testing.assert_array_equal(array(masked_softmax(scores, np.array([[False, False, True]]))), [[0, 0, 0]])


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_weights_are_float32_whatever_the_scores(dtype):
    # In float16 the sum of 4096 ones would still fit, but the weights of 2^-12 would be rounded when summed.
    weights = masked_softmax(ops.zeros((1, 4096), dtype=dtype))
    assert keras.backend.standardize_dtype(weights.dtype) == "float32"
    assert array(weights).sum() == pytest.approx(1.0, abs=1e-6)


def test_the_largest_float16_scores_make_no_nan():
    scores = ops.convert_to_tensor(np.array([[65504.0, -65504.0, 65504.0]], "float16"))
    np.testing.assert_allclose(array(masked_softmax(scores, np.array([[True, True, False]]))), [[1, 0, 0]])


def test_one_key_takes_all_the_weight_without_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        weights = masked_softmax(np.array([[5.0], [7.0]], "float32"), np.array([[True], [False]]))
    np.testing.assert_array_equal(array(weights), [[1.0], [0.0]])


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="takes the gradient with TensorFlow's tape")
def test_gradients_are_finite_where_whole_rows_are_masked():
    import tensorflow as tf

    scores = tf.constant([[1.0, 2.0, -np.inf], [3.0, 4.0, 5.0]])
    with tf.GradientTape() as tape:
        tape.watch(scores)
        loss = tf.reduce_sum(masked_softmax(scores, np.array([[True] * 3, [False] * 3])) * [1.0, 2.0, 3.0])
    gradient = tape.gradient(loss, scores).numpy()
    share = 1 / (1 + np.exp(-1.0))  # softmax of (1, 2): (1 - share, share); d loss = ±share (1 - share) · (2 - 1)
    np.testing.assert_allclose(gradient, [[-share * (1 - share), share * (1 - share), 0], [0, 0, 0]], atol=1e-6)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("lengths", [(5, 5), (9, 4), (3, 8)])
@pytest.mark.parametrize("padded", [False, True])
def test_attending_queries_of_a_window_are_those_of_the_full_mask(causal, lengths, padded):
    queries, keys = lengths
    value_mask = np.random.default_rng(1).random((6, keys)) < 0.3 if padded else None
    for window in (1, 2, 3, 20):
        full = np.abs(np.arange(queries)[:, None] - np.arange(keys)) < window
        np.testing.assert_array_equal(window_mask(queries, keys, window), full)
        full = full & np.tril(np.ones(full.shape, bool)) if causal else full
        full = full & value_mask[:, None] if padded else full
        found = attending_queries(queries, keys, None, value_mask, None, causal, window)
        np.testing.assert_array_equal(np.broadcast_to(found, full.shape[:-1]), full.any(-1))
        all_keys = np.ones((queries, keys), bool)
        found = attending_queries(queries, keys, None, value_mask, all_keys, causal, window)
        np.testing.assert_array_equal(np.broadcast_to(found, full.shape[:-1]), full.any(-1))


WRONG = {
    "value_mask": ((2, 5), r"`value_mask` must have the shape \(2, 6\). Received: value_mask of shape \(2, 5\)"),
    "query_mask": ((2, 6), r"`query_mask` must have the shape \(2, 5\). Received: query_mask of shape \(2, 6\)"),
    "attention_mask": ((3, 5, 6), r"`attention_mask` must have a shape that broadcasts to \(2, 5, 6\). Received"),
}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("make", [lambda: layers.BahdanauAttention(4), lambda: layers.MultiHeadAttention(2, 4)])
def test_a_mask_of_a_wrong_shape_is_refused_in_words(make, name):
    shape, message = WRONG[name]
    with pytest.raises(ValueError, match=message):
        make()(np.ones((2, 5, 8), "float32"), np.ones((2, 6, 8), "float32"), **{name: np.ones(shape, bool)})


@pytest.mark.parametrize("shape", [(5, 6), (1, 5, 6), (2, 1, 6), (2, 5, 1), (2, 3, 5, 6), (1, 1, 1, 6)])
def test_masks_that_broadcast_are_accepted(shape):
    attention = layers.MultiHeadAttention(3, 4)
    query, value = np.ones((2, 5, 8), "float32"), np.ones((2, 6, 8), "float32")
    assert attention(query, value, attention_mask=np.ones(shape, bool)).shape == (2, 5, 8)
