"""Weights & Biases gets the curves of a run that asks for it, and is not needed otherwise."""

import sys
import types
from dataclasses import dataclass, field

import keras
import pytest

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.run.tracking import tracking_callbacks
from attention_zoo.pipelines.engine.settings import TrainingSettings
from attention_zoo.pipelines.engine.storage.run_folder import RunFolder


@dataclass
class Config:
    training: TrainingSettings = field(default_factory=TrainingSettings)


class Logger(keras.callbacks.Callback):
    def __init__(self, log_freq):
        super().__init__()
        self.log_freq = log_freq


def test_a_run_without_a_project_needs_no_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    assert tracking_callbacks(Config(), RunFolder(tmp_path)) == []


def test_a_missing_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    config = Config()
    config.training.wandb = "zoo"
    with pytest.raises(UserError, match=r"--training.wandb: expected the extra, .*attention-zoo\[wandb\]"):
        tracking_callbacks(config, RunFolder(tmp_path))


def test_a_continued_run_goes_on_with_the_same_curves(tmp_path, monkeypatch):
    calls, wandb = [], types.ModuleType("wandb")
    wandb.init = lambda **options: calls.append(options)
    modules = {"wandb": wandb, "wandb.integration": types.ModuleType("wandb.integration")}
    modules["wandb.integration.keras"] = types.SimpleNamespace(WandbMetricsLogger=Logger)
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    config, folder = Config(), RunFolder(tmp_path / "translation" / "mine")
    config.training.wandb = "zoo"
    for _ in range(2):
        (callback,) = tracking_callbacks(config, folder)
        assert isinstance(callback, keras.callbacks.Callback)
    first, again = calls
    assert first == again and (first["project"], first["id"], first["resume"]) == ("zoo", "translation-mine", "allow")
    assert first["config"]["training"]["wandb"] == "zoo" and folder.path.is_dir()
