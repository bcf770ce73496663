"""What document classification does besides what the end-to-end test of all tasks asks for."""

import json
from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from attention_zoo.pipelines.baselines.texts import tfidf_svm_predictions
from attention_zoo.pipelines.commands.arguments import presets_of
from attention_zoo.pipelines.document_classification.answers import Document, pointing, view_of
from attention_zoo.pipelines.document_classification.classifier import SENTENCES_TOGETHER, DocumentClassifier
from attention_zoo.pipelines.document_classification.settings import (
    BaselineSettings,
    DataSettings,
    DocumentClassificationConfig,
    ModelSettings,
)
from attention_zoo.pipelines.document_classification.task import DocumentClassification
from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.run import run as experiment
from attention_zoo.pipelines.engine.run.config import read
from attention_zoo.pipelines.engine.serving.asking import rows_of
from attention_zoo.pipelines.engine.settings import TrainingSettings
from attention_zoo.pipelines.engine.text.document_reader import FIRST, DocumentReader
from attention_zoo.pipelines.models import HierarchicalAttentionNetwork

LABELS = ["bad", "good", "so so"]


@pytest.fixture(scope="module")
def classifier():
    """A classifier with drawn weights whose attention is far from uniform."""
    keras.utils.set_random_seed(0)
    reader = DocumentReader(["it", "is", "good", "bad", ".", "the", "cat"], max_words=6, max_sentences=2000)
    model = HierarchicalAttentionNetwork(reader.vocabulary_size, 3, embedding_dim=8, units=4, attention_units=5)
    model(tf.ones([1, 1, 1], tf.int32))
    for pooling in (model.word_pooling, model.sentence_pooling):
        pooling.context.assign(20.0 * pooling.context)
    return DocumentClassifier(model, reader, LABELS)


def compiled(function, *dtypes):
    specs = [tf.TensorSpec([None], dtype) for dtype in dtypes or (tf.string,)]
    return tf.function(function, input_signature=specs, autograph=False)


TEXTS = [
    "It is good. The cat is bad!",
    "",
    "word",
    "e\u0301te\u0301 ist 猫。好 \U0001f44d\U0001f3fd",
    "\u200b \x00",
    "it is " * 40,
    "?!",
    "The cat. " * 700,
]


def test_each_text_is_answered_as_alone(classifier):
    attend = compiled(classifier.attend)
    together = rows_of(attend(tf.constant(TEXTS)))
    assert sum(row["sentence_count"] for row in together) > SENTENCES_TOGETHER  # so that the loop turns twice
    for text, row in zip(TEXTS, together):
        alone = rows_of(attend(tf.constant([text])))[0]
        assert row["label"] == alone["label"] and row["error"] == "" and row["truncated"] == alone["truncated"]
        for name, value in alone.items():
            if isinstance(value, np.ndarray) and value.dtype != object:
                padded = row[name][: len(value)]
                np.testing.assert_allclose(padded, value, atol=1e-6, err_msg=name)
                assert not np.any(row[name][len(value) :]), name


def test_text_without_words_is_answered_with_nothing(classifier):
    for row in (rows_of(compiled(classifier.classify)(tf.constant(TEXTS)))[place] for place in (1, 4)):
        assert row["label"] == "" and not row["probabilities"].any() and set(row["labels"]) == {""}


def test_offsets_are_those_of_the_text_and_weights_sum_to_one(classifier):
    for text, row in zip(TEXTS, rows_of(compiled(classifier.attend)(tf.constant(TEXTS)))):
        words, sentences, content = row["word_count"], row["sentence_count"], text.encode()
        for word, start, end in zip(row["words"][:words], row["word_starts"], row["word_ends"]):
            assert content[start:end].decode() == word
        sums = np.zeros(sentences)
        np.add.at(sums, row["word_sentences"][:words], row["word_weights"][:words])
        np.testing.assert_allclose(sums, 1.0, atol=1e-5)
        assert row["sentence_weights"][:sentences].sum() == pytest.approx(1.0 if sentences else 0.0, abs=1e-4)
        starts, ends = row["sentence_starts"][:sentences], row["sentence_ends"][:sentences]
        assert (starts < ends).all() and (starts[1:] >= ends[:-1]).all()


