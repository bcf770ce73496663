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
    for name, expected in (("adam", "Adam"), ("adamw", "AdamW"), ("adadelta", "Adadelta"), ("sgd", "SGD")):
        assert type(make_optimizer(TrainingSettings(optimizer=name))).__name__ == expected
