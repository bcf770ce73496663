"""Text classification that begins with an XLNet, of our pretraining or of the authors' kind."""

import json
import shutil

import numpy as np
import pytest
import tensorflow as tf
from known_encoders import write_xlnet

from attention_zoo.pipelines.engine.run import run as experiment
from attention_zoo.pipelines.engine.storage.run_folder import RunFolder
from attention_zoo.pipelines.engine.storage.weights import variables_by_path
from attention_zoo.pipelines.hub.encoders import load_encoder, reader_of
from attention_zoo.pipelines.hub.run_encoders import keep_given_encoder
from attention_zoo.pipelines.models import SequenceClassifier
from attention_zoo.pipelines.models.encoder_heads import mean_of_tokens
from attention_zoo.pipelines.text_classification.linear_probe import fit_probe
from attention_zoo.pipelines.text_classification.task import TextClassification

WORDS = "It is good bad The the was one two three red green cat dog house number".split()
KINDS = {"word_pieces": "[CLS]", "sentence_pieces": "<cls>"}  # and the token that stands for a text


@pytest.fixture(scope="module", params=KINDS)
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def folder(kind, tmp_path_factory):
    words = [word.lower() for word in WORDS if word != "The"] if kind == "word_pieces" else WORDS
    return write_xlnet(tmp_path_factory.mktemp("hub") / kind, words, kind == "sentence_pieces")


def prepared(config, run):
    return experiment.prepare(TextClassification, config, run, typed=None, note=print)


def arrays(model):
    return {path: np.array(variable) for path, variable in variables_by_path(model).items() if "seed" not in path}


@pytest.mark.parametrize("pooling", ["mean", "first"])
def test_cls_stands_for_a_text_and_padding_at_either_side_for_nothing(kind, pooling, folder):
    reader, encoder = reader_of(folder), load_encoder(folder)
    model = SequenceClassifier(encoder, ["a", "b"], "tanh" if pooling == "first" else None, pooling=pooling)
    inputs = reader(tf.constant(["It is good"]))
    states, logits = np.array(encoder(inputs)["states"]), model(inputs)["logits"]
    if pooling == "first":
        stands = np.array(reader.pieces(inputs["tokens"])) == KINDS[kind].encode()
        assert stands.sum() == 1
        features = np.tanh(states[stands] @ np.array(model.hidden.kernel) + np.array(model.hidden.bias))
    else:
        features = np.array(mean_of_tokens(states, inputs["mask"]))
    expected = features @ np.array(model.classes.kernel) + np.array(model.classes.bias)
    np.testing.assert_allclose(logits, expected, atol=1e-5)
    for side in ([3, 0], [0, 3]):
        padded = {name: tf.pad(value, [[0, 0], side]) for name, value in inputs.items()}
        np.testing.assert_allclose(model(padded)["logits"], logits, atol=1e-5)


