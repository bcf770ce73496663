"""Numbers are learned in any unit, served as they are, and asked for; what cannot be learned is refused."""

import json
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from attention_zoo.pipelines.__main__ import main
from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.run import run as experiment
from attention_zoo.pipelines.engine.storage.run_folder import RunFolder
from attention_zoo.pipelines.hub import from_pretrained, to_pretrained
from attention_zoo.pipelines.text_classification.answers import WORDLESS
from attention_zoo.pipelines.text_classification.settings import (
    BaselineSettings,
    DataSettings,
    FineTuningSettings,
    ModelSettings,
    TextClassificationConfig,
)
from attention_zoo.pipelines.text_classification.task import TextClassification

SIZES = {"num_layers": 1, "num_heads": 2, "hidden_dim": 8, "intermediate_dim": 8, "dropout": 0.0}


def config_of(directory, data, baselines=(), **training):
    config = TextClassificationConfig(
        data=DataSettings(**{"labels": "numbers", "max_length": 24, "vocabulary_size": 80} | data),
        model=ModelSettings(**SIZES),
        training=FineTuningSettings(**{"epochs": 1, "batch_tokens": 300} | training),
        baselines=BaselineSettings(names=list(baselines)),
    )
    return replace(config, export=replace(config.export, directory=str(directory / "saved_models")))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder in which a run on mocked pairs was trained and exported, and its metrics."""
    directory = tmp_path_factory.mktemp("stsb")
    config = config_of(directory, {"dataset": "glue/stsb", "max_length": 40, "vocabulary_size": 200}, ["tfidf"])
    config.model.pooling = "first"  # as in models of the Hub
    with tfds.testing.mock_data(num_examples=40):
        return directory, experiment.train(TextClassification, config, directory / "run", preset="stsb")


def test_a_step_on_pairs_of_stsb_is_scored_and_exported(trained, session_run):
    directory, metrics = trained
    assert {"test/pearson", "test/spearman", "baseline/tfidf"} <= set(metrics)
    assert {path.name for path in (directory / "run" / "pictures").iterdir()} >= {"scatter.png", "attention-1.png"}
    assert not (directory / "run" / "pictures" / "confusion.png").exists()
    version = directory / "saved_models" / "text_classification" / "1"
    inputs = {"text": ["one two", "one two", "", "\u200b"], "pair": ["three", "", "three", "\x01"]}
    answers = session_run(version, "attention", inputs)
    assert answers["number"].dtype == np.float32 and answers["number"].shape == (4,)
    assert answers["number"][0] != 0 and not answers["number"][1:].any()
    assert answers["error"].tolist() == [b"", *[WORDLESS.encode()] * 3]
    lines = session_run(version, "lines", {"text": ["one two\tthree", "one two", "\tthree", ""]})
    assert set(lines) == {"number", "error", "truncated"}
    np.testing.assert_array_equal(lines["number"], answers["number"])
    tokens, count = answers["tokens"][0], answers["token_counts"][0]
    assert [token for token in tokens[:count] if token in (b"[CLS]", b"[SEP]")] == [b"[CLS]", b"[SEP]", b"[SEP]"]


def test_the_run_answers_and_writes_the_number_itself(trained, tmp_path, session_run):
    directory, _ = trained
    with tfds.testing.mock_data(num_examples=40):
        task, model = experiment.finished(TextClassification, directory / "run")
        batch = next(iter(task.preprocess("validation", 0)))
    texts = task.texts["validation"]
    numbers = task.classifier(model).respond(tf.constant(texts.texts), tf.constant(texts.seconds))["number"].numpy()
    version = directory / "saved_models" / "text_classification" / "1"
    served = session_run(version, "serving_default", {"text": texts.texts, "pair": texts.seconds})
    np.testing.assert_allclose(served["number"], numbers, atol=1e-5)
    loss, weight, _ = task.loss(model, batch, training=False)
    if float(weight) == len(texts):
        deviation = task.texts["train"].labels.astype("float64").std()
        np.testing.assert_allclose(float(loss), np.sum(((numbers - texts.labels) / deviation) ** 2), rtol=1e-4)
    inputs = task.inputs_of(batch)
    to_pretrained(model, tmp_path / "hub")
    assert json.loads((tmp_path / "hub" / "config.json").read_text())["id2label"] == {"0": "number"}
    again = from_pretrained(tmp_path / "hub")
    np.testing.assert_allclose(again(inputs)["logits"], model(inputs)["logits"], atol=1e-5)


def test_predict_says_the_number(trained, capsys):
    model = ["--model", str(trained[0] / "saved_models" / "text_classification")]
    assert main(["predict", "text_classification", "one two\tthree", *model]) == 0
    said = float(capsys.readouterr().out)
    assert main(["predict", "text_classification", "one two\tthree", "\t", *model, "--json"]) == 1
    answer, refused = map(json.loads, capsys.readouterr().out.splitlines())
    assert answer["number"] == pytest.approx(said, abs=5e-4) and answer["error"] == ""
    assert refused == {"input": "\t", "error": WORDLESS}


def test_an_evaluation_cannot_change_the_kind_of_the_labels(trained):
    with pytest.raises(UserError, match="--data.labels: the model was made with the run's own"):
        experiment.evaluate(TextClassification, trained[0] / "run", ["--data.labels", "classes"])


def write(path, numbers):
    path.write_text("text\tlabel\n" + "".join(f"{text}\t{number}\n" for text, number in numbers.items()))
    return {"files": str(path)}


def examples(count):
    rng = np.random.default_rng(0)
    words = np.array(["good", "bad", "cat", "dog", "red"])
    drawn = [rng.choice(words, size=rng.integers(3, 8)) for _ in range(count)]
    return {
        f"{' '.join(one)} {row}": float(np.sum(one == "good") - np.sum(one == "bad")) for row, one in enumerate(drawn)
    }


@pytest.fixture
def learned(tmp_path, monkeypatch):
    """Returns a function that trains on numbers and returns the run's answers to the test split."""
    monkeypatch.setattr(experiment, "publish", lambda task, model, metrics, reporter: metrics)

    def learn(name, numbers, **training):
        config = config_of(tmp_path, write(tmp_path / f"{name}.tsv", numbers), **training)
        experiment.train(TextClassification, config, tmp_path / name, preset="tiny")
        task, model = experiment.finished(TextClassification, tmp_path / name)
        task.evaluate(model, "test")
        return task.targets.kept(task.folder.test_answers)[1]

    return learn


