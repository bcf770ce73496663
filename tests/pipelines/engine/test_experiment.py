"""A run as a whole: what it starts from."""

import random
from dataclasses import dataclass, field

import keras
import numpy as np
import pytest
from attention_zoo.pipelines.engine.experiment import prepare
from attention_zoo.pipelines.engine.settings import TrainingSettings
from attention_zoo.pipelines.engine.task import Task


@dataclass
class Config:
    training: TrainingSettings = field(default_factory=TrainingSettings)


class Prepares(Task):
    """Draws from Python's random stream as it loads, as TFDS does the first time a dataset is asked for."""

    draws = 0

    def load(self):
        for _ in range(self.draws):
            random.random()

    def adapt(self):
        pass

    def build(self):
        return keras.Sequential([keras.Input((3,)), keras.layers.Dense(4), keras.layers.Dropout(0.5)])


class PreparesForTheFirstTime(Prepares):
    draws = 5


@pytest.mark.parametrize("seed", [0, 7])
def test_a_run_starts_from_the_same_weights_whether_or_not_its_data_had_to_be_prepared(tmp_path, seed):
    config = Config(TrainingSettings(seed=seed))
    _, first = prepare(PreparesForTheFirstTime, config, tmp_path)
    _, second = prepare(Prepares, config, tmp_path)
    for left, right in zip(first.variables, second.variables, strict=True):  # those of the dropout's stream, too
        np.testing.assert_array_equal(left, right)


def test_another_seed_gives_other_weights(tmp_path):
    models = [prepare(Prepares, Config(TrainingSettings(seed=seed)), tmp_path)[1] for seed in (0, 1)]
    assert np.abs(np.asarray(models[0].weights[0]) - np.asarray(models[1].weights[0])).max() > 1e-3
