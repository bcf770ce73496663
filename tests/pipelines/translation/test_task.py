"""Translation end to end, tiny: train, kill, resume, export, serve through the session loader and the C API, predict."""

import json
import random
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
import yaml

from attention_zoo.pipelines.datasets.parallel import read_parallel
from attention_zoo.pipelines.engine.decoding.settings import DecodingSettings
from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.run import run as experiment
from attention_zoo.pipelines.engine.serving.export import load_saved_model
from attention_zoo.pipelines.engine.settings import ExportSettings, TrainingSettings
from attention_zoo.pipelines.translation.settings import DataSettings, ModelSettings, TranslationConfig
from attention_zoo.pipelines.translation.task import Translation

ENGLISH = ["one", "two", "three", "red", "green", "cat", "dog", "house"]
FRENCH = dict(zip(ENGLISH, ["un", "deux", "trois", "rouge", "vert", "chat", "chien", "maison"]))
MODELS = {
    "rnn": {"units": 8},
    "seq2seq": {"units": 8, "layers": 2},
    "bahdanau": {"units": 8},
    "luong": {"units": 8, "score": "concat", "window": "predictive", "window_size": 2},
    "transformer": {"layers": 1, "heads": 2, "feed_forward": 16},
}


@pytest.fixture(scope="module")
def text_files(tmp_path_factory):
    """A small parallel text whose words change places."""
    directory, rng = tmp_path_factory.mktemp("text"), random.Random(0)
    sentences = [[rng.choice(ENGLISH) for _ in range(rng.randint(2, 6))] for _ in range(300)]
    (directory / "train.en").write_text("".join(" ".join(s) + "\n" for s in sentences))
    (directory / "train.fr").write_text("".join(" ".join(FRENCH[w] for w in reversed(s)) + "\n" for s in sentences))
    return [str(directory / "train.en"), str(directory / "train.fr")]


def tiny(text_files, directory, name="bahdanau", **training):
    return TranslationConfig(
        data=DataSettings(files=text_files, vocabulary_size=36, max_tokens=32),
        model=ModelSettings(name=name, embedding_dim=8, **MODELS[name]),
        training=TrainingSettings(**{"epochs": 1, "batch_tokens": 512, **training}),
        decoding=DecodingSettings(),
        export=ExportSettings(directory=str(directory / "saved_models")),
    )


def command(*words):
    return [sys.executable, "-m", "attention_zoo.pipelines", *words]


@pytest.fixture(scope="module")
def finished(text_files, tmp_path_factory, killed_and_continued):
    """A run that was killed in the middle and started again, as its folder and what the second start printed."""
    directory = tmp_path_factory.mktemp("run")
    config = directory / "tiny.yaml"
    tiny_config = tiny(text_files, directory, epochs=4, checkpoint_every=2)
    sections = {s: vars(getattr(tiny_config, s)) for s in ("data", "model", "training", "decoding", "export")}
    config.write_text(yaml.safe_dump(sections))
    words = command("train", "translation", "--config", str(config), "--name", "tiny")
    checkpoints = directory / "runs" / "translation" / "tiny" / "checkpoints"
    return directory, killed_and_continued(words, directory, checkpoints)


def test_a_killed_run_is_continued_to_metrics_pictures_and_a_saved_model(finished):
    directory, printed = finished
    run = directory / "runs" / "translation" / "tiny"
    metrics = json.loads((run / "metrics.json").read_text())
    needed = {"test/bleu", "test/chrf", "test/exact_match", "dev/loss", "parameters", "train/minutes", "train/steps"}
    assert needed | {"input/padding_share"} <= set(metrics)
    history = json.loads((run / "history.json").read_text())
    assert [record["epoch"] for record in history] == [1, 2, 3, 4]
    for picture in ("curves.png", "bleu_by_length.png", "attention-1.png"):
        assert (run / "pictures" / picture).read_bytes().startswith(b"\x89PNG")
    assert "attention-zoo predict translation" in printed and "padding" in printed
    assert (directory / "saved_models" / "translation" / "1" / "saved_model.pb").is_file()