# Adam turns the rounding errors of gradients that should be 0 into whole steps.
@pytest.mark.parametrize("optimizer, rate, tolerance", [("adam", 1e-2, 0.1), ("sgd", 1e-1, 2e-3)])
def test_numbers_are_learned_alike_in_any_unit(learned, optimizer, rate, tolerance):
    numbers, training = examples(200), {"optimizer": optimizer, "learning_rate": rate, "epochs": 3, "clip_norm": 0.0}
    plain = learned("plain", numbers, **training)
    large = learned("large", {text: 1000 * number - 70 for text, number in numbers.items()}, **training)
    assert np.std(plain) > 0.1
    np.testing.assert_allclose((large + 70) / 1000, plain, atol=tolerance)


def test_the_correlation_of_the_dev_split_can_choose_the_checkpoint(learned, tmp_path):
    learned("run", examples(200), epochs=3, learning_rate=1e-2, monitor="dev/pearson")
    history = RunFolder(tmp_path / "run").read_history()
    assert all(-100 <= record["dev/pearson"] <= 100 and record["dev/loss"] > 0 for record in history)


def test_fine_tuning_begins_as_a_ridge_regression(learned, tmp_path):
    numbers = examples(200)
    learned("scratch", numbers)
    settings = config_of(tmp_path, write(tmp_path / "tuned.tsv", numbers), ["from_scratch"], learning_rate=1e-4)
    settings.model.encoder = str(tmp_path / "scratch")
    lines = []
    task, model = experiment.prepare(
        TextClassification, settings, tmp_path / "tuned", typed=("model.encoder",), note=lines.append
    )
    assert "training.linear_probe: true instead of false, since there are 160 texts" in lines
    features, labels = [], []
    for batch in task.preprocess("train", 0):
        inputs = task.inputs_of(batch)
        features.append(np.array(model.features(model.encoder(inputs), inputs), "float64"))
        labels.append(batch["labels"].numpy())
    kernel, bias = task.targets.fit_probe(np.concatenate(features), np.concatenate(labels))
    np.testing.assert_allclose(model.classes.kernel, kernel, rtol=1e-2, atol=1e-3)
    np.testing.assert_allclose(model.classes.bias, bias, rtol=1e-2)


def test_the_twin_from_scratch_is_compared(learned, tmp_path, capsys):
    numbers = examples(120)
    learned("scratch", numbers)
    settings = config_of(tmp_path, write(tmp_path / "tuned.tsv", numbers), ["from_scratch"])
    settings.model.encoder = str(tmp_path / "scratch")
    task, model = experiment.prepare(TextClassification, settings, tmp_path / "tuned")
    task.evaluate(model, "test")
    assert -100 <= task.baselines()["from_scratch"] <= 100
    assert "from_scratch: Pearson " in capsys.readouterr().out


@pytest.mark.parametrize(
    "numbers, message",
    [
        ({f"text {row}": 2.5 for row in range(60)}, "received 2.5 alone in the 48 of train"),
        ({"one": 1.0, "two": 2.0, "three": 3.0}, "received .* alone in the 1 of"),
        ({"one": 1.0, "two": 2.0}, "--data.files: expected at least 3 different texts, received 2"),
    ],
)
def test_what_nothing_can_correlate_with_is_refused_before_training(tmp_path, numbers, message):
    config = config_of(tmp_path, write(tmp_path / "a.tsv", numbers))
    with pytest.raises(UserError, match=message) as raised:
        experiment.train(TextClassification, config, tmp_path / "run", preset="tiny")
    assert "\n" not in str(raised.value) and not (tmp_path / "run").exists()


def test_few_texts_are_learned_with_test_texts_of_their_own(tmp_path, monkeypatch):
    monkeypatch.setattr(experiment, "publish", lambda task, model, metrics, reporter: metrics)
    held_out = write(tmp_path / "held.tsv", {"good film": 2.0, "bad film": -2.0})["files"]
    config = config_of(tmp_path, write(tmp_path / "a.tsv", {"a good": 1.0, "so bad": -1.0, "it is": 0.0}))
    config.data.dev = config.data.test = held_out
    metrics = experiment.train(TextClassification, config, tmp_path / "run", preset="tiny")
    assert np.isfinite(metrics["dev/loss"])


@pytest.mark.parametrize(
    "make, message",
    [
        (
            lambda: DataSettings(labels="numbers", labels_per_class=5),
            "--data.labels_per_class: expected 0 with --data.labels numbers, which have no classes; received 5",
        ),
        (
            lambda: TextClassificationConfig(
                data=DataSettings(labels="numbers"), training=FineTuningSettings(label_smoothing=0.1)
            ),
            "--training.label_smoothing: expected 0 with --data.labels numbers, which have no classes; received 0.1",
        ),
    ],
)
def test_settings_of_classes_are_refused(make, message):
    with pytest.raises(UserError, match=message):
        make()
