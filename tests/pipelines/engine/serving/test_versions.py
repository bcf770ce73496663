"""Versions count up, the newest complete one is loaded, and models.config lists the tasks that have one."""

import shutil

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig
from tiny_export import dense

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.serving.versions import complete_versions, load_saved_model


def test_versions_count_up_and_the_newest_is_loaded(tmp_path):
    first, second = dense(tmp_path / "tiny"), dense(tmp_path / "tiny")
    assert (first.name, second.name) == ("1", "2")
    assert complete_versions(tmp_path / "tiny") == [1, 2]

    def answer(loaded):
        return loaded.signatures["serving_default"](features=tf.ones((3, 2)))["logit"]

    newest = answer(load_saved_model(tmp_path / "tiny"))
    answers = [answer(tf.saved_model.load(str(version))) for version in (first, second)]
    np.testing.assert_array_equal(newest, answers[1])
    assert not np.allclose(newest, answers[0])


def test_versions_are_ordered_as_numbers(tmp_path):
    version = dense(tmp_path / "tiny")
    version.rename(version.with_name("9"))
    assert dense(tmp_path / "tiny").name == "10"
    assert complete_versions(tmp_path / "tiny") == [9, 10]


def test_incomplete_version_is_not_loaded_and_its_number_is_not_used_again(tmp_path):
    version = dense(tmp_path / "tiny")
    half = shutil.copytree(version, tmp_path / "tiny" / "2")
    (half / "saved_model.pb").unlink()
    (tmp_path / "tiny" / "007").mkdir()
    assert complete_versions(tmp_path / "tiny") == [1]
    assert "serving_default" in load_saved_model(tmp_path / "tiny").signatures
    assert dense(tmp_path / "tiny").name == "3"


def test_no_version_is_an_error_that_names_the_command(tmp_path):
    assert complete_versions(tmp_path / "translation") == []
    with pytest.raises(UserError, match=r"no SavedModel in .*translation: `attention-zoo train`"):
        load_saved_model(tmp_path / "translation")


def test_models_config_lists_every_task_that_has_a_version(tmp_path):
    (tmp_path / "empty").mkdir()
    for task in ("translation", "captioning"):
        dense(tmp_path / task)
    server = text_format.Parse((tmp_path / "models.config").read_text(), ModelServerConfig())
    listed = [(model.name, model.base_path, model.model_platform) for model in server.model_config_list.config]
    assert listed == [
        ("captioning", "/models/captioning", "tensorflow"),
        ("translation", "/models/translation", "tensorflow"),
    ]