def test_the_tokeniser_says_which_token_stands_for_a_text(kind, folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    settings = json.loads((copy / "config.json").read_text())
    assert settings.pop("summary_type") == ("first" if kind == "word_pieces" else "last")
    (copy / "config.json").write_text(json.dumps(settings))
    run = RunFolder(tmp_path / "run")
    keep_given_encoder(run, str(copy), 600, dropout=0.2, attention_dropout=0.2, pooler=False)
    kept, theirs = load_encoder(run.encoder), load_encoder(folder)
    assert kept.options == theirs.options | {"dropout": 0.2, "attention_dropout": 0.2}
    inputs = reader_of(run.encoder)(tf.constant(["It is good"], tf.string), tf.constant(["the cat"]))
    np.testing.assert_array_equal(kept(inputs)["states"], theirs(inputs)["states"])


def test_a_run_answers_each_text_as_alone_and_another_begins_with_its_encoder(
    kind, folder, config, tmp_path, session_run
):
    pooling = "first" if kind == "word_pieces" else "mean"
    settings = config(encoder=str(folder), pooling=pooling, batch_tokens=800, learning_rate=0.01)
    experiment.train(TextClassification, settings, tmp_path / "run", preset="tiny")
    version = tmp_path / "saved_models" / "text_classification" / "1"
    texts = ["It is good", "bad " * 40, "", "The cat was red"]
    together = session_run(version, "attention", {"text": texts})
    assert together["attention"].shape[1:3] == (2, 2) and together["truncated"].tolist() == [False, True, False, False]
    task, first = experiment.finished(TextClassification, tmp_path / "run")
    for row in (0, 1, 3):
        count = together["token_counts"][row]
        alone = task.classifier(first).attend(tf.constant(texts[row : row + 1]))
        np.testing.assert_allclose(alone["probabilities"][0], together["probabilities"][row], atol=1e-5)
        weights = together["attention"][row][..., :count, :count]
        np.testing.assert_allclose(weights.sum(axis=-1), 1, atol=1e-5)
        np.testing.assert_allclose(alone["attention"][0], weights, atol=1e-5)
    again = RunFolder(tmp_path / "again")
    keep_given_encoder(again, str(tmp_path / "run"))
    learned, before = arrays(first.encoder), arrays(load_encoder(folder))
    for path, array in arrays(load_encoder(again.encoder)).items():
        np.testing.assert_array_equal(array, learned[path])
    kernel = "encoder_0/self_attention/query/kernel"
    assert not np.array_equal(learned[kernel], before[kernel])


def test_an_encoder_is_read_probed_and_learns_at_the_rates_of_its_layers(kind, folder, config, tmp_path):
    settings = config(encoder=str(folder), pooling="first", layer_decay=0.5, frozen=True, linear_probe=True)
    task, model = prepared(settings, tmp_path / "run")
    factors = task.rate_factors(model)
    assert factors["encoder/tokens/embeddings"] == factors["encoder/target_embedding"] == 0.125
    assert factors["encoder/encoder_1/self_attention/segment_bias"] == 0.5
    heads = {f"{layer}/{weights}" for layer in ("hidden", "classes") for weights in ("kernel", "bias")}
    assert set(arrays(model)) - set(factors) == heads
    assert len(model.trainable_variables) == len(heads)
    features, labels = [], []
    for batch in task.preprocess("train", 0):
        inputs = task.inputs_of(batch)
        features.extend(np.array(model.features(model.encoder(inputs), inputs)))
        labels.extend(batch["labels"].numpy())
        lasts = np.array(inputs["segments"])[:, ::-1][np.array(inputs["mask"])[:, ::-1].cumsum(axis=1) == 1]
        assert set(lasts) == {2 if kind == "sentence_pieces" else 0}
    kernel, bias = fit_probe(np.array(features, "float64"), np.array(labels), 2)
    np.testing.assert_allclose(model.classes.kernel, kernel, atol=1e-2)
    np.testing.assert_allclose(model.classes.bias, bias, atol=1e-2)


def test_lora_learns_only_its_matrices_and_the_classes(tmp_path, config, trained):
    folder = write_xlnet(tmp_path / "hub", WORDS, sentence_pieces=True)
    settings = config(encoder=str(folder), lora_rank=2, learning_rate=0.1, batch_tokens=800)
    model, before = trained(settings, tmp_path / "run"), arrays(load_encoder(folder))
    after = arrays(model.encoder)
    found = {path for path, array in after.items() if not np.array_equal(array, before.get(path))}
    attention = [f"encoder_{block}/self_attention" for block in (0, 1)]
    names = [
        f"{name}/lora_kernel_{matrix}" for name in ("query", "key", "value", "attention_output") for matrix in "ab"
    ]
    assert found == {f"{path}/{name}" for path in attention for name in names}
    again = RunFolder(tmp_path / "again")
    keep_given_encoder(again, str(tmp_path / "run"))
    inputs = {"tokens": np.array([[6, 7, 8, 2]])}
    merged = load_encoder(again.encoder)(inputs)["states"]
    np.testing.assert_allclose(merged, model.encoder(inputs)["states"], atol=1e-4)
    assert not np.allclose(merged, load_encoder(folder)(inputs)["states"], atol=1e-4)
