"""Presets are runs that anyone can repeat: each is valid, and its head says the command."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow_datasets as tfds
from commands import run_function
from first_steps import OneStep, take_a_step

from attention_zoo.pipelines.commands.arguments import presets_of
from attention_zoo.pipelines.commands.loading import load
from attention_zoo.pipelines.engine.run import run as experiment
from attention_zoo.pipelines.engine.run.config import read
from attention_zoo.pipelines.registry import TASKS

PRESETS = [
    pytest.param(task, name, path, id=f"{task}-{name}") for task in TASKS for name, path in presets_of(task).items()
]


@pytest.mark.parametrize("task, name, path", PRESETS)
def test_a_preset_is_valid_and_says_its_command(task, name, path):
    read(load(TASKS[task].settings), path)
    first, second = Path(path).read_text(encoding="utf-8").splitlines()[:2]
    expected = f"# attention-zoo train {task}" + ("" if name == TASKS[task].default_preset else f" --preset {name}")
    assert first == expected and second.startswith("# ")


def test_every_documented_system_has_a_small_and_a_paper_preset():
    names = set(presets_of("translation"))
    for system in ("rnn", "seq2seq", "bahdanau", "luong", "transformer"):
        assert {system, f"wmt14_{system}"} <= names
    assert "dates" in names


@pytest.mark.parametrize("name", [name for name in presets_of("translation") if name.startswith("wmt14_")])
def test_a_preset_of_a_papers_size_takes_a_step_on_data_of_its_kind(name, tmp_path):
    done = run_function(take_a_step, name, tmp_path)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]


def test_word_embeddings_of_full_size_take_a_step_on_data_of_their_kind(tmp_path, monkeypatch):
    monkeypatch.setattr(experiment, "publish", lambda task, model, metrics, reporter: metrics)
    task = load(TASKS["word_embeddings"].task)
    config = read(task.Config, presets_of("word_embeddings")["wiki40b"])
    config.data.limit, config.data.min_count, config.data.subsample = 12, 1, 0.0
    config.data.similarities = config.data.analogies = "none"
    callback = OneStep()
    with tfds.testing.mock_data(num_examples=12):
        metrics = experiment.train(task, config, tmp_path, preset="wiki40b", callbacks=[callback])
    assert metrics["train/steps"] == 1 and 0 < callback.loss < 10 and np.isfinite(metrics["dev/loss"])
