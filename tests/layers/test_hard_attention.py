"""Hard attention: samples, gradients, and that REINFORCE estimates the gradient that can be computed exactly."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from arrays import softmax
from keras import ops

from attention_zoo import layers


def test_a_draw_picks_the_location_at_which_the_weights_add_up_to_more():
    weights = np.array([[0.0, 0.25, 0.0, 0.75]] * 6, "float32")
    draws = np.array([[0.0], [0.2499], [0.25], [0.99999994], [-1.0], [0.5]], "float32")
    weights[5] = 0.0  # nothing to attend to
    picked = ops.convert_to_numpy(layers.sample_locations(weights, draws))
    np.testing.assert_array_equal(picked, [[0, 1, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1], [0, 0, 0, 1], [0] * 4, [0] * 4])


def test_locations_are_sampled_as_often_as_their_weights_say():
    alignment = layers.HardAlignment(expected_share=0.0, seed=1)
    weights = np.tile(np.array([0.1, 0.6, 0.0, 0.3], "float32"), (20_000, 1, 1))
    shares = ops.convert_to_numpy(alignment.choose(weights, alignment.draw((20_000, 1)))).mean(axis=(0, 1))
    np.testing.assert_allclose(shares, weights[0, 0], atol=4 * 0.5 / np.sqrt(20_000))
    assert shares[2] == 0


def test_half_of_the_examples_use_the_expectation_for_all_their_queries():
    draws = ops.convert_to_numpy(layers.HardAlignment(seed=1).draw((4000, 5)))[..., 0]  # (4000, 5)
    expected = (draws < 0).sum(axis=1)
    assert set(expected) == {0, 5}
    assert abs((expected == 5).mean() - 0.5) < 4 * 0.5 / np.sqrt(4000)
    alignment = layers.HardAlignment()
    weights = np.array([[[0.25, 0.75]], [[0.25, 0.75]]], "float32")
    chosen = alignment.choose(weights, np.array([[[-1.0]], [[0.5]]], "float32"))
    np.testing.assert_array_equal(ops.convert_to_numpy(chosen), [[[0.25, 0.75]], [[0.0, 1.0]]])


@pytest.mark.parametrize("inference, expected", [("expectation", [1 / 4, 1 / 4, 1 / 2]), ("argmax", [0, 0, 1])])
def test_the_answer_is_the_same_at_each_call_outside_training(inference, expected):
    attention = layers.HardAttention(4, inference=inference)
    query, value = np.ones((1, 1, 2), "float32"), np.eye(3, dtype="float32")[None]
    attention.build(query.shape, value.shape)
    weights = np.array([[expected]], "float32")
    chosen = attention.alignment.choose(np.array([[[1 / 4, 1 / 4, 1 / 2]]], "float32"))
    np.testing.assert_array_equal(ops.convert_to_numpy(chosen), weights)
    np.testing.assert_array_equal(*(ops.convert_to_numpy(attention(query, value, training=False)) for _ in range(2)))


def test_training_looks_at_one_value_and_draws_anew():
    attention = layers.HardAttention(4, expected_share=0.0, seed=3)
    value = np.tile(np.array([1.0, 10.0, 100.0], "float32")[None, :, None], (50, 1, 1))
    first, second = (
        ops.convert_to_numpy(attention(np.ones((50, 1, 2), "float32"), value, training=True)) for _ in range(2)
    )
    assert set(np.unique(first)) == {1.0, 10.0, 100.0} and (first != second).any()


def test_gradient_flows_through_the_expectation_and_not_through_a_sample():
    scores, alignment = tf.Variable([[[0.0, 1.0, 2.0]]]), layers.HardAlignment()
    for draw, flows in ((0.3, False), (-1.0, True)):
        with tf.GradientTape() as tape:
            chosen = alignment.choose(alignment(scores), tf.constant([[[draw]]]))
            loss = tf.reduce_sum(chosen * [1.0, 2.0, 4.0])
        gradient = tape.gradient(loss, scores, unconnected_gradients="zero")
        assert bool(tf.reduce_any(gradient != 0)) == flows


def test_the_estimated_gradient_agrees_with_the_exact_one():
    """Two queries over three locations: nine ways to look, so that the expectation can be computed by hand."""
    count, rng = 40_000, np.random.default_rng(0)
    scores, rewards = rng.normal(size=(2, 3)), rng.normal(size=(3, 3)) - 2  # log p(y|s) of the nine ways
    probabilities = softmax(scores)
    expected_gain = sum(
        probabilities[0, i] * probabilities[1, j] * rewards[i, j] * (np.eye(3)[[i, j]] - probabilities)
        for i in range(3)
        for j in range(3)
    )  # of Σ p(s) log p(y|s), since ∂p = p ∂log p
    logs = np.log(probabilities)
    entropy = -(probabilities * logs).sum(-1, keepdims=True)
    exact = -(expected_gain + 0.3 * -probabilities * (logs + entropy))  # ∂H/∂scores = -p (log p + H)

    alignment = layers.HardAlignment(expected_share=0.0, seed=5)
    variable = tf.Variable(np.tile(scores.astype("float32"), (count, 1, 1)))
    with tf.GradientTape() as tape:
        weights = alignment(variable)
        samples = layers.sample_locations(weights, alignment.draw((count, 2)))
        ways = tf.argmax(samples, axis=-1)  # (count, 2)
        log_likelihood = tf.gather_nd(tf.constant(rewards, tf.float32), ways)
        loss = layers.reinforce_loss(log_likelihood, weights, samples, -1.5, reward_scale=1.0, entropy_scale=0.3)
    estimates = tape.gradient(loss, variable).numpy()  # (count, 2, 3)
    error = estimates.std(axis=0) / np.sqrt(count)
    assert (np.abs(estimates.mean(axis=0) - exact) < 3 * error).all()
    assert (np.abs(exact) > 3 * error).any(), "a gradient of zero would pass, too"


def test_examples_that_used_the_expectation_and_masked_queries_earn_nothing():
    weights = np.full((2, 2, 2), 0.5, "float32")
    samples = np.array([[[1, 0], [0, 1]], [[0, 0], [0, 0]]], "float32")
    loss = layers.reinforce_loss(
        np.array([-1.0, -1.0], "float32"), weights, samples, -3.0, np.array([[1, 0], [1, 1]]), 1.0, 0.0
    )
    np.testing.assert_allclose(ops.convert_to_numpy(loss), [-2.0 * np.log(0.5), 0.0], rtol=1e-6, atol=1e-7)


def test_a_decoder_samples_by_the_draws_that_it_is_given():
    keras.utils.set_random_seed(1)
    decoder = layers.AttentiveDecoder(keras.layers.LSTMCell(4), layers.HardAttention(3, expected_share=0.0))
    target, source = np.ones((6, 3, 2), "float32"), np.tile(np.eye(5, dtype="float32"), (6, 1, 1))
    draws = decoder.attention.draw((6, 3))
    _, contexts, weights = decoder(target, source, draws=draws, training=True, return_attention_scores=True)
    # The values are one-hot, so a context shows where it was looked at.
    np.testing.assert_array_equal(*map(ops.convert_to_numpy, (contexts, layers.sample_locations(weights, draws))))
    _, again = decoder(target, source, training=True)
    assert (ops.convert_to_numpy(again) != ops.convert_to_numpy(contexts)).any()


def test_arguments_out_of_range_are_refused():
    with pytest.raises(ValueError, match="`expected_share` must be in"):
        layers.HardAlignment(expected_share=1.5)
    with pytest.raises(ValueError, match="`inference` must be"):
        layers.HardAttention(3, inference="soft")


@pytest.mark.parametrize("policy", ["float32", "mixed_float16", "mixed_bfloat16"])
def test_a_decoder_looks_where_its_draws_say_whatever_the_policy(policy):
    keras.utils.set_random_seed(1)
    decoder = layers.AttentiveDecoder(
        keras.layers.GRUCell(4, dtype=policy), layers.HardAttention(4, expected_share=0.0, dtype=policy), dtype=policy
    )
    query, places = keras.random.normal((16, 12, 3)), ops.broadcast_to(ops.eye(196), (16, 196, 196))
    draws = decoder.attention.draw((16, 12))
    _, looked_at, weights = decoder(query, places, return_attention_scores=True, training=True, draws=draws)
    credited = layers.sample_locations(weights, draws)  # as REINFORCE reads them
    np.testing.assert_array_equal(ops.convert_to_numpy(ops.cast(looked_at, "float32")), ops.convert_to_numpy(credited))
