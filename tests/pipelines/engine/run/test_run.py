"""A run as a whole: what it starts from."""

import random
from dataclasses import dataclass, field

import keras
import numpy as np
import pytest

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.run.run import keep_config, prepare, train
from attention_zoo.pipelines.engine.settings import TrainingSettings
from attention_zoo.pipelines.engine.storage.checkpoints import CheckpointStore
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
def test_initial_weights_do_not_depend_on_whether_data_had_to_be_prepared(tmp_path, seed):
    config = Config(TrainingSettings(seed=seed))
    _, first = prepare(PreparesForTheFirstTime, config, tmp_path)
    _, second = prepare(Prepares, config, tmp_path)
    for left, right in zip(first.variables, second.variables, strict=True):  # those of the dropout's stream, too
        np.testing.assert_array_equal(left, right)


def test_another_seed_gives_other_weights(tmp_path):
    models = [prepare(Prepares, Config(TrainingSettings(seed=seed)), tmp_path)[1] for seed in (0, 1)]
    assert np.abs(np.asarray(models[0].weights[0]) - np.asarray(models[1].weights[0])).max() > 1e-3


class PreparesNothing(Prepares):
    def build(self):
        return keras.layers.Dropout(2.0)


def test_settings_that_no_model_can_be_built_from_are_a_mistake_of_the_user(tmp_path):
    with pytest.raises(UserError, match="--model: .*rate"):
        prepare(PreparesNothing, Config(), tmp_path)


@dataclass
class Data:
    """What is read.

    Args:
        files: Paths.
        limit: How many.
    """

    files: list[str] = field(default_factory=list)
    limit: int = 0


@dataclass
class Model:
    """What learns.

    Args:
        units: Its size.
    """

    units: int = 1


@dataclass
class Settings:
    """A run.

    Args:
        data: What is read.
        model: What learns.
    """

    data: Data = field(default_factory=Data)
    model: Model = field(default_factory=Model)


def test_a_run_that_failed_before_it_learned_anything_binds_nobody(tmp_path):
    keep_config(Settings(Data(["misspelt"]), Model(3)), tmp_path)
    (tmp_path / ".lock").touch()
    keep_config(Settings(Data(["right"]), Model(4)), tmp_path)
    assert "right" in (tmp_path / "config.yaml").read_text()


def test_words_that_were_learned_bind_the_data_and_a_checkpoint_binds_the_model_too(tmp_path):
    keep_config(Settings(Data(["a"]), Model(3)), tmp_path)
    (tmp_path / "words.txt").write_text("a")
    with pytest.raises(
        UserError, match=r"holds a run with --data.files \['a'\], received \['b'\]; choose another --name \(with"
    ):
        keep_config(Settings(Data(["b"]), Model(3)), tmp_path)
    keep_config(Settings(Data(["a"], limit=5), Model(4)), tmp_path, changeable_data_settings=("limit",))
    CheckpointStore(tmp_path / "checkpoints").save(1, {"w": np.zeros(2)}, {})
    with pytest.raises(UserError, match="holds a run with --model.units 3, received 5"):
        keep_config(Settings(Data(["a"]), Model(5)), tmp_path, changeable_data_settings=("limit",))
    assert "units: 3" in (tmp_path / "config.yaml").read_text()


@pytest.mark.parametrize(
    "name, value, expected",
    [
        ("epochs", -1, "at least 1"),
        ("batch_tokens", 0, "at least 1"),
        ("learning_rate", 0.0, "above 0"),
        ("warmup_steps", -1, "at least 0"),
        ("ema", 1.0, "below 1"),
        ("monitor", "loss", "dev/loss, or dev/ and a metric"),
    ],
)
def test_settings_out_of_range_are_refused_before_anything_starts(name, value, expected):
    with pytest.raises(
        UserError, match=f"{name}: expected {'.*' if expected == 'below 1' else ''}{expected}.*, received {value}"
    ):
        TrainingSettings(**{name: value})


class Refuses(Prepares):
    """A task whose data is not there."""

    name = "toy"

    def load(self):
        raise UserError("--data.files: expected a file")


def test_a_failed_start_leaves_no_folder(tmp_path):
    with pytest.raises(UserError, match="expected a file"):
        train(Refuses, Config(), tmp_path / "toy" / "first", preset="first")
    assert not (tmp_path / "toy" / "first").exists()


def test_a_failed_start_keeps_what_an_earlier_one_learned(tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    (run / "words.txt").write_text("a")
    with pytest.raises(UserError, match="expected a file"):
        train(Refuses, Config(), run, preset="first")
    assert (run / "words.txt").read_text() == "a" and (run / "config.yaml").is_file()