def test_the_served_answer_is_that_of_the_model_on_the_padded_document(classifier):
    text = tf.constant(["It is good. The cat is bad!"])
    row = rows_of(classifier.attend(text))[0]
    ids = classifier.reader.read(text)["ids"].to_tensor()
    logits, scores = classifier.model(ids, return_attention_scores=True)
    expected = np.sort(np.array(tf.nn.softmax(logits))[0])[::-1]
    np.testing.assert_allclose(row["probabilities"], expected, atol=1e-6)
    np.testing.assert_allclose(row["sentence_weights"], scores["sentences"][0], atol=1e-6)
    flat = tf.boolean_mask(scores["words"], ids != 0)
    np.testing.assert_allclose(row["word_weights"], flat, atol=1e-6)


def test_a_document_of_too_many_sentences_is_cut_and_says_so(classifier):
    short = DocumentClassifier(classifier.model, DocumentReader(["it"], max_words=6, max_sentences=3), LABELS)
    rows = rows_of(short.attend(tf.constant(["It is. " * 4, "It is. " * 3])))
    assert [row["truncated"] for row in rows] == [True, False] and [row["sentence_count"] for row in rows] == [3, 3]
    np.testing.assert_allclose(rows[0]["probabilities"], rows[1]["probabilities"], atol=1e-6)


def test_probabilities_without_a_sentence_are_those_of_the_text_without_it(classifier):
    texts = ["It is good. The cat is bad! Good it is."] * 40
    truths, chance = np.zeros(40, "int64"), np.linspace(0, 0.99, 40, dtype="float32")
    found = compiled(classifier.examine, tf.string, tf.int64, tf.float32)(texts, truths, chance)
    parts = ["It is good.", "The cat is bad!", "Good it is."]
    without = []
    for part in parts:
        row = rows_of(classifier.classify(tf.constant([" ".join(one for one in parts if one != part)])))[0]
        without.append(dict(zip(row["labels"], row["probabilities"]))["bad"])
    heaviest = int(np.argmax(found["sentence_weights"][0]))
    np.testing.assert_allclose(found["without_heaviest"], without[heaviest], atol=1e-6)
    others = [value for number, value in enumerate(without) if number != heaviest]
    distance = np.abs(np.array(found["without_random"])[:, None] - others)
    assert distance.min(axis=1).max() < 1e-6 and np.bincount(distance.argmin(axis=1)).min() == 20


def test_pointing_counts_documents_whose_heaviest_sentence_overlaps_a_known_part():
    found = {
        "sentence_count": np.array([2, 2, 0]),
        "sentence_weights": [np.array([0.9, 0.1]), np.array([0.2, 0.8]), np.array([0.0, 0.0])],
        "sentence_starts": [np.array([0, 10])] * 3,
        "sentence_ends": [np.array([9, 20])] * 3,
    }
    spans = [np.array([[10, 20]]), np.array([[0, 3], [12, 14]]), np.array([[0, 3]])]
    assert pointing(found, spans) == {"pointing": 50.0}
    assert pointing(found, None) == {}


def test_an_argument_is_a_text_or_the_name_of_a_file(tmp_path):
    (path := tmp_path / "article.txt").write_bytes(b"It is\n\xffgood.")
    assert Document.read(str(path)) == Document(str(path), "It is\n\ufffdgood.")
    assert Document.read("It is  good.") == Document("It is good.", "It is  good.")
    assert Document.read("word " * 1000).name.endswith("...") and len(Document.read("a\0b").text) == 3


def test_a_view_has_the_words_as_they_are_written(classifier):
    text = "It is (good).  The cat"
    row = rows_of(classifier.attend(tf.constant([text])))[0]
    view = view_of({**row, "text": text, "truth": "bad", "spans": np.array([[14, 20]])})
    assert ["".join(words) for words in view.sentences] == ["It is (good). ", "The cat"]
    assert view.known == [False, True] and "truth: bad" in view.title
    assert view_of({**rows_of(classifier.attend(tf.constant([""])))[0], "text": ""}) is None


