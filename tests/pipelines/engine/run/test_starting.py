"""A run starts from another one."""

from dataclasses import dataclass, field

import keras
import numpy as np
import pytest

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.run.starting import copy_vocabulary, find_run, take_settings
from attention_zoo.pipelines.engine.storage.run_folder import RunFolder
from attention_zoo.pipelines.engine.storage.weights import load_fitting_weights, variables_by_path


def write_run(path, words="a\nb"):
    path.mkdir(parents=True)
    (path / "config.yaml").write_text("")
    (path / "words.txt").write_text(words)
    return RunFolder(path)


def test_the_vocabulary_comes_along(tmp_path):
    source, folder = write_run(tmp_path / "a"), RunFolder(tmp_path / "b")
    folder.path.mkdir()
    copy_vocabulary(source, folder)
    copy_vocabulary(source, folder)  # a restart
    assert folder.words.read_text() == "a\nb" and not folder.subwords.exists()


@dataclass
class Data:
    """What is read.

    Args:
        height: Of the images.
        color: Whether they have any.
    """

    height: int = 28
    color: bool = False


@dataclass
class Settings:
    """A run.

    Args:
        data: What is read.
    """

    data: Data = field(default_factory=Data)


def test_sizes_that_the_weights_fit_come_along(tmp_path):
    source, config = write_run(tmp_path / "a"), Settings()
    source.config.write_text("data: {height: 63, color: true}")
    assert take_settings(source, config, ["data.height"]) == [f"data.height: 63 instead of 28, as in {source}"]
    assert config.data == Data(63, False) and take_settings(source, config, ["data.height"]) == []


def test_a_run_with_another_vocabulary_is_refused(tmp_path):
    with pytest.raises(UserError, match="received another one; choose another --name"):
        copy_vocabulary(write_run(tmp_path / "a"), write_run(tmp_path / "b", "c"))


def test_a_run_is_found_by_name_or_folder_and_others_are_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_run(tmp_path / "runs" / "toy" / "first")
    assert find_run("toy", "first").path.samefile(find_run("toy", "runs/toy/first").path)
    with pytest.raises(UserError, match="--start-from: expected a run, one of first; received second"):
        find_run("toy", "second")


def test_weights_of_another_shape_and_random_streams_keep_their_values():
    def model(classes):
        layers = [keras.Input((3,)), keras.layers.Dense(4, name="body"), keras.layers.Dropout(0.5)]
        return keras.Sequential([*layers, keras.layers.Dense(classes, name="head")])

    first, second = model(2), model(5)
    arrays = {path: np.array(variable) for path, variable in variables_by_path(first).items()}
    before = [np.array(variable) for variable in second.variables if "seed" in variable.path]
    assert load_fitting_weights(second, arrays) == (["body/bias", "body/kernel"], ["head/bias", "head/kernel"])
    np.testing.assert_array_equal(second.get_layer("body").kernel, first.get_layer("body").kernel)
    after = [np.array(variable) for variable in second.variables if "seed" in variable.path]
    np.testing.assert_array_equal(before, after)
