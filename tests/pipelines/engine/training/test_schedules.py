import keras
import numpy as np
import pytest

from attention_zoo.pipelines.engine.settings import TrainingSettings
from attention_zoo.pipelines.engine.training.schedules import learning_rate, make_optimizer


def test_rsqrt_is_the_formula_of_the_transformer_paper():
    width, warmup = 512, 4000
    settings = TrainingSettings(learning_rate=width**-0.5 * warmup**-0.5, schedule="rsqrt", warmup_steps=warmup)
    for step in (1, 100, 4000, 4001, 100_000):
        paper = width**-0.5 * min(step**-0.5, step * warmup**-1.5)
        np.testing.assert_allclose(learning_rate(settings, step, 0.0, 1), paper, rtol=1e-12)


@pytest.mark.parametrize(
    "passes, halvings", [(1.0, 0), (5.0, 0), (5.25, 1), (5.5, 1), (5.75, 2), (7.5, 5)], ids=lambda value: str(value)
)
def test_halving_every_half_epoch_after_five_as_in_sutskever(passes, halvings):
    settings = TrainingSettings(learning_rate=0.7, schedule="halving", halve_after=5.0, halve_every=0.5)
    np.testing.assert_allclose(learning_rate(settings, 1, passes, 10), 0.7 * 0.5**halvings)


def test_linear_and_cosine_reach_zero_at_the_last_epoch():
    for name, middle in (("linear", 0.5), ("cosine", 0.5)):
        settings = TrainingSettings(learning_rate=1.0, schedule=name)
        np.testing.assert_allclose(
            [learning_rate(settings, 9, e, 8) for e in (0, 4, 8)], [1.0, middle, 0.0], atol=1e-12
        )


def test_each_named_optimizer_is_the_one_that_is_made():
    names = {"adam": "Adam", "adamw": "AdamW", "lamb": "Lamb", "adadelta": "Adadelta", "sgd": "SGD"}
    for name, expected in names.items():
        assert type(make_optimizer(TrainingSettings(optimizer=name))).__name__ == expected


def test_a_step_of_lamb_is_as_long_as_the_weights_times_the_rate():
    settings = TrainingSettings(optimizer="lamb", learning_rate=0.01, weight_decay=0.5)
    kernel, bias = keras.Variable([[3.0], [4.0]], name="kernel"), keras.Variable([2.0], name="bias")
    optimizer = make_optimizer(settings, undecayed=["bias"])
    optimizer.apply([keras.ops.array([[0.5], [-0.5]]), keras.ops.array([0.1])], [kernel, bias])
    decayed = np.array([[3.0], [4.0]]) * (1 - 0.01 * 0.5)
    step = 0.01 * np.linalg.norm(decayed) / np.sqrt(2) * np.array([[1.0], [-1.0]])  # Adam's first step is the sign
    np.testing.assert_allclose(kernel.numpy(), decayed - step, rtol=1e-5)
    np.testing.assert_allclose(bias.numpy(), [2.0 - 0.01 * 2.0], rtol=1e-5)
