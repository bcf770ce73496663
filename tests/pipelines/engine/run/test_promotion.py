"""Whether a run takes the place of the served version."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from attention_zoo.pipelines.engine.run.promotion import choose_directory
from attention_zoo.pipelines.engine.run.publish import exported_before
from attention_zoo.pipelines.engine.serving.record import VersionRecord, read_record, record_files
from attention_zoo.pipelines.engine.serving.versions import write_models_config
from attention_zoo.pipelines.engine.settings import ExportSettings, TrainingSettings


def record(data="words 1.0", **scores):
    return VersionRecord("toy", "runs/toy/a", "a", data, "2026-11-28 17:20", "0", scores)


def write_version(folder, kept):
    (folder / "assets.extra").mkdir(parents=True)
    (folder / "saved_model.pb").touch()
    for name, text in record_files(kept, "training: {epochs: 2}\n").items() if kept else ():
        (folder / "assets.extra" / name).write_text(text)


@pytest.fixture
def chosen(tmp_path):
    """Returns what is chosen for a new record beside a served one, as the name of the folder and the reason."""

    def choose(new, served, promote="auto", limit=0, lower_is_better=True, monitor="dev/loss"):
        write_version(tmp_path / "toy" / "1", served)
        config = SimpleNamespace(
            export=ExportSettings(str(tmp_path), promote),
            training=TrainingSettings(monitor=monitor),
            data=SimpleNamespace(limit=limit),
        )
        directory, reason = choose_directory(config, new, lower_is_better)
        assert directory.parent == tmp_path
        return directory.name, reason

    return choose


def test_a_better_run_takes_the_place_and_a_worse_one_does_not(chosen):
    assert chosen(record(**{"dev/loss": 1.0}), record(**{"dev/loss": 1.5})) == ("toy", "")


def test_a_worse_run_is_exported_beside_with_the_reason(chosen):
    reason = "its dev/loss is 1.5, that of the served version 1"
    assert chosen(record(**{"dev/loss": 1.5}), record(**{"dev/loss": 1.0})) == ("toy.candidate", reason)


def test_an_accuracy_is_better_when_it_is_higher(chosen):
    options = {"lower_is_better": False, "monitor": "dev/accuracy"}
    assert chosen(record(**{"dev/accuracy": 90}), record(**{"dev/accuracy": 80}), **options) == ("toy", "")


def test_a_run_on_other_data_is_exported_beside(chosen):
    reason = "the served version was trained on words 1.0, this one on other words"
    assert chosen(record("other words"), record()) == ("toy.candidate", reason)


def test_a_trial_is_exported_beside(chosen):
    assert chosen(record(), record(), limit=40) == ("toy.candidate", "it was trained on --data.limit 40 examples")


@pytest.mark.parametrize("served", [record(), None])
def test_promote_always_and_never_decide(chosen, served):
    assert chosen(record("other"), served, promote="always")[0] == "toy"


def test_promote_never_keeps_the_served_version(chosen):
    assert chosen(record(), record(), promote="never") == ("toy.candidate", "--export.promote is never")


def test_versions_without_a_record_are_replaced(chosen):
    assert chosen(record(), None) == ("toy", "")


def test_candidates_are_not_listed_for_the_server(tmp_path):
    write_version(tmp_path / "toy" / "1", record())
    write_version(tmp_path / "toy.candidate" / "1", record())
    write_models_config(tmp_path)
    assert (tmp_path / "models.config").read_text().count("name:") == 1


def test_a_record_is_read_back_and_a_damaged_one_is_none(tmp_path):
    kept = record(**{"dev/loss": 1.5, "test/bleu": 30.0})
    write_version(tmp_path / "1", kept)
    assert read_record(tmp_path / "1") == kept
    card = (tmp_path / "1" / "assets.extra" / "README.md").read_text()
    assert "attention-zoo train toy --preset a" in card and "| test/bleu | 30 |" in card and "epochs: 2" in card
    (tmp_path / "1" / "assets.extra" / "run.json").write_text('{"task": ')
    assert read_record(tmp_path / "1") is None


def test_a_run_that_was_replaced_since_has_its_version_already(tmp_path):
    old, new = (replace(record(), weights=weights) for weights in ("old", "new"))
    for number, kept in enumerate((old, new), start=1):
        write_version(tmp_path / "toy" / str(number), kept)
    folders = [tmp_path / "toy", tmp_path / "toy.candidate"]
    assert exported_before(folders, old) == tmp_path / "toy" / "1"
    assert exported_before(folders, replace(old, weights="another")) is None
    write_version(tmp_path / "toy.candidate" / "1", replace(old, weights="another"))
    assert exported_before(folders, replace(old, weights="another")) == tmp_path / "toy.candidate" / "1"
