import numpy as np
import pytest

from attention_zoo.layers import attention_rollout


def test_rollout_by_hand():
    first = np.array(
        [[[[1.0, 0.0], [0.5, 0.5]], [[0.0, 1.0], [0.5, 0.5]]]], "float32"
    )  # mean of heads: [[.5, .5], [.5, .5]]
    second = np.array([[[[0.0, 1.0], [0.0, 1.0]]]], "float32")
    # 0.5 A + 0.5 I: [[.75, .25], [.25, .75]] and [[.5, .5], [0, 1]]; the second times the first:
    np.testing.assert_allclose(attention_rollout([first, second])[0], [[0.5, 0.5], [0.25, 0.75]], atol=1e-6)


def test_rollout_is_the_sum_over_all_paths():
    scores = np.random.default_rng(0).dirichlet(np.ones(3), size=(3, 1, 2, 3)).astype("float32")  # three layers
    mixed = 0.5 * scores.mean(axis=2)[:, 0] + 0.5 * np.eye(3)
    paths = [(i, j, k, m) for i in range(3) for j in range(3) for k in range(3) for m in range(3)]
    expected = np.zeros((3, 3))
    for i, j, k, m in paths:  # from output i of the last layer to input m of the first
        expected[i, m] += mixed[2, i, j] * mixed[1, j, k] * mixed[0, k, m]
    np.testing.assert_allclose(attention_rollout(scores)[0], expected, atol=1e-6)


def test_rollout_of_no_layers_is_refused():
    with pytest.raises(ValueError, match="at least one layer"):
        attention_rollout([])
