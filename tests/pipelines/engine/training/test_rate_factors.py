"""A weight may have a learning rate of its own: the run's times a factor."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from line_task import Line, run

from attention_zoo.pipelines.engine.settings import TrainingSettings
from attention_zoo.pipelines.engine.training.schedules import factors_of, make_optimizer

OPTIMIZERS = ({}, {"optimizer": "adamw", "weight_decay": 0.1}, {"optimizer": "adadelta"}, {"optimizer": "sgd"})
OPTIMIZERS += ({"optimizer": "sgd", "momentum": 0.9}, {"ema": 0.5})


def updated(settings, factors=(), gradient=(1.0, -2.0), strategy=None):
    """Two variables after three updates, and the averages that are kept of them."""
    with (strategy or tf.distribute.get_strategy()).scope():
        variables = [keras.Variable([1.0, 2.0]), keras.Variable([1.0, 2.0])]
        optimizer = make_optimizer(settings, factors)
        optimizer.build(variables)
    apply = tf.function(lambda: optimizer.apply([tf.constant(gradient)] * 2, variables))
    for _ in range(3):
        strategy.run(apply) if strategy else apply()
    averages = optimizer._model_variables_moving_average if settings.ema else []
    return [np.array(variable) for variable in (*variables, *averages)]


@pytest.mark.parametrize("options", OPTIMIZERS, ids=str)
def test_a_factor_is_that_of_the_learning_rate(options):
    halved = updated(TrainingSettings(learning_rate=0.25, **options))
    whole = updated(TrainingSettings(learning_rate=0.5, **options))
    found = updated(TrainingSettings(learning_rate=0.5, **options), [1.0, 0.5])
    for place, array in enumerate(found):  # the averages come after both variables
        np.testing.assert_allclose(array, (whole, halved)[place % 2][place], rtol=1e-6)
    assert not np.allclose(whole[0], halved[0])


def test_a_factor_works_on_replicas():
    settings = TrainingSettings(learning_rate=0.5, optimizer="adamw", weight_decay=0.1)
    mirrored = updated(settings, [1.0, 0.5], strategy=tf.distribute.MirroredStrategy(["/cpu:0"]))
    np.testing.assert_allclose(mirrored, updated(settings, [1.0, 0.5]), rtol=1e-6)


class FixedSlope(Line):
    """Learns the bias alone, by a factor of 0 for the other weight."""

    def rate_factors(self, model):
        return {"dense/kernel": 0.0}


def test_the_trainer_asks_the_task_for_the_factors(tmp_path):
    trainer, _ = run(tmp_path / "run", task=FixedSlope)
    start = FixedSlope(trainer.task.config, tmp_path).build()
    kernel, bias = trainer.model.trainable_variables
    np.testing.assert_array_equal(kernel, start.trainable_variables[0])
    assert abs(float(bias[0])) > 0.1


def test_a_factor_of_an_unknown_weight_is_refused():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    with pytest.raises(ValueError, match="expected paths of weights, received other/kernel"):
        factors_of(model, {"other/kernel": 0.5})
