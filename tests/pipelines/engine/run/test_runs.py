"""What `runs` and `compare` say of run folders."""

import json

import pytest
import yaml

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.run.compare import compare_runs, draw_comparison
from attention_zoo.pipelines.engine.run.runs import PRESET, list_runs
from attention_zoo.pipelines.engine.storage.checkpoints import CheckpointStore
from attention_zoo.pipelines.engine.storage.files import locked
from attention_zoo.pipelines.engine.storage.run_folder import RunFolder


def make_run(root, name, preset="", history=(), metrics=None, step=0, **training):
    folder = RunFolder(root / "toy" / name)
    folder.path.mkdir(parents=True)
    head = f"# {PRESET}: {preset}\n" if preset else ""
    folder.config.write_text(f"# Python 3\n{head}" + yaml.safe_dump({"training": training}))
    if history:
        folder.history.write_text(json.dumps(history))
    if metrics:
        folder.metrics.write_text(json.dumps(metrics))
    if step:
        CheckpointStore(folder.checkpoints).save(step, {}, {})
    return folder


RECORD = {"step": 5, "epoch": 1, "dev/loss": 2.0, "train/loss": 3.0}


def test_a_run_is_listed_with_preset_state_and_scores(tmp_path):
    make_run(tmp_path, "done", "small", metrics={"test/bleu": 30.0, "parameters": 9}, history=[RECORD], step=7)
    make_run(tmp_path, "half", history=[RECORD], step=1234)
    make_run(tmp_path, "new")
    going = make_run(tmp_path, "going", step=3)
    with locked(going.lock):
        runs = {run.name: run for run in list_runs(tmp_path)}
    assert {name: run.state for name, run in runs.items()} == {
        "done": "finished",
        "half": "stopped at step 1,234",
        "new": "no checkpoint",
        "going": "running",
    }
    assert (runs["done"].task, runs["done"].preset, runs["half"].preset) == ("toy", "small", "")
    assert runs["done"].scores == {"test/bleu": 30.0} and runs["half"].scores == {"dev/loss": 2.0}
    assert list_runs(tmp_path, "other") == [] and not (tmp_path / "toy" / "new" / ".lock").exists()


def test_a_damaged_metrics_file_does_not_hide_the_other_runs(tmp_path):
    make_run(tmp_path, "good", metrics={"test/bleu": 1.0})
    make_run(tmp_path, "bad", history=[RECORD]).metrics.write_text('{"test/bleu')
    assert {run.name: run.scores for run in list_runs(tmp_path)} == {
        "good": {"test/bleu": 1.0},
        "bad": {"dev/loss": 2.0},
    }


def test_two_runs_are_compared_by_scores_and_settings_that_differ(tmp_path):
    first = make_run(tmp_path, "a", metrics={"test/bleu": 1.5}, history=[RECORD], epochs=3, seed=1)
    second = make_run(tmp_path, "b", history=[RECORD | {"dev/loss": 1.0}], epochs=3, seed=2, ema=0.9)
    comparison = compare_runs(first.path, second.path)
    assert comparison.names == ("a", "b")
    assert comparison.settings == {"training.ema": (None, 0.9), "training.seed": (1, 2)}
    assert comparison.scores == {"test/bleu": (1.5, None), "dev/loss": (None, 1.0), "train/loss": (None, 3.0)}
    picture = draw_comparison(first.path, second.path, tmp_path / "both.png")
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_folder_without_a_run_is_named(tmp_path):
    with pytest.raises(UserError, match="no run in .*none: expected config.yaml there"):
        compare_runs(make_run(tmp_path, "a").path, tmp_path / "none")
    assert draw_comparison(tmp_path / "toy" / "a", tmp_path / "toy" / "a", tmp_path / "x.png") is None
