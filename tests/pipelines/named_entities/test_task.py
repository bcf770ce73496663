"""Named entities: offsets in raw text, words of data and of serving, answers as text, baselines, the large preset."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from attention_zoo.pipelines.baselines import crf
from attention_zoo.pipelines.commands.arguments import presets_of
from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.run import run as experiment
from attention_zoo.pipelines.engine.run.config import read
from attention_zoo.pipelines.engine.serving.asking import rows_of
from attention_zoo.pipelines.engine.serving.entity_answers import marked, spans_view
from attention_zoo.pipelines.engine.text.word_splitting import split_words
from attention_zoo.pipelines.named_entities.pieces import tags_of_pieces, tags_of_words
from attention_zoo.pipelines.named_entities.settings import NamedEntitiesConfig
from attention_zoo.pipelines.named_entities.tagger import EntityTagger
from attention_zoo.pipelines.named_entities.task import NamedEntities
from attention_zoo.pipelines.named_entities.vocabulary import TaggerVocabulary, learn_vocabulary

NAMES = ["josé", "rome", "東", "京", "서울에서", "ירושלים", "القاهرة", "👩🏽\u200d🚀", "o'brien", "नई"]


class KnowsNames:
    """A model that finds the words of `NAMES`, for tests of what is around it."""

    tags = ["O", "B-X", "I-X"]

    def __call__(self, inputs, training=False, return_attention_scores=False):
        named = inputs["words"] >= 2  # (B, T)
        after = tf.pad(named, [[0, 0], [1, 0]])[:, :-1]
        tags = tf.where(named, tf.where(after, 2, 1), 0)
        logits = tf.one_hot(tags, 3) * 9.0
        return (logits, {}) if return_attention_scores else logits

    def decode(self, logits, mask):
        return tf.where(mask, tf.argmax(logits, axis=-1, output_type=tf.int32), 0), None

    def marginals(self, logits, mask):
        return tf.where(mask[..., None], tf.nn.softmax(logits), 0.0)


def tagger(max_words=64):
    return EntityTagger(KnowsNames(), TaggerVocabulary(NAMES, ["a"]), max_words)


OFFSETS = {  # text -> the entities that are found in it
    "Composed José's car": ["José"],
    "Decomposed Jose\u0301's car": ["Jose\u0301"],
    "né à Rome, cafe\u0301": ["Rome"],
    "私は東京にいる": ["東京"],
    "김철수는 서울에서 왔다": ["서울에서"],
    "👍🏿 met 👩🏽\u200d🚀 in Rome": ["👩🏽\u200d🚀", "Rome"],
    "גר בירושלים, ירושלים!": ["ירושלים"],
    "في القاهرة.": ["القاهرة"],
    "one\r\nRome\r\nJosé\r\n": ["Rome\r\nJosé"],
    "\ufeffRome\u200b and\u00a0ROME\u0000": ["Rome", "ROME"],
    "to O'Brien's": ["O'Brien"],
    "नई दिल्ली": ["नई"],
    "nobody": [],
    "": [],
}


def test_the_text_between_the_offsets_is_the_entity():
    texts = list(OFFSETS)
    rows = rows_of(tagger().tag(tf.constant(texts)))
    for text, row in zip(texts, rows):
        data, count = text.encode(), row["counts"]
        assert row["error"] == "" and not row["truncated"]
        places = [row[name][:count].tolist() for name in ("starts", "ends", "code_point_starts", "code_point_ends")]
        assert [data[a:b].decode() for a, b in zip(*places[:2])] == OFFSETS[text], text
        assert [text[a:b] for a, b in zip(*places[2:])] == OFFSETS[text], text
        assert list(row["entities"][:count]) == OFFSETS[text] and set(row["labels"][:count]) <= {"X"}
        assert ((row["confidences"][:count] > 0.9) & (row["confidences"][:count] <= 1)).all()


def test_a_text_alone_gets_the_answer_that_it_gets_in_a_batch():
    texts = list(OFFSETS)
    for text, row in zip(texts, rows_of(tagger().attend(tf.constant(texts)))):
        (alone,) = rows_of(tagger().attend(tf.constant([text])))
        for name, value in alone.items():
            beside = row[name][tuple(map(slice, value.shape))] if np.ndim(value) else row[name]
            if np.asarray(value).dtype.kind == "f":
                np.testing.assert_allclose(beside, value, atol=1e-6)
            else:
                np.testing.assert_array_equal(beside, value)


def test_long_texts_are_cut_and_say_so():
    texts = ["Rome " * 10_000, "x" * 1_000_000, "東" * 10_000, "Rome"]
    rows = rows_of(tagger(max_words=5).attend(tf.constant(texts)))
    assert [row["truncated"] for row in rows] == [True, True, True, False]
    assert [row["word_counts"] for row in rows] == [5, 1, 5, 1]


def test_words_of_the_data_and_pieces_of_serving_are_matched():
    words = ["1.", "St.", "U.S", "Open", "-", "Ann", "\u200b"]
    tags = ["O", "B-LOC", "I-LOC", "B-MISC", "O", "B-PER", "I-PER"]
    pieces, starts, ends = (one.to_list()[0] for one in split_words(tf.constant([" ".join(words)])))
    found = tags_of_pieces(words, tags, starts, bilou=False)
    assert list(zip(pieces, found)) == [
        *[(b"1", "O"), (b".", "O"), (b"St.", "B-LOC"), (b"U.", "I-LOC"), (b"S", "I-LOC")],
        *[(b"Open", "B-MISC"), (b"-", "O"), (b"Ann", "B-PER")],
    ]
    spans = [(starts[2], ends[4], "LOC"), (starts[5], ends[5], "MISC"), (starts[7], ends[7], "PER")]
    assert tags_of_words(words, spans) == [*tags[:-1], "O"]


def test_a_word_of_the_data_never_gets_two_entities():
    assert tags_of_words(["U.S", "x"], [(0, 1, "LOC"), (2, 3, "ORG"), (4, 5, "PER")]) == ["B-LOC", "B-PER"]


def test_a_sentence_without_spaces_has_several_words():
    (row,) = rows_of(tagger().attend(tf.constant(["私は東京にいる"])))
    assert row["word_counts"] == 7 and row["counts"] == 1


def test_words_are_folded_and_characters_are_not():
    words, characters = learn_vocabulary(tf.constant(["Rome", "ROME", "1996", "1997", "Cafe\u0301"]), 2, 99)
    assert words == ["0000", "rome"] and {"R", "é", "9"} <= set(characters)
    vocabulary = TaggerVocabulary(words, characters)
    composed = tf.constant(["Café", "Cafe\u0301"])
    assert len(set(map(tuple, vocabulary.character_ids(composed).numpy()))) == 1


def test_answers_are_printed_with_their_entities_marked():
    texts = ["né à Rome,\r\nJosé", "none", ""]
    rows = rows_of(tagger().attend(tf.constant(texts)))
    answers = [{"input": text, **row} for text, row in zip(texts, rows)]
    assert [marked(answer) for answer in answers] == ["né à [Rome](X), [José](X)", "none", ""]
    view = spans_view(answers[0])
    assert [view.text[start:end] for start, end, *_ in view.spans] == ["Rome", "José"]
    assert view.lattice.shape == (3, 5) and spans_view(answers[2]) is None


def test_features_of_the_baseline_have_a_window_of_two_words():
    features = list(crf.features_of(["Ann", "went", "to", "Rome"]))
    assert {"word=to", "-2:word=ann", "-1:word=went", "1:word=rome", "suffix=to"} <= set(features[2])
    assert "2:word=rome" in features[1] and "-1:none" in features[0]


def test_the_baseline_learns_a_small_pattern():
    words = [["Ann", "went", "home"], ["we", "saw", "Bob"]] * 20
    tags = [["B-PER", "O", "O"], ["O", "O", "B-PER"]] * 20
    assert crf.crf_tags(words, tags, [["Eva", "went", "home"]]) == [["B-PER", "O", "O"]]


def test_a_missing_extra_is_named_before_anything_is_read(monkeypatch, tmp_path):
    monkeypatch.setitem(__import__("sys").modules, "pycrfsuite", None)
    with pytest.raises(UserError, match=r"--baselines.names: crf needs .*attention-zoo\[entities\]"):
        NamedEntities(NamedEntitiesConfig(), tmp_path).load()


class OneStep(keras.callbacks.Callback):
    """Ends the training with its first step."""

    def on_train_batch_end(self, batch, logs=None):
        self.loss, self.model.stop_training = logs["loss"], True


def test_the_preset_of_full_size_takes_a_step_on_data_of_its_kind(tmp_path, monkeypatch):
    monkeypatch.setattr(experiment, "publish", lambda task, model, metrics, reporter: metrics)
    config = read(NamedEntities.Config, presets_of("named_entities")["wikiann"])
    config.data.limit = 12
    rng = np.random.default_rng(0)

    def tagged(builder, *arguments, **named):
        def rows():
            for _ in range(12):
                words = [f"word{number}" for number in rng.integers(0, 9, 6)]
                yield {"tokens": words, "tags": rng.integers(0, 7, 6), "langs": ["en"] * 6, "spans": [""]}

        signature = {
            **{name: tf.TensorSpec([None], tf.string) for name in ("tokens", "langs", "spans")},
            "tags": tf.TensorSpec([None], tf.int64),
        }
        return tf.data.Dataset.from_generator(rows, output_signature=signature)

    callback = OneStep()
    with tfds.testing.mock_data(num_examples=12, as_dataset_fn=tagged):
        metrics = experiment.train(NamedEntities, config, tmp_path, preset="wikiann", callbacks=[callback])
    assert metrics["train/steps"] == 1 and 0 < callback.loss < 10 and np.isfinite(metrics["dev/loss"])
