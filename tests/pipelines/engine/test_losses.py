import numpy as np
import pytest
from attention_zoo.pipelines.engine.losses import smoothed_cross_entropy


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
