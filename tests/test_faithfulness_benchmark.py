"""The benchmark of explanations, on models whose answers depend on known parts, and on a tiny run of each task."""

import csv
import itertools
import sys
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.registry import TASKS

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def benchmarks(monkeypatch):
    """The scripts import one another by the names of their files."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    yield
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in ("explained", "faithfulness", "measure", "random_labels"):
            del sys.modules[name]


def test_every_task_is_measured_but_the_one_that_attends_to_nothing():
    explained = import_module("explained")
    assert set(TASKS) - set(explained.EXAMPLES) == {"word_embeddings"}
    for module, _, name in (reference.partition(":") for reference in explained.EXAMPLES.values()):
        assert hasattr(import_module(module), name)


def token_examples(tokens, like=None):
    """Examples of a model that answers by how much its tokens say: token n says n squared, and token 0 is padding."""
    examples = import_module("explained.examples")

    class Sums(keras.Model):
        def __init__(self):
            super().__init__()
            says = keras.initializers.Constant((np.arange(6.0) ** 2)[:, None] / 10)
            self.embedding = keras.layers.Embedding(6, 1, embeddings_initializer=says)

        def call(self, inputs):
            said = tf.reduce_sum(self.embedding(inputs["tokens"]) * inputs["mask"][..., None], axis=(1, 2))
            return tf.stack([tf.zeros_like(said), said], axis=-1)

    class Tokens(examples.TokenExamples):
        def __init__(self):
            tokens_of = np.array(tokens, "int32")
            self.model, self.inputs = Sums(), {"tokens": tokens_of, "mask": (tokens_of > 0).astype("float32")}
            self.embedding = self.model.embedding
            super().__init__(tokens_of, tokens_of > 0, like)

        def attend(self, features, inputs, answers):
            return {"attention": inputs["mask"].numpy() / 4}

    return Tokens()


def test_no_order_deletes_faster_than_integrated_gradients_of_a_sum():
    faithfulness = import_module("faithfulness")
    examples = token_examples([[1, 5, 2, 4]])
    found = examples.explanations()
    assert examples.answers.tolist() == [1]
    blank = np.mean([0.1, 2.5, 0.4, 1.6])
    expected = np.array([0.1, 2.5, 0.4, 1.6]) - blank
    np.testing.assert_allclose(found["integrated gradients"][0], expected, atol=1e-5)
    np.testing.assert_allclose(found["gradient"], np.ones((1, 4)), atol=1e-5)
    areas = faithfulness.areas_of(examples, found["integrated gradients"])
    every = [faithfulness.areas_of(examples, np.array([order])) for order in itertools.permutations(range(4))]
    for curve in faithfulness.CURVES:
        assert areas[curve][0] == pytest.approx(max(one[curve][0] for one in every))


def test_a_table_has_each_explanation_and_each_run_that_it_is_compared_with():
    faithfulness = import_module("faithfulness")
    tokens = [[1, 5, 2, 4], [3, 1, 5, 0], [2, 4, 3, 1]]
    examples = token_examples(tokens)
    rows = faithfulness.measured(examples, {"twin": token_examples(tokens, like=examples)})
    assert list(rows) == ["attention", "gradient", "integrated gradients", "random"]
    best = rows["integrated gradients"]
    assert best["alike/twin"] == {"gap": 1.0, "low": 1.0, "high": 1.0}
    assert best["alike/shuffled"]["gap"] < 1
    assert best["deletion/over_random"]["gap"] > 0 < best["insertion/over_random"]["gap"]
    assert np.isnan(rows["attention"]["alike/twin"]["gap"])  # all parts are equal: there is no order
    columns = faithfulness.columns_of(["twin"])
    lines = faithfulness.lines_of("task/run", rows, columns, {"test/aer": 0.125})
    assert len(lines) == 4 and {line.count("|") for line in lines} == {len(columns) + 4}
    assert lines[0].endswith("| test/aer 0.125 |") and "| 1.00 (1.00 to 1.00) |" in lines[2]


def test_runs_that_read_other_pieces_are_refused():
    examples = token_examples([[1, 5, 2, 4]])
    with pytest.raises(UserError, match="the same parts"):
        token_examples([[1, 5, 2, 3]], like=examples)


def test_every_pixel_is_in_one_cell_also_where_cells_do_not_fit():
    module = import_module("explained.examples")

    class Cells(module.CellExamples):
        def __init__(self):
            self.images, self.grid = np.ones((1, 5, 7, 2), "float32"), (3, 2)  # cells of 2 x 4, cut off at the end
            self.read()

    cells = Cells()
    shown = [cells.shown(np.eye(6, dtype=bool)[[cell]]) for cell in range(6)]
    assert np.array_equal(sum(one.astype(int) for one in shown), np.ones((1, 5, 7, 1)))
    sizes = [one.sum() for one in shown]
    assert sizes == [8, 6, 8, 6, 4, 3]
    assert cells.of_parts(np.ones((1, 5, 7, 2))).tolist() == [[2 * size for size in sizes]]


def test_the_explained_token_is_one_that_needs_the_parts():
    """Of three written tokens, only the second one depends on the source."""
    module, examples = import_module("explained.written"), import_module("explained.examples")

    class Copies(keras.Model):
        def __init__(self):
            super().__init__()
            self.embedding = keras.layers.Embedding(4, 4, embeddings_initializer="identity")

        def call(self, inputs):
            source = 9.0 * self.embedding(inputs["source"])[:, 0]  # (B, V)
            always = tf.constant([[9.0, 0.0, 0.0, 0.0]])
            return tf.stack([always + 0 * source, source, always + 0 * source], axis=1)

    class Written(examples.TokenExamples, module.WrittenExamples):
        tokens = "source"

        def __init__(self, source, written):
            self.model, self.written = Copies(), np.array(written)
            self.inputs = {"source": np.array(source), **self.forced(self.written)}
            self.embedding = self.model.embedding
            super().__init__(self.inputs["source"], np.ones((len(source), 1), bool))

    found = Written([[1], [2], [3]], [[3, 1, 3], [3, 2, 3], [3, 3, 3]])
    assert found.inputs["places"].tolist() == [1, 1, 1] and found.answers.tolist() == [1, 2, 3]
    assert found.inputs["target"].tolist()[0] == [2, 3, 1]
    deleted = found.predict(np.zeros((3, 1), bool))
    assert found.predict(np.ones((3, 1), bool)).min() > 0.99 and deleted.max() < 0.5


def test_training_examples_get_each_others_labels_and_others_keep_theirs(tmp_path):
    random_labels = import_module("random_labels")
    shuffled = random_labels.shuffler(1)
    pairs = {split: SimpleNamespace(source=[*"abcdef"], target=[*"ABCDEF"]) for split in random_labels.SPLITS}
    random_labels.write_pairs(SimpleNamespace(examples=pairs), tmp_path, shuffled)
    train, test = ((tmp_path / f"{split}.tsv").read_text().split() for split in ("train", "test"))
    assert test[1::2] == [*"ABCDEF"] and train[::2] == [*"abcdef"]
    assert sorted(train[1::2]) == [*"ABCDEF"] != train[1::2]
    texts = SimpleNamespace(texts=["a, b", 'c "d"', "e"], labels=[0, 1, 0], names=["no", "yes"])
    random_labels.write_texts(SimpleNamespace(texts=dict.fromkeys(random_labels.SPLITS, texts)), tmp_path, shuffled)
    with open(tmp_path / "test.csv", newline="") as file:
        assert [*csv.reader(file)] == [["text", "label"], ["a, b", "no"], ['c "d"', "yes"], ["e", "no"]]
    images = [tf.io.encode_png(np.full((2, 2, 1), number, "uint8")).numpy() for number in range(4)]
    examples = tf.data.Dataset.from_tensor_slices({"image": images, "label": [0, 1, 0, 1]})
    sets = {split: SimpleNamespace(examples=examples) for split in random_labels.SPLITS}
    random_labels.write_images(SimpleNamespace(sets=sets, labels=["x", "y"]), tmp_path, shuffled)
    kept = [tmp_path / "test" / "xyxy"[number] / f"{number:05}.png" for number in range(4)]
    assert [path.read_bytes() for path in kept] == images
    assert len([*(tmp_path / "train").rglob("*.png")]) == 4
