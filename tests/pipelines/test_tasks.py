"""Every task end to end, tiny: train, kill, resume, export, answer in the session loader and the C API, predict."""

import json
import os
import re
import shutil

import numpy as np
import pytest
from cases import CASES

from attention_zoo.pipelines.commands.loading import load
from attention_zoo.pipelines.commands.main import main
from attention_zoo.pipelines.engine.run import run as experiment
from attention_zoo.pipelines.engine.run.config import read
from attention_zoo.pipelines.engine.task import Task
from attention_zoo.pipelines.registry import TASKS


def task_class(name):
    return load(TASKS[name].task)


@pytest.fixture(params=CASES, scope="module")  # so that the tests of a case follow each other, and load its export once
def finished(request, finished_run):
    """The finished run of each case."""
    if request.param == "steering":
        pytest.importorskip("Box2D", reason="the simulator comes with the extra `driving`")
    return finished_run(request.param)


def test_every_task_has_a_case_and_every_case_a_task():
    assert {key.partition("/")[0] for key in CASES} == set(TASKS)


@pytest.mark.parametrize("name", TASKS)
def test_a_task_defines_what_the_contract_asks_for(name):
    task = task_class(name)
    asked = ("load", "adapt", "preprocess", "build", "loss", "evaluate", "signatures", "ask", "say", "view")
    assert issubclass(task, Task) and task.name == name
    assert [method for method in asked if getattr(task, method) is getattr(Task, method)] == []
    assert task.answers_with and task.View.suffixes and task.Config


def test_a_killed_run_is_continued_to_metrics_pictures_and_an_export(finished):
    metrics = json.loads((finished.run / "metrics.json").read_text())
    assert {"dev/loss", "parameters", "train/minutes", "train/steps"} | finished.case.metrics <= set(metrics)
    assert all(np.isfinite(value) for value in metrics.values())
    history = json.loads((finished.run / "history.json").read_text())
    epochs = finished.case.settings["training"]["epochs"]
    assert [record["epoch"] for record in history] == list(range(1, epochs + 1))
    for picture in {"curves.png", *finished.case.pictures}:
        magic = b"GIF8" if picture.endswith(".gif") else b"\x89PNG"
        assert (finished.run / "pictures" / picture).read_bytes().startswith(magic)
    assert re.search(rf"^next: .*attention-zoo predict {finished.name} ", finished.printed, re.MULTILINE)
    assert (finished.version / "saved_model.pb").is_file()
    assert list((finished.version / "assets.extra").iterdir())


def test_a_killed_run_has_the_losses_of_one_that_was_never_killed(finished, tmp_path, monkeypatch):
    task = task_class(finished.name)
    config = read(task.Config, finished.run / "config.yaml")
    config.export.directory = str(tmp_path / "saved_models")
    monkeypatch.setattr(experiment, "publish", lambda task, model, metrics, reporter: metrics)
    experiment.train(task, config, tmp_path / "again", preset="again")
    first, second = (json.loads((run / "history.json").read_text()) for run in (finished.run, tmp_path / "again"))
    names = {name for record in first for name in record if name.startswith("dev/")} | {"step", "epoch", "train/loss"}
    for name in names:
        assert [record.get(name) for record in first] == [record.get(name) for record in second], name


def test_the_session_loader_and_the_c_api_answer_alike(finished, session_run, c_api_answers):
    requests = finished.case.request
    vectors = {  # the C program takes those
        signature: inputs
        for signature, inputs in requests.items()
        if not any(isinstance(row, list) for values in inputs.values() for row in values)
    }
    there = c_api_answers(finished.version, vectors)
    for signature, inputs in requests.items():
        here = session_run(finished.version, signature, inputs)
        rows = len(next(iter(inputs.values())))
        assert all(len(value) == rows for value in here.values())
        if signature not in vectors:
            continue
        assert set(here) == set(there[signature])
        for name, value in here.items():
            if value.dtype == object:
                np.testing.assert_array_equal(value, there[signature][name])
            else:
                other = there[signature][name].astype("float64")
                np.testing.assert_allclose(value.astype("float64"), other, atol=1e-5)


def test_an_empty_batch_gets_an_empty_answer(finished, session_run):
    for signature, inputs in finished.case.request.items():
        empty = {name: np.array(values, object)[:0] for name, values in inputs.items()}
        answer = session_run(finished.version, signature, empty)
        assert answer and all(len(value) == 0 for value in answer.values())


def test_odd_rows_get_an_answer(finished, session_run):
    answer = session_run(finished.version, "serving_default", finished.case.odd)
    rows = len(next(iter(finished.case.odd.values())))
    assert all(len(value) == rows for value in answer.values())
    assert all(np.isfinite(value).all() for value in answer.values() if value.dtype.kind == "f")