def test_a_runs_own_config_repeats_its_losses(finished):
    directory = finished[0]
    words = command("train", "translation", "--config", "runs/translation/tiny/config.yaml", "--name", "again")
    done = subprocess.run([*words, "--export.directory", "elsewhere"], cwd=directory, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    first, second = (
        json.loads((directory / f"runs/translation/{name}/history.json").read_text()) for name in ("tiny", "again")
    )
    for name in ("step", "train/loss", "dev/loss"):
        assert [record[name] for record in first] == [record[name] for record in second]
    assert (
        len(first) == 4
        and "TensorFlow" in (directory / "runs/translation/again/config.yaml").read_text().splitlines()[0]
    )


def test_the_session_loader_serves_all_signatures(finished, session_run):
    version = finished[0] / "saved_models" / "translation" / "1"
    text = ["one red cat", "", "two"]
    best = session_run(version, "serving_default", {"text": text})
    assert best["translation"].shape == best["score"].shape == best["truncated"].shape == (3,)
    many = session_run(version, "n_best", {"text": text})
    assert many["translations"].shape == many["scores"].shape == (3, 4)
    assert (np.diff(many["scores"], axis=1) <= 0).all()
    seen = session_run(version, "attention", {"text": text})
    batch, target, source = seen["weights"].shape
    assert seen["source_tokens"].shape == (batch, source) and seen["target_tokens"].shape == (batch, target)
    for row, (t, s) in enumerate(zip(seen["target_lengths"], seen["source_lengths"])):
        np.testing.assert_allclose(seen["weights"][row, :t, :s].sum(axis=-1), 1.0, atol=1e-5)
        assert seen["source_tokens"][row, s - 1] == seen["target_tokens"][row, t - 1] == b"</s>"
    np.testing.assert_array_equal(seen["translation"], best["translation"])


def test_odd_input_gets_an_answer(finished, session_run):
    version = finished[0] / "saved_models" / "translation" / "1"
    assert session_run(version, "serving_default", {"text": np.array([], object)})["translation"].shape == (0,)
    assert session_run(version, "attention", {"text": np.array([], object)})["weights"].shape[0] == 0
    odd = [b"one two " * 5000, b"\xff\xfe cat", "猫 œuf".encode(), b"\x00\x01"]
    answer = session_run(version, "serving_default", {"text": odd})
    assert answer["truncated"].tolist() == [True, False, False, False]
    assert all(isinstance(text, bytes) for text in answer["translation"])


def test_the_c_api_gives_the_same_answers(finished, session_run, c_api_run):
    version = finished[0] / "saved_models" / "translation" / "1"
    for signature in ("serving_default", "attention"):
        here, there = (run(version, signature, {"text": ["one red cat", "dog"]}) for run in (session_run, c_api_run))
        assert set(here) == set(there)
        for name in here:
            if here[name].dtype == object:
                np.testing.assert_array_equal(here[name], there[name])
            else:
                np.testing.assert_allclose(here[name].astype("float64"), there[name].astype("float64"), atol=1e-5)


def test_predict_prints_translations_draws_and_says_what_it_cut(finished):
    words = command("predict", "translation", "one red cat", "two " * 100, "--attention", "out.png")
    done = subprocess.run(words, cwd=finished[0], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 2
    assert "only the beginning was translated of: two two" in done.stderr
    assert (finished[0] / "out.png").read_bytes().startswith(b"\x89PNG")


def test_evaluate_and_export_take_up_the_finished_run(finished):
    directory = finished[0]
    before = json.loads((directory / "runs/translation/tiny/metrics.json").read_text())
    for verb in ("evaluate", "export"):
        words = command(verb, "translation", "--run", "runs/translation/tiny")
        done = subprocess.run(words, cwd=directory, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    after = json.loads((directory / "runs/translation/tiny/metrics.json").read_text())
    assert after["test/bleu"] == pytest.approx(before["test/bleu"]) and after["train/steps"] == before["train/steps"]
    assert (directory / "saved_models" / "translation" / "2" / "saved_model.pb").is_file()


@pytest.mark.parametrize("name", MODELS)
def test_every_system_trains_scores_draws_and_exports(name, text_files, tmp_path, session_run):
    config = tiny(text_files, tmp_path, name)
    metrics = experiment.train(Translation, config, tmp_path / "run", preset=name)
    assert metrics["parameters"] > 0 and np.isfinite(metrics["dev/loss"]) and 0 <= metrics["test/bleu"] <= 100
    version = tmp_path / "saved_models" / "translation" / "1"
    assert session_run(version, "serving_default", {"text": ["one dog"]})["translation"].shape == (1,)
    signatures = tf.saved_model.load(version).signatures
    assert ("attention" in signatures) == (name not in ("rnn", "seq2seq"))
    if name == "transformer":
        assert session_run(version, "attention", {"text": ["one dog"]})["head_weights"].shape[1:3] == (1, 2)


def test_attention_is_scored_against_the_words_that_people_aligned(text_files, tmp_path):
    for name, text in (
        ("source", "red cat\nbig dog\n"),
        ("target", "chat rouge\ngros chien\n"),
        ("links", "0-1 1-0\n0-0 1?1\n"),
    ):
        (tmp_path / name).write_text(text)
    config = tiny(text_files, tmp_path)
    config.data.alignment_files = [str(tmp_path / name) for name in ("source", "target", "links")]
    task, model = experiment.prepare(Translation, config, tmp_path / "run")
    metrics = task.evaluate(model, "test")
    assert 0 <= metrics["human_aer"] <= 1 and 0 <= metrics["human_alignment_precision"] <= 100

    def sees_the_truth(model, examples, columns):  # tokens that are words, and attention that follows the people
        for row, (_, possible) in enumerate(task.human_links):
            yield (
                row,
                possible,
                *([m.span() for m in re.finditer(r"\S+", t[row])] for t in (examples.source, examples.target)),
            )

    task.forced_links = sees_the_truth
    assert task.human_alignment_scores(model) == {"human_aer": 0.0, "human_alignment_precision": 100.0}


def test_a_size_that_the_model_does_not_have_is_refused(text_files, tmp_path):
    config = tiny(text_files, tmp_path)
    config.model.heads = 3
    with pytest.raises(
        UserError, match="model.heads: the model bahdanau has embedding_dim, units, dropout; received heads"
    ):
        experiment.train(Translation, config, tmp_path / "run", preset="bahdanau")


def test_a_folder_with_another_model_is_refused(finished, text_files):
    config = tiny(text_files, finished[0], "luong")
    with pytest.raises(UserError, match="holds a run with model.name 'bahdanau', received 'luong'"):
        experiment.train(Translation, config, finished[0] / "runs/translation/tiny", preset="luong")


def test_a_finished_run_is_not_relabelled_with_settings_it_was_not_trained_with(finished, text_files):
    run = finished[0] / "runs/translation/tiny"
    before = (run / "config.yaml").read_text()
    config = tiny(text_files, finished[0], epochs=4, checkpoint_every=2, learning_rate=0.5)
    with pytest.raises(UserError, match="holds a finished run with training.learning_rate 0.001, received 0.5"):
        experiment.train(Translation, config, run, preset="bahdanau")
    assert (run / "config.yaml").read_text() == before


def test_data_that_changed_under_its_name_is_refused(finished, text_files, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(finished[0] / "runs/translation/tiny", run)
    head = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(re.sub(r"(# Data: .*?SHA-256 )\w{4}", r"\g<1>0000", head, count=1))
    config = tiny(text_files, finished[0], epochs=4, checkpoint_every=2)
    with pytest.raises(UserError, match="holds a run on .*SHA-256 0000.*, received .*SHA-256"):
        experiment.train(Translation, config, run, preset="bahdanau")


def test_a_coverage_penalty_without_attention_is_refused_before_training(text_files, tmp_path):
    config = tiny(text_files, tmp_path, "rnn")
    config.decoding = DecodingSettings(beam_size=2, coverage_penalty=0.2)
    with pytest.raises(UserError, match="decoding.coverage_penalty: expected 0, since the model rnn has no attention"):
        experiment.train(Translation, config, tmp_path / "run", preset="rnn")


def test_own_files_can_be_reversed(text_files):
    back = read_parallel("", files=text_files, reverse=True)["test"]
    assert {word for sentence in back.source for word in sentence.split()} <= set(FRENCH.values())
    assert {word for sentence in back.target for word in sentence.split()} <= set(ENGLISH)


def test_alignments_are_scored_row_by_row_also_where_long_pairs_do_not_train(text_files, tmp_path):
    config = tiny(text_files, tmp_path)
    task, _ = experiment.prepare(Translation, config, tmp_path / "run")
    config.data.max_tokens = 6
    kept, whole = (task.encode_pairs("validation", all_rows=all_rows) for all_rows in (False, True))
    assert kept["source"].nrows() < whole["source"].nrows() == len(task.examples["validation"])


def test_a_model_that_answers_something_else_is_named(finished):
    with pytest.raises(
        UserError, match="expected a model that answers with caption, received one with score, translation"
    ):
        load_saved_model(finished[0] / "saved_models" / "translation", "caption")


@pytest.mark.parametrize(
    "dataset, target_language", [("ted_hrlr_translate/pt_to_en", "en"), ("wmt14_translate/de-en", "en")]
)
def test_public_translation_datasets_are_read_by_name(dataset, target_language):
    with tfds.testing.mock_data(num_examples=7):
        examples = read_parallel(dataset, max_words=0)
    assert [len(examples[split]) for split in ("train", "validation", "test")] == [7, 7, 7]
    assert examples["train"].target_language == target_language and examples["train"].alignment is None
    assert all(isinstance(text, str) for text in examples["test"].source + examples["test"].target)


def test_a_dataset_that_is_not_of_sentence_pairs_is_refused():
    with tfds.testing.mock_data(num_examples=2), pytest.raises(UserError, match="expected a dataset of sentence pairs"):
        read_parallel("glue/cola")
