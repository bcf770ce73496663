"""Named entities whose words are read by a pretrained encoder."""

import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf
from known_encoders import write_byte_pairs, write_word_pieces, write_xlnet
from publishing import score_alone

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.run import run as experiment
from attention_zoo.pipelines.engine.settings import ExportSettings
from attention_zoo.pipelines.engine.storage.run_folder import RunFolder
from attention_zoo.pipelines.engine.storage.weights import variables_by_path
from attention_zoo.pipelines.hub import to_pretrained
from attention_zoo.pipelines.hub.encoders import load_encoder, reader_of
from attention_zoo.pipelines.models import BertEncoder, MaskedLanguageModel, RobertaEncoder
from attention_zoo.pipelines.named_entities.settings import (
    BaselineSettings,
    DataSettings,
    LSTMSettings,
    NamedEntitiesConfig,
    TaggingTrainingSettings,
)
from attention_zoo.pipelines.named_entities.task import NamedEntities

PIECES = "[PAD] [UNK] [CLS] [SEP] [MASK] . ann bob lee eva went flew came to rome new york os ##lo".split()
SIZES = {"num_layers": 2, "num_heads": 2, "hidden_dim": 8, "intermediate_dim": 12, "max_length": 20}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A tiny BERT with random weights, as transformers would write it."""
    keras.utils.set_random_seed(2)
    model = MaskedLanguageModel(BertEncoder(len(PIECES), **SIZES, name="encoder"))
    model({"tokens": np.ones((1, 2), "int32")})
    path = tmp_path_factory.mktemp("hub") / "bert"
    to_pretrained(model, path)
    return write_word_pieces(path, PIECES)


@pytest.fixture(scope="module")
def config(tiny_data, tmp_path_factory):
    """Returns a function of an encoder and options of the training to the settings of a run of seconds."""
    exports = str(tmp_path_factory.mktemp("exports"))

    def make(encoder, **options):
        sizes = {"character_dim": 4, "filters": 6, "hidden_dim": 8, "dropout": 0.0, "word_dropout": 0.0}
        return NamedEntitiesConfig(
            data=DataSettings(**tiny_data("named_entities")),
            model=LSTMSettings(encoder=str(encoder), **sizes),
            training=TaggingTrainingSettings(**{"epochs": 1, "batch_tokens": 128} | options),
            baselines=BaselineSettings(names=[]),
            export=ExportSettings(directory=exports),
        )

    return make


@pytest.fixture(scope="module")
def trained(folder, config, tmp_path_factory):
    """The folder of a run whose encoder began with a copy of `folder` that is gone, and the metrics of the run."""
    copy = shutil.copytree(folder, tmp_path_factory.mktemp("hub") / "copy")
    run = RunFolder(tmp_path_factory.mktemp("runs") / "run")
    settings = config(copy, epochs=6, learning_rate=0.02, encoder_rate=0.1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(experiment, "publish", score_alone)
        metrics = experiment.train(NamedEntities, settings, run, preset="tiny")
    shutil.rmtree(copy)
    return run, metrics


def prepared(config, run):
    return experiment.prepare(NamedEntities, config, run, typed=())


def arrays(model):
    return {path: np.array(variable) for path, variable in variables_by_path(model).items() if "seed" not in path}


def test_training_and_serving_read_the_same_tokens(folder, config, tmp_path):
    task, model = prepared(config(folder), tmp_path / "run")
    tagger = task.tagger(model)
    words = [row.split() for row in ("Ann went to Oslo .", "Bob Lee flew to New York .")]
    texts = tf.constant([" ".join(row) for row in words])
    served = tagger.read(texts)[-1]
    assert served["tokens"].numpy().tolist() == [
        [2, 6, 10, 13, 17, 18, 5, 3, 0],
        [2, 7, 8, 11, 13, 15, 16, 5, 3],
    ]
    assert served["columns"].numpy().tolist() == [[1, 2, 3, 4, 6, 0, 0], [1, 2, 3, 4, 5, 6, 7]]
    batch = next(iter(task.preprocess("validation", 0)))
    for name in ("tokens", "mask", "columns"):
        sentences = task.sentences["validation"].texts()
        expected = {tuple(row[row != 0]) for row in tagger.read(tf.constant(sentences))[-1][name].numpy()}
        assert {tuple(row[row != 0]) for row in batch[name].numpy()} <= expected


def test_the_encoder_begins_with_the_weights_of_the_folder_and_has_its_own_rate(folder, config, tmp_path):
    theirs = arrays(load_encoder(folder))
    task, model = prepared(config(folder), tmp_path / "run")
    ours = {path: array for path, array in arrays(model).items() if path.startswith("encoder/")}
    assert len(ours) > 10
    for path, array in ours.items():
        np.testing.assert_array_equal(array, theirs[path.removeprefix("encoder/")])
    factors = {path: factor for path, factor in task.rate_factors(model).items() if "seed" not in path}
    assert factors == dict.fromkeys(ours, 0.02)
    lstm = {path for path in arrays(model) if "lstm" in path}
    assert len(lstm) == 6 and not lstm & set(ours)


@pytest.mark.parametrize("name", ["lstm", "attention"])
def test_without_an_encoder_all_weights_learn_at_one_rate(name, config, tmp_path):
    settings = config("")
    settings.model.name = name
    task, model = prepared(settings, tmp_path / "run")
    assert task.rate_factors(model) == {}


def test_a_run_learns_needs_its_folder_no_more_and_serves_alone_as_in_a_batch(trained, session_run):
    run, metrics = trained
    assert metrics["test/f1"] > 80
    assert experiment.evaluate(NamedEntities, run)["test/f1"] == metrics["test/f1"]
    version = experiment.export(NamedEntities, run)
    texts = ["Ann went to Rome .", "Bob Lee flew to Oslo ." * 9, "", "\u0301 Eva", "came " * 5000]
    together = session_run(version, "attention", {"text": texts})
    assert together["truncated"].tolist() == [False, True, False, False, True]
    assert together["entities"][0][: together["counts"][0]].tolist() == [b"Ann", b"Rome"]
    assert together["word_counts"][2] == 0 and together["attention"].shape[0] == 5
    for number, text in enumerate(texts):
        alone = session_run(version, "attention", {"text": [text]})
        for name, (value,) in alone.items():
            beside = together[name][number]
            beside = beside[tuple(map(slice, np.shape(value)))] if np.ndim(value) else beside
            if np.asarray(value).dtype.kind == "f":
                np.testing.assert_allclose(beside, value, atol=1e-5)
            else:
                np.testing.assert_array_equal(beside, value)


def test_a_run_begins_with_the_encoder_that_another_run_has_learned(trained, folder, config, tmp_path):
    run, _ = trained
    before, first = arrays(experiment.finished(NamedEntities, run)[1]), arrays(load_encoder(folder))
    _, model = prepared(config(run), tmp_path / "second")
    found = {path: array for path, array in arrays(model).items() if path.startswith("encoder/")}
    for path, array in found.items():
        np.testing.assert_array_equal(array, before[path])
    kernel = "encoder_0/feed_forward_in/kernel"
    assert not np.array_equal(found[f"encoder/{kernel}"], first[kernel])


def test_byte_pairs_read_words_as_in_the_middle_of_a_text(tmp_path):
    keras.utils.set_random_seed(2)
    names = ["<s>", "</s>", "<pad>", "<unk>", "<mask>", "Ġ", "a", "b", "Ġa"]
    encoder = RobertaEncoder(len(names), **SIZES, name="encoder")
    encoder({"tokens": np.ones((1, 2), "int32")})
    to_pretrained(encoder, tmp_path / "roberta")
    write_byte_pairs(tmp_path / "roberta", names, ["Ġ a"])
    reader = reader_of(tmp_path / "roberta")
    assert reader.pieces_of_words(tf.constant(["a", "ab", "b"])).to_list() == [[8], [8, 7], [5, 7]]


@pytest.mark.parametrize("sentence_pieces", [False, True], ids=["word_pieces", "sentence_pieces"])
def test_columns_of_xlnet_begin_behind_the_special_tokens_that_come_first(sentence_pieces, tmp_path):
    names = "Ann Bob went to Rome .".split()
    names = names if sentence_pieces else [name.lower() for name in names]
    reader = reader_of(write_xlnet(tmp_path / "xlnet", names, sentence_pieces))
    words = tf.ragged.constant([["Ann", "went", "to", "Rome", "."], ["Bob"]])
    pieces = words.with_values(reader.pieces_of_words(words.values))
    inputs, columns = reader.read_pieces(pieces)
    first = 0 if sentence_pieces else 1
    assert columns.to_list() == [[first + place for place in range(5)], [first]]
    read = tf.gather(inputs["tokens"], columns, batch_dims=1)
    assert [[piece.decode().strip() for piece in row] for row in reader.pieces(read).to_list()] == [
        ["Ann", "went", "to", "Rome", "."] if sentence_pieces else ["ann", "went", "to", "rome", "."],
        ["Bob" if sentence_pieces else "bob"],
    ]
    assert inputs["segments"].numpy()[0, -1] == (2 if sentence_pieces else 0)


def test_an_xlnet_reads_words_alike_in_training_and_serving_alone_as_in_a_batch(config, tmp_path):
    names = "Ann Bob Lee Eva went flew came to Rome New York Oslo .".split()
    folder = write_xlnet(tmp_path / "xlnet", names, sentence_pieces=True)
    task, model = prepared(config(folder), tmp_path / "run")
    assert load_encoder(tmp_path / "run" / "encoder").options == load_encoder(folder).options
    batch = next(iter(task.preprocess("validation", 0)))
    served = task.tagger(model).read(tf.constant(task.sentences["validation"].texts()))[-1]
    for name in ("tokens", "segments"):
        found, expected = (
            {tuple(row[mask]) for row, mask in zip(inputs[name].numpy(), inputs["mask"].numpy())}
            for inputs in (batch, served)
        )
        assert found <= expected
    with tf.GradientTape() as tape:
        loss = task.loss(model, batch, training=True)[0]
    learned = model.word_encoder.blocks[0].self_attention
    assert all(np.any(gradient) for gradient in tape.gradient(loss, [learned.segment_embedding, learned.position_bias]))
    texts = ["Ann went to Rome .", "Bob Lee flew to Oslo ." * 2]
    together = task.tagger(model).attend(tf.constant(texts))
    for number, text in enumerate(texts):
        alone = task.tagger(model).attend(tf.constant([text]))
        for name in ("marginals", "attention"):
            beside = together[name][number][tuple(map(slice, alone[name].shape[1:]))]
            np.testing.assert_allclose(beside, alone[name][0], atol=1e-5)


def test_an_encoder_that_cannot_be_used_is_refused_before_the_data_is_read(config, tmp_path):
    settings = config(tmp_path / "bert")
    settings.data = DataSettings(files=["gone.conll"])
    with pytest.raises(UserError, match="--model.encoder: .*bert: expected a folder with config.json"):
        prepared(settings, tmp_path / "run")