def test_a_broken_row_fails_alone(finished, session_run, c_api_answers):
    good = finished.case.request
    alone = {signature: session_run(finished.version, signature, inputs) for signature, inputs in good.items()}
    assert not any(answer["error"].any() for answer in alone.values())
    broken, clips, images = finished.case.broken, {}, {}
    for signature, inputs in good.items() if broken else ():
        ((name, rows),) = inputs.items()
        if isinstance(rows[0], list):  # a clip of frames is answered as a whole
            clips[signature] = {name: [*([*rows[0][:-1], content] for content, _ in broken), *rows]}
        else:
            images[signature] = {name: [*(content for content, _ in broken), *rows]}
    in_session = {
        signature: session_run(finished.version, signature, inputs) for signature, inputs in (clips | images).items()
    }
    in_c = c_api_answers(finished.version, images) if images else {}
    for signature, beside in [*in_session.items(), *in_c.items()]:
        for key, value in alone[signature].items():
            kept, emptied = beside[key][len(broken) :], beside[key][: len(broken)]
            if value.ndim > 1 and value.dtype == object:
                kept = kept[:, : value.shape[1]]
            if value.dtype.kind == "f":
                np.testing.assert_allclose(kept.astype("float64")[tuple(map(slice, value.shape))], value, atol=1e-6)
            else:
                np.testing.assert_array_equal(kept, value)
            assert key == "error" or not emptied.any(), key
        start = "frame 3: " if signature in clips else "image_bytes: "
        for error, (_, said) in zip(beside["error"][: len(broken)], broken):
            assert said in error.decode() and error.decode().startswith(start)


def test_predict_prints_draws_and_goes_on_after_a_bad_input(finished, tmp_path, monkeypatch, capsys):
    case = finished.case
    monkeypatch.chdir(tmp_path)
    for name, content in case.files.items():
        (tmp_path / name).write_bytes(content)
    inputs = [*case.files, *case.texts]
    model = ["--model", str(finished.version.parent)]
    assert main(TASKS, argv=["predict", finished.name, *inputs, *model, "--attention", f"out{case.suffix}"]) == 0
    shown = capsys.readouterr()
    assert len(shown.out.splitlines()) == len(inputs)
    pictures = [line.removeprefix("picture: ") for line in shown.err.splitlines() if line.startswith("picture: ")]
    assert pictures == [f"out{case.suffix}", f"out-2{case.suffix}"][: case.answers]
    assert all((tmp_path / picture).stat().st_size > 500 for picture in pictures)
    if not case.files:
        return
    (tmp_path / "notes.txt").write_text("hello")
    assert main(TASKS, argv=["predict", finished.name, *inputs, "notes.txt", "gone.png", *model, "--json"]) == 1
    shown = capsys.readouterr()
    printed = [json.loads(line) for line in shown.out.splitlines()]
    refused = [answer for answer in printed if answer.get("error")]
    assert [answer["input"] for answer in refused] == ["notes.txt", "gone.png"]
    assert len(printed) - len(refused) == case.answers
    lines = [line for line in shown.err.splitlines() if line.startswith("attention-zoo")]
    assert [line.split(":")[:2] for line in lines] == [
        ["attention-zoo", " notes.txt"],
        ["attention-zoo", " gone.png"],
    ]


def test_evaluate_and_export_take_up_a_finished_run(finished, tmp_path):
    task = task_class(finished.name)
    run = shutil.copytree(finished.run, tmp_path / "run")
    config = (run / "config.yaml").read_text()
    assert "directory: saved_models" in config
    (run / "config.yaml").write_text(config.replace("directory: saved_models", f"directory: {tmp_path / 'exports'}"))
    before = json.loads((run / "metrics.json").read_text())
    shutil.rmtree(run / "no_attention", ignore_errors=True)  # evaluate trains no baseline
    trained = {path: path.stat().st_mtime_ns for path in run.glob("**/checkpoints/*")}
    after = experiment.evaluate(task, run)
    for name, value in before.items():
        assert after[name] == pytest.approx(value, rel=1e-4, abs=1e-4), name
    assert {path: path.stat().st_mtime_ns for path in run.glob("**/checkpoints/*")} == trained
    exported = experiment.export(task, run)
    assert exported == tmp_path / "exports" / finished.name / "1"
    sizes = [os.path.getsize(folder / "saved_model.pb") for folder in (exported, finished.version)]
    assert sizes[0] == pytest.approx(sizes[1], rel=0.05)
