"""Attention equals the equations of its papers, and Keras's own layers where they can do the same."""

import keras
import numpy as np
import pytest
from arrays import array, close, floats, softmax
from attention_inputs import QUERY, QUERY_MASK, VALUE, VALUE_MASK, B, D, S
from keras import ops

from attention_zoo.layers import (
    Attention,
    BahdanauAttention,
    DotScore,
    LocalMonotonicAlignment,
    LocalPredictiveAlignment,
    LuongAttention,
    ScaledDotScore,
    SoftAlignment,
)

WINDOWS = (None, "monotonic", "predictive")


@pytest.fixture(autouse=True)
def seed():
    keras.utils.set_random_seed(1)


def test_contexts_are_weighted_sums_of_the_values_not_of_the_keys():
    value = floats(B, S, 3, seed=3)
    output, weights = Attention(ScaledDotScore())(QUERY, value, VALUE, return_attention_scores=True)
    expected = softmax(QUERY @ VALUE.transpose(0, 2, 1) / np.sqrt(D))
    close(weights, expected)
    close(output, expected @ value)


def test_attention_worked_by_hand():
    query, key = np.array([[[1.0]]], "float32"), np.array([[[0.0], [np.log(3.0)]]], "float32")
    value = np.array([[[4.0, 0.0], [8.0, 1.0]]], "float32")
    close(Attention(DotScore())(query, value, key), [[[7.0, 0.75]]])  # weights 1/4 and 3/4


def test_dot_equals_keras_attention():
    options = {"return_attention_scores": True, "use_causal_mask": True}
    ours = LuongAttention("dot")(QUERY, VALUE, value_mask=VALUE_MASK, **options)
    kerass = keras.layers.Attention()([QUERY, VALUE], mask=[None, ops.convert_to_tensor(VALUE_MASK)], **options)
    for actual, expected in zip(ours, kerass):
        close(actual, expected)


def test_additive_equals_keras_additive_attention():
    ours, kerass = BahdanauAttention(D), keras.layers.AdditiveAttention()
    expected = kerass([QUERY, VALUE], mask=[ops.convert_to_tensor(QUERY_MASK), ops.convert_to_tensor(VALUE_MASK)])
    ours.build(QUERY.shape, VALUE.shape)
    ours.set_weights([np.eye(D), np.eye(D), *kerass.get_weights()])
    close(ours(QUERY, VALUE, query_mask=QUERY_MASK, value_mask=VALUE_MASK), expected)


def test_bahdanau_is_equations_5_and_6():
    layer = BahdanauAttention(3)
    output = layer(QUERY, VALUE)
    w_a, u_a, v_a = layer.get_weights()
    scores = np.tanh((QUERY @ w_a)[:, :, None] + (VALUE @ u_a)[:, None]) @ v_a
    close(output, softmax(scores) @ VALUE)


def test_the_attentional_state_is_equation_5_of_luong():
    layer = LuongAttention("dot", attentional_units=7)
    output, weights = layer(QUERY, VALUE, return_attention_scores=True)
    (w_c,) = layer.get_weights()
    assert w_c.shape == (2 * D, 7)
    close(output, np.tanh(np.concatenate([array(weights) @ VALUE, QUERY], -1) @ w_c))


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("score", ["dot", "general", "concat", "location"])
def test_luong_is_its_score_under_its_window(score, window):
    luong = LuongAttention(score, window=window, window_size=2, units=3, max_length=9)
    alignments = {
        None: SoftAlignment(),
        "monotonic": LocalMonotonicAlignment(2),
        "predictive": LocalPredictiveAlignment(2, units=3),
    }
    again = type(luong.score).from_config(luong.score.get_config())
    parts = Attention(again, alignments[window])
    parts.build(QUERY.shape, VALUE.shape)
    expected = luong(QUERY, VALUE)
    parts.set_weights(luong.get_weights())
    close(parts(QUERY, VALUE), expected)


def test_location_and_local_reach_no_further_than_both_allow():
    layer = LuongAttention("location", window="monotonic", window_size=1, max_length=3)
    _, weights = layer(floats(1, 6, D), floats(1, 6, D), return_attention_scores=True)
    expected = [[1, 1, 0, 0, 0, 0], [1, 1, 1, 0, 0, 0], [0, 1, 1, 0, 0, 0], [0, 0, 1, 0, 0, 0], [0] * 6, [0] * 6]
    np.testing.assert_array_equal(array(weights)[0] > 0, np.array(expected, bool))
