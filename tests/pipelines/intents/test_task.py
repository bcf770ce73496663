"""Intents and entities of raw text: offsets, values, roles, the same answer in any batch, and what is out of scope."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from attention_zoo.pipelines.commands.arguments import presets_of
from attention_zoo.pipelines.datasets.intent_sets import read_utterances
from attention_zoo.pipelines.datasets.out_of_scope import read_out_of_scope
from attention_zoo.pipelines.datasets.utterances import utterance_of
from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.run import run as experiment
from attention_zoo.pipelines.engine.run.config import read
from attention_zoo.pipelines.engine.text.word_splitting import split_words
from attention_zoo.pipelines.intents.answers import spans_view
from attention_zoo.pipelines.intents.interpreter import Interpreter, WordFeatures
from attention_zoo.pipelines.intents.settings import IntentsConfig, ModelSettings
from attention_zoo.pipelines.intents.targets import best_threshold, synonyms_of, word_tags
from attention_zoo.pipelines.intents.task import Intents
from attention_zoo.pipelines.models import DIETClassifier

TAGS = ["O", "B-city:from", "I-city:from", "B-x", "I-x"]


@pytest.fixture(scope="module")
def interpreter():
    """One with random weights that take every word for a part of an entity."""
    keras.utils.set_random_seed(4)
    features = WordFeatures(300, 3, [r"[a-z]{2}\d+", "rome|paris"])
    model = DIETClassifier(features.count, 3, TAGS, hidden_dim=16, num_layers=1, intermediate_dim=16)
    model({"features": tf.constant([[[1]]])})
    model.emissions.set_weights([8 * weight for weight in model.emissions.get_weights()])
    model.emissions.bias.assign([-50.0, 0.0, 0.0, 0.0, 0.0])
    return Interpreter(model, features, ["fly", "stay", "stop"], {"rome": "Roma", "東": "East"}, 12, 0.0)


ODD = ["", " ", "\u200b", "\x00\x01", b"\xff\xfe", "?!", "x" * 100_000, "a " * 10_000, "القاهرة الآن", "👩🏽‍🚀 Rome"]
TEXTS = ["fly to Rome\r\nnow", "né à Paris, cafe\u0301 Zürich", "東京 and Rome", "👍🏽 Rome", *ODD]


def rows_of(answers):
    arrays = {name: np.array(value) for name, value in answers.items()}
    rows = [{name: array[row] for name, array in arrays.items()} for row in range(len(arrays["intent"]))]
    return [{k: np.array(v, object) if isinstance(v, bytes) else v for k, v in row.items()} for row in rows]


def test_offsets_in_bytes_and_code_points_cut_out_the_entity(interpreter):
    found = 0
    for text, row in zip(TEXTS, rows_of(interpreter.understand(tf.constant(TEXTS)))):
        data = text if isinstance(text, bytes) else text.encode()
        for number in range(row["counts"]):
            entity = row["entities"][number]
            assert data[row["starts"][number] : row["ends"][number]] == entity
            points = data.decode("utf-8", "replace")[row["code_point_starts"][number] : row["code_point_ends"][number]]
            assert points == entity.decode("utf-8", "replace")
            assert 0 < row["entity_confidences"][number] <= 1
            found += 1
    assert found > 10, "random weights tag something, or this test proves nothing"


def test_a_row_has_the_same_answer_alone_and_in_any_batch(interpreter):
    together = rows_of(interpreter.understand(tf.constant(TEXTS)))
    for text, row in zip(TEXTS, together):
        (alone,) = rows_of(interpreter.understand(tf.constant([text])))
        for name, value in alone.items():
            size = value.shape[0] if value.ndim else 0
            same = row[name][:size] if value.ndim else row[name]
            if value.dtype.kind == "f":
                np.testing.assert_allclose(same, value, atol=1e-4)  # a sum of exponentials in each word
            else:
                np.testing.assert_array_equal(same, value)


def test_text_without_words_is_answered_with_nothing(interpreter):
    for row in rows_of(interpreter.understand(tf.constant(["", " \u3000", "\u200b", "\x00", b"\xff\xfe"]))):
        assert not any(value.any() for name, value in row.items() if name != "error")
        assert row["error"] == b""


def test_long_texts_are_cut_and_say_so(interpreter):
    answers = interpreter.understand(tf.constant(["a " * 12, "a " * 13, "x" * 1_000_000, "one"]))
    assert answers["truncated"].numpy().tolist() == [False, True, True, False]
    assert answers["word_counts"].numpy().tolist() == [12, 12, 1, 1]


def test_values_are_synonyms_and_roles_come_apart_from_labels(interpreter):
    seen = {}
    for row in rows_of(interpreter.understand(tf.constant(["Rome", "rome", "東", "Oslo", "in Rome"]))):
        for number in range(row["counts"]):
            seen[row["entities"][number].decode()] = row["values"][number].decode()
            assert (row["labels"][number], row["roles"][number]) in [(b"city", b"from"), (b"x", b"")]
    assert seen and all(value == {"rome": "Roma", "東": "East"}.get(text.lower(), text) for text, value in seen.items())


def test_probabilities_of_tags_and_intents_sum_to_one(interpreter):
    row = rows_of(interpreter.attend(tf.constant(["fly to Rome"])))[0]
    np.testing.assert_allclose(row["marginals"].sum(-1), 1.0, atol=1e-5)
    np.testing.assert_allclose(row["confidences"].sum(), 1.0, atol=1e-5)
    assert row["confidence"] == row["confidences"].max() and row["intent"] == row["intents"][0]
    assert len(row["word_confidences"]) == 3 and row["attention"].shape == (4, 4)
    view = spans_view({name: value for name, value in row.items()} | {"input": "fly to Rome", "intent": "fly"})
    assert view.words[0] == "__CLS__" and view.tags[0] == view.tag_names[0] == "fly"
    assert view.lattice.shape == (len(view.tag_names), 4) and view.lattice[0, 0] == row["confidence"]


def test_patterns_are_features_of_the_words_that_they_match():
    plain, own = WordFeatures(300, 2), WordFeatures(300, 2, [r"[a-z]{2}\d+", "rome|paris"])
    words = tf.constant(["LH123", "Rome", "romes"])
    assert own.count == plain.count + 2
    added = own(words).numpy()[:, plain(words).shape[1] :]
    assert added.tolist() == [[300, 0], [0, 301], [0, 0]]


def utterance(text, **entities):
    spans = [
        {"start": text.index(v), "end": text.index(v) + len(v), "entity": k, "value": v} for k, v in entities.items()
    ]
    return utterance_of(text, "x", spans)


def test_a_part_of_a_word_tags_the_word_and_its_value_is_learned():
    rows = [utterance("거실의 불 켜줘", area="거실"), utterance("2h5m", hours="2", minutes="5")]
    words, starts, ends = split_words(tf.constant([row.text for row in rows]))
    offsets = list(zip(starts.to_list(), ends.to_list()))
    known = {"area", "hours", "minutes"}
    assert [word_tags(row, *one, known) for row, one in zip(rows, offsets)] == [["B-area", "O", "O"], ["B-hours"]]
    assert synonyms_of(rows, words, starts, ends)["거실의"] == "거실"


def test_the_threshold_divides_as_well_as_any_other():
    rng = np.random.default_rng(0)
    inside, outside = rng.normal(2, 1, 50), rng.normal(0, 1, 40)
    quality = [(inside >= t).mean() + (outside < t).mean() for t in np.linspace(-4, 6, 2000)]
    best = best_threshold(inside, outside)
    assert (inside >= best).mean() + (outside < best).mean() >= max(quality) - 1e-9
    assert best_threshold(np.array([1.0]), np.array([1.0])) == 1.0


def test_texts_out_of_scope_are_read_by_halves_and_named_by_flag(tmp_path):
    (path := tmp_path / "strange.txt").write_text("one\ntwo\n\nthree\n" + "word " * 100)
    texts = read_out_of_scope([str(path)], 9)
    assert texts["validation"] == ["one", "three"] and texts["test"][0] == "two" and len(texts["test"][1]) <= 200
    with pytest.raises(UserError, match="^--data.out_of_scope: expected a file"):
        read_out_of_scope(["gone.txt"], 9)


@pytest.mark.parametrize("options", [{"intent_loss": False, "entity_loss": False}, {"negatives": 0}, {"dropout": 1.0}])
def test_settings_that_cannot_be_are_refused(options):
    with pytest.raises(UserError):
        IntentsConfig(model=ModelSettings(**options))


class OneStep(keras.callbacks.Callback):
    """Ends the training with its first step."""

    def on_train_batch_end(self, batch, logs=None):
        self.loss, self.model.stop_training = logs["loss"], True


def test_the_preset_of_the_papers_size_takes_a_step_on_mocked_data(tmp_path, monkeypatch):
    monkeypatch.setattr(experiment, "publish", lambda task, model, metrics, reporter: metrics)
    config = read(IntentsConfig, presets_of("intents")["paper"])
    assert (config.model.hidden_dim, config.model.num_layers, config.model.num_heads) == (256, 2, 4)
    config.data.out_of_scope = []

    def commands(self, *args, **kwargs):
        def rows():
            for number in range(12):
                spans = {"start": [4], "end": [8], "entity": ["thing"], "value": ["lamp"]}
                yield {"text": f"dim lamp {number}", "intent": "dim", "template": "", "entities": spans}

        places = {name: tf.TensorSpec([None], tf.int32) for name in ("start", "end")}
        names = {name: tf.TensorSpec([None], tf.string) for name in ("entity", "value")}
        signature = {name: tf.TensorSpec([], tf.string) for name in ("text", "intent", "template")}
        return tf.data.Dataset.from_generator(rows, output_signature=signature | {"entities": places | names})

    callback = OneStep()
    with tfds.testing.mock_data(num_examples=12, as_dataset_fn=commands):
        metrics = experiment.train(Intents, config, tmp_path, preset="paper", callbacks=[callback])
    assert metrics["train/steps"] == 1 and 0 < callback.loss < 30 and np.isfinite(metrics["dev/loss"])


def test_a_user_file_without_entities_is_a_task_of_intents_alone(tmp_path):
    (path := tmp_path / "own.csv").write_text("".join(f"word{n} {name},{name}\n" for n in range(30) for name in "ab"))
    found = read_utterances("", [str(path)])
    model = DIETClassifier(20, 2, ["O"], hidden_dim=8, num_layers=1, intermediate_dim=8)
    interpreter = Interpreter(model, WordFeatures(20, 1), ["a", "b"], {}, 8, 0.0)
    row = rows_of(interpreter.understand(tf.constant([found.splits["test"][0].text])))[0]
    assert row["counts"] == 0 and row["intent"] in (b"a", b"b")
