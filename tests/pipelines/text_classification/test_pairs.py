"""Pairs of texts, as those of GLUE, are read, learned, served and asked."""

import subprocess

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from attention_zoo.pipelines.__main__ import main
from attention_zoo.pipelines.datasets.labelled_texts import read_labelled_texts
from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.run import run as experiment
from attention_zoo.pipelines.text_classification.settings import (
    DataSettings,
    FineTuningSettings,
    ModelSettings,
    TextClassificationConfig,
)
from attention_zoo.pipelines.text_classification.task import TextClassification

SIZES = {"num_layers": 1, "num_heads": 2, "hidden_dim": 8, "intermediate_dim": 8}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder in which a run on mocked pairs was trained and exported, and its metrics."""
    directory = tmp_path_factory.mktemp("pairs")
    config = TextClassificationConfig(
        data=DataSettings(dataset="glue/mrpc", max_length=40, vocabulary_size=200),
        model=ModelSettings(**SIZES),
        training=FineTuningSettings(epochs=1, batch_tokens=200),
    )
    config.export.directory = str(directory / "saved_models")
    with tfds.testing.mock_data(num_examples=20):
        return directory, experiment.train(TextClassification, config, directory / "run", preset="mrpc")


@pytest.mark.parametrize(
    "name, classes, pairs", [("glue/mrpc", 2, True), ("glue/mnli", 3, True), ("glue/sst2", 2, False)]
)
def test_the_datasets_of_glue_are_read_without_their_hidden_labels(name, classes, pairs):
    with tfds.testing.mock_data(num_examples=8):
        sets = read_labelled_texts(name, pairs=True)
    for one in sets.values():
        assert len(one.names) == classes and (one.seconds is not None) == pairs
        assert not pairs or len(one.seconds) == len(one.texts) == len(one.labels)
    assert sets["test"].version.endswith("train[90%:100%]")


def test_pairs_are_refused_where_single_texts_are_expected():
    with tfds.testing.mock_data(num_examples=8), pytest.raises(UserError, match="sentence1, sentence2"):
        read_labelled_texts("glue/mrpc")


def test_a_pair_is_served_as_two_inputs(trained, session_run):
    directory, metrics = trained
    assert {"test/accuracy", "baseline/tfidf"} <= set(metrics)
    version = directory / "saved_models" / "text_classification" / "1"
    inputs = {"text": ["one two", "one two", ""], "pair": ["three", "", "three"]}
    answers = session_run(version, "attention", inputs)
    lines = session_run(version, "lines", {"text": ["one two\tthree", "one two", "\tthree"]})
    for name, values in lines.items():
        assert name == "error" or np.array_equal(values, answers[name]), name
    tokens, count = answers["tokens"][0], answers["token_counts"][0]
    assert [token for token in tokens[:count] if token in (b"[CLS]", b"[SEP]")] == [b"[CLS]", b"[SEP]", b"[SEP]"]
    assert answers["class"][0] in (b"equivalent", b"not_equivalent")
    assert answers["class"][1:].tolist() == [b"", b""] and not answers["probabilities"][1:].any()


def test_training_and_serving_read_a_pair_alike(trained, tmp_path):
    directory, _ = trained
    with tfds.testing.mock_data(num_examples=20):
        task, model = experiment.finished(TextClassification, directory / "run")
        batch = next(iter(task.preprocess("validation", 0)))
    texts = task.texts["validation"]
    answers = task.classifier(model).respond(tf.constant(texts.texts), tf.constant(texts.seconds))
    found = {round(float(max(row)), 4) for row in answers["probabilities"].numpy()}
    losses = []
    for row in range(len(batch["labels"])):
        one = {name: value[row : row + 1] for name, value in batch.items()}
        share = np.exp(-float(task.loss(model, one, training=False)[0]))
        losses.append(round(max(share, 1 - share), 4))
    assert set(losses) <= found and len(losses) > 1


def test_predict_takes_two_texts_with_a_tab_between(trained, capsys):
    directory, _ = trained
    model = ["--model", str(directory / "saved_models" / "text_classification")]
    assert main(["predict", "text_classification", "one two\tthree", *model]) == 0
    assert capsys.readouterr().out.split()[0] in ("equivalent", "not_equivalent")
    assert main(["predict", "text_classification", "one two", *model]) == 1
    assert "expected two texts with a tab between them, received one" in capsys.readouterr().err


def test_the_next_command_writes_a_pair_as_one_line(trained):
    with tfds.testing.mock_data(num_examples=20):
        task, _ = experiment.finished(TextClassification, trained[0] / "run")
    first, pipe, _ = task.next_command().partition(" | attention-zoo predict text_classification --attention ")
    assert pipe and subprocess.check_output(["bash", "-c", first], text=True) == task.samples()[0] + "\n"