def config(tiny_data, directory, **model):
    sizes = {"embedding_dim": 8, "units": 4, "attention_units": 4, "dropout": 0.0}
    made = DocumentClassificationConfig(
        data=DataSettings(**tiny_data("document_classification")),
        model=ModelSettings(**{**sizes, **model}),
        training=TrainingSettings(epochs=1, batch_tokens=300),
        baselines=BaselineSettings(names=[]),
    )
    return replace(made, export=replace(made.export, directory=str(directory / "saved_models")))


def test_embeddings_begin_with_the_vectors_and_an_export_needs_no_file(tiny_data, tmp_path, capsys):
    (vectors := tmp_path / "v.txt").write_text("cat 1 0 2\ndog 0 5\nHouse 0 3 0\nunheard 1 1 1\n")
    settings = config(tiny_data, tmp_path, vectors=str(vectors))
    task, model = experiment.prepare(DocumentClassification, settings, tmp_path / "run", typed=())
    printed = capsys.readouterr().out
    assert "model.embedding_dim: 3 instead of 8" in printed and "vectors of 2 of" in printed
    assert f"{vectors}, line 2: dog with 2" in printed
    words = task.folder.words.read_text().split("\n")
    table = np.array(model.embedding.embeddings)[FIRST:]
    cat, house = table[words.index("cat")], table[words.index("house")]
    np.testing.assert_allclose(cat / np.linalg.norm(cat), [0.447, 0, 0.894], atol=1e-3)
    np.testing.assert_allclose(house / np.linalg.norm(house), [0, 1, 0], atol=1e-6)
    vectors.unlink()
    _, again = experiment.prepare(DocumentClassification, settings, tmp_path / "run")
    np.testing.assert_array_equal(again.embedding.embeddings, model.embedding.embeddings)


def test_vectors_of_another_size_than_the_typed_one_are_refused(tiny_data, tmp_path):
    (vectors := tmp_path / "v.txt").write_text("cat 1 0 2\n")
    settings = config(tiny_data, tmp_path, vectors=str(vectors))
    with pytest.raises(UserError, match="--model.embedding_dim: expected 3"):
        experiment.prepare(DocumentClassification, settings, tmp_path / "run", typed={"model.embedding_dim"})


def test_the_test_answers_are_kept_and_compared_with_those_of_the_baselines(finished_run):
    run = finished_run("document_classification")
    metrics = json.loads((run.run / "metrics.json").read_text())
    rows = [line.split("\t") for line in (run.run / "test_answers.tsv").read_text().splitlines()]
    assert rows[0] == ["text", "truth", "answer", "probability"]
    right = np.mean([truth == answer for _, truth, answer, _ in rows[1:]])
    assert metrics["test/accuracy"] == pytest.approx(100 * right)
    assert metrics["test/deletion_gap_low"] <= metrics["test/deletion_gap"] <= metrics["test/deletion_gap_high"]
    assert "svm: accuracy" in run.printed and "mean_pooling: accuracy" in run.printed
    assert (run.run / "no_attention" / "test_answers.tsv").is_file()


def test_a_linear_svm_learns_which_words_decide():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 200)
    texts = [f"word{rng.integers(9)} {('tea', 'milk')[label]} word{rng.integers(9)}" for label in labels]
    assert (tfidf_svm_predictions(texts[:150], labels[:150], texts[150:]) == labels[150:]).all()


class OneStep(keras.callbacks.Callback):
    """Ends the training with its first step."""

    def on_train_batch_end(self, batch, logs=None):
        self.loss, self.model.stop_training = logs["loss"], True


def test_the_preset_of_the_papers_size_takes_a_step(tmp_path, monkeypatch):
    monkeypatch.setattr(experiment, "publish", lambda task, model, metrics, reporter: metrics)
    settings = read(DocumentClassificationConfig, presets_of("document_classification")["yelp_polarity"])
    settings.data.limit, settings.data.min_count = 12, 1  # the sizes of the model are the paper's
    callback = OneStep()
    with tfds.testing.mock_data(num_examples=12):
        metrics = experiment.train(DocumentClassification, settings, tmp_path, preset="yelp", callbacks=[callback])
    assert metrics["train/steps"] == 1 and 0 < callback.loss < 2 and np.isfinite(metrics["dev/loss"])
