import numpy as np
import pytest
import tensorflow as tf

from attention_zoo.pipelines.engine.training.losses import regression_loss, smoothed_cross_entropy


def numpy_cross_entropy(labels, logits, smoothing):
    """The definition: one-hot targets, mixed with the uniform distribution."""
    total = 0.0
    for label, row in zip(labels.reshape(-1), logits.reshape(-1, logits.shape[-1])):
        if label:
            log_p = row - np.log(np.sum(np.exp(row)))
            target = np.full(len(row), smoothing / len(row))
            target[label] += 1.0 - smoothing
            total -= float(target @ log_p)
    return total


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_equals_the_one_hot_definition_and_ignores_padding(smoothing):
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(2, 3, 5)).astype("float32")
    labels = np.array([[1, 4, 0], [2, 0, 0]])
    loss, nll, weight = smoothed_cross_entropy(labels, logits, smoothing)
    assert float(weight) == 3.0
    np.testing.assert_allclose(float(loss), numpy_cross_entropy(labels, logits, smoothing), rtol=1e-5)
    np.testing.assert_allclose(float(nll), numpy_cross_entropy(labels, logits, 0.0), rtol=1e-5)


def test_a_batch_of_padding_weighs_nothing():
    loss, nll, weight = smoothed_cross_entropy(np.zeros((1, 2), "int32"), np.ones((1, 2, 4), "float32"), 0.1)
    assert float(loss) == float(nll) == float(weight) == 0.0


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_written_gradient_equals_that_of_the_one_hot_definition(smoothing):
    rng = np.random.default_rng(0)
    labels = np.array([[1, 4, 0], [2, 0, 3]])
    logits = tf.constant(rng.normal(scale=5.0, size=(2, 3, 5)), tf.float32)
    targets = (1.0 - smoothing) * tf.one_hot(labels, 5) + smoothing / 5
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(logits)
        loss, nll, _ = smoothed_cross_entropy(labels, logits, smoothing)
        both = loss + 3.0 * nll
        cross_entropies = tf.nn.softmax_cross_entropy_with_logits(targets, logits)
        plain = tf.nn.softmax_cross_entropy_with_logits(tf.one_hot(labels, 5), logits)
        weights = tf.cast(labels != 0, tf.float32)
        expected = tf.reduce_sum(weights * (cross_entropies + 3.0 * plain))
    np.testing.assert_allclose(tape.gradient(both, logits), tape.gradient(expected, logits), atol=1e-5)
    assert not np.any(tape.gradient(loss, logits)[0, 2])  # padding pulls at nothing


def test_squared_errors_have_the_deviation_as_their_unit():
    rng = np.random.default_rng(0)
    labels, answers = rng.normal(20.0, 5.0, size=(2, 7)).astype("float32")
    loss, weight, parts = regression_loss(tf.constant(labels), tf.constant(answers), deviation=5.0)
    assert float(loss) == float(parts["loss"]) and float(weight) == 7
    np.testing.assert_allclose(float(loss), np.sum((labels / 5 - answers / 5) ** 2), rtol=1e-5)
    mean, _, _ = regression_loss(tf.constant(labels), tf.fill([7], labels.mean()), float(labels.std()))
    np.testing.assert_allclose(float(mean) / 7, 1.0, rtol=1e-5)
