"""What differs between classes and numbers: where training starts, losses, scores, baselines and pictures."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.linear_model import RidgeCV

from attention_zoo.pipelines.datasets.labelled_texts import NUMBER, LabelledTexts
from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.text_classification.linear_probe import fit_ridge
from attention_zoo.pipelines.text_classification.targets import TARGETS, Classes, Numbers

LABELS = np.array([20.0, 35.0, 50.0], "float32")


def split(labels, names=tuple(NUMBER)):
    return LabelledTexts([f"text {number}" for number in range(len(labels))], np.array(labels), list(names), "made up")


@pytest.fixture
def numbers():
    return Numbers({"train": split(LABELS), "validation": split([1.0, 2.0]), "test": split([5.0, 3.0])})


@pytest.fixture
def classes():
    return Classes({"train": split([0, 1, 1], ["bad", "good"])})


def public(kind):
    return {name for name in dir(kind) if not name.startswith("_")}


def test_classes_and_numbers_have_the_same_methods():
    assert public(Classes) == public(Numbers) and set(TARGETS) == {"classes", "numbers"}


def test_the_loss_is_that_of_standardised_numbers(numbers):
    logits = tf.constant([[30.0], [30.0], [60.0]])
    loss, weight, _ = numbers.loss(tf.constant(LABELS), logits, 0.1)
    mean, deviation = LABELS.mean(), LABELS.std()
    expected = ((LABELS - mean) / deviation - (logits[:, 0].numpy() - mean) / deviation) ** 2
    np.testing.assert_allclose(float(loss), expected.sum(), rtol=1e-5)
    assert float(weight) == 3


def test_a_model_begins_with_the_mean_and_the_deviation_of_the_labels(numbers, classes):
    layer = keras.layers.Dense(1)
    layer.build((None, 4))
    before = np.array(layer.kernel)
    classes.begin(SimpleNamespace(classes=layer))
    np.testing.assert_array_equal(layer.kernel, before)
    numbers.begin(SimpleNamespace(classes=layer))
    np.testing.assert_allclose(layer.kernel, before * LABELS.std(), rtol=1e-6)
    np.testing.assert_allclose(layer.bias, [35.0])


def test_numbers_that_are_all_the_same_in_a_split_are_refused():
    splits = {"train": split(LABELS), "validation": split([2.5, 2.5]), "test": split([1.0, 2.0])}
    expected = (
        "--data.dataset, --data.files: .* two different numbers in every split, received 2.5 alone in the 2 of val"
    )
    with pytest.raises(UserError, match=expected) as raised:
        Numbers(splits)
    assert "\n" not in str(raised.value)


def test_a_ridge_probe_answers_as_scikit_learn_does():
    random = np.random.default_rng(1)
    features = 50.0 * random.normal(size=(60, 8))
    truths = features @ random.normal(size=8) + 5.0 * random.normal(size=60) + 100.0
    kernel, bias = fit_ridge(features, truths)
    length = np.linalg.norm(features, axis=1).mean()
    other = RidgeCV(alphas=np.logspace(-3, 3, 13)).fit(features / length, truths)
    np.testing.assert_allclose(features @ kernel[:, 0] + bias, other.predict(features / length), rtol=1e-4)


def test_answers_are_kept_and_drawn(numbers, classes, tmp_path):
    labels, found = np.array([0.1, 2.0, 3.0], "float32"), [{"number": number} for number in (0.5, 1.7, 3.5)]
    numbers.keep(tmp_path / "answers.tsv", labels, found)
    assert (tmp_path / "answers.tsv").read_text() == "text\ttruth\tanswer\n1\t0.1\t0.5\n2\t2.0\t1.7\n3\t3.0\t3.5\n"
    truths, answers = numbers.kept(tmp_path / "answers.tsv")
    np.testing.assert_allclose([truths, answers], [[0.1, 2, 3], [0.5, 1.7, 3.5]])
    assert numbers.draw(tmp_path / "answers.tsv", tmp_path).name == "scatter.png"
    assert numbers.scores(labels, found)["spearman"] == pytest.approx(100)
    classes.keep(tmp_path / "answers.tsv", [1, 0], [{"class": "good", "probability": 0.75}] * 2)
    assert (tmp_path / "answers.tsv").read_text().splitlines()[2] == "2\tbad\tgood\t0.7500"
    assert classes.draw(tmp_path / "answers.tsv", tmp_path).name == "confusion.png"


def test_the_baseline_learns_numbers_and_is_compared(numbers, tmp_path, capsys):
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(["good", "bad", "the", "film"], size=8)) for _ in range(200)]
    truths = np.array([text.count("good") - text.count("bad") for text in texts], "float32")
    others = numbers.tfidf(texts[:150], truths[:150], texts[150:])
    numbers.keep(tmp_path / "answers.tsv", truths[150:], [{"number": float(number)} for number in truths[150:]])
    score = numbers.compare("tfidf", tmp_path / "answers.tsv", others)
    assert score == pytest.approx(100 * np.corrcoef(truths[150:], others)[0, 1], abs=0.01) and 80 < score < 100
    assert capsys.readouterr().out.startswith(f"tfidf: Pearson {score:.1f}; this run is +")
