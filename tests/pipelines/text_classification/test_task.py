"""What text classification does besides what the end-to-end test of all tasks asks for."""

import json
import shutil

import keras
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.run import run as experiment
from attention_zoo.pipelines.engine.storage.run_folder import RunFolder
from attention_zoo.pipelines.engine.storage.weights import variables_by_path
from attention_zoo.pipelines.hub import from_pretrained, to_pretrained
from attention_zoo.pipelines.models import BertEncoder, MaskedLanguageModel, RobertaEncoder
from attention_zoo.pipelines.models.encoder_heads import mean_of_tokens
from attention_zoo.pipelines.text_classification.linear_probe import fit_probe
from attention_zoo.pipelines.text_classification.settings import (
    DataSettings,
    FineTuningSettings,
    ModelSettings,
)
from attention_zoo.pipelines.text_classification.task import TextClassification

PIECES = "[PAD] [UNK] [CLS] [SEP] [MASK] . it is good bad the was one two three red green cat dog house number".split()


@pytest.fixture
def folder(tmp_path):
    """A tiny BERT with random weights and a head that is not used, as transformers would write it."""
    keras.utils.set_random_seed(2)
    sizes = {"num_layers": 2, "num_heads": 2, "hidden_dim": 8, "intermediate_dim": 12, "max_length": 30}
    model = MaskedLanguageModel(BertEncoder(len(PIECES), **sizes, name="encoder"))
    model({"tokens": np.ones((1, 2), "int32")})
    for weights in model.trainable_weights:
        weights.assign_add(np.random.default_rng(1).normal(0, 0.3, weights.shape))
    to_pretrained(model, tmp_path / "bert")
    (tmp_path / "bert" / "vocab.txt").write_text("\n".join(PIECES) + "\n", encoding="utf-8")
    return tmp_path / "bert"


def prepared(config, run, typed=None, note=print):
    return experiment.prepare(TextClassification, config, run, typed=typed, note=note)


def arrays(model):
    return {path: np.array(variable) for path, variable in variables_by_path(model).items() if "seed" not in path}


def changed(before, after):
    """The paths of the weights that differ."""
    return {path for path, array in after.items() if path not in before or not np.array_equal(array, before[path])}


def test_so_many_labels_of_each_class_are_drawn_by_the_seed(config, tmp_path):
    drawn = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        task, _ = prepared(config(labels_per_class=5, seed=seed), tmp_path / name)
        assert np.bincount(task.texts["train"].labels).tolist() == [5, 5]
        assert len(task.texts["validation"]) == len(task.texts["test"]) == 9
        drawn.append(sorted(task.texts["train"].texts))
    assert drawn[0] == drawn[1] != drawn[2]


@pytest.mark.parametrize("pooling", ["mean", "first"])
def test_the_encoder_begins_with_the_weights_of_the_folder(folder, config, tmp_path, pooling):
    task, model = prepared(config(encoder=str(folder), pooling=pooling), tmp_path / "run")
    theirs, ours = from_pretrained(folder).encoder, model.encoder
    assert ours.options == theirs.options | {
        "dropout": 0.0,
        "attention_dropout": 0.0,
        "pooler": pooling == "first",
    }
    tokens = {"tokens": np.array([[2, 6, 7, 8, 5, 3]])}
    expected, found = theirs(tokens), ours(tokens)
    assert set(found) == {"states"} | ({"pooled"} if pooling == "first" else set())
    for name, value in found.items():
        np.testing.assert_array_equal(value, expected[name])
    assert task.reader(["It is GOOD."])["tokens"].numpy().tolist() == [[2, 6, 7, 8, 5, 3]]
    assert task.reader.max_tokens == 24


def test_few_texts_are_read_to_their_end_and_the_classes_begin_as_a_probe(folder, config, tmp_path):
    lines, typed = [], ("model.encoder", "training.epochs")
    task, model = prepared(config(encoder=str(folder), max_length=20), tmp_path / "run", typed, lines.append)
    count = len(task.texts["train"])
    assert lines == [
        f"data.max_length: 30 instead of 20, since there are {count} texts",
        f"training.linear_probe: true instead of false, since there are {count} texts",
        f"model.frozen: true instead of false, since there are {count} texts",
    ]
    assert task.reader.max_tokens == 30
    features, labels = [], []
    for batch in task.preprocess("train", 0):
        outputs = model.encoder(inputs := task.inputs_of(batch))
        features.extend(np.array(mean_of_tokens(outputs["states"], inputs["mask"])))
        labels.extend(batch["labels"].numpy())
    kernel, bias = fit_probe(np.array(features, "float64"), np.array(labels), 2)
    np.testing.assert_allclose(model.classes.kernel, kernel, atol=2e-3)
    np.testing.assert_allclose(model.classes.bias, bias, atol=2e-3)
    (tmp_path / "run" / "encoder" / "model.safetensors").unlink()  # a twin from scratch has no probe
    task, model = prepared(task.config, tmp_path / "run")
    assert not np.allclose(model.classes.kernel, kernel, atol=2e-3)


def test_what_the_user_typed_is_not_sized(folder, config, tmp_path):
    lines, typed = [], ("data.max_length", "training.linear_probe", "training.learning_rate")
    task, _ = prepared(config(encoder=str(folder)), tmp_path / "run", typed, lines.append)
    assert not lines and task.reader.max_tokens == 24 and not task.config.training.linear_probe
    assert not task.config.model.frozen
    prepared(config(), tmp_path / "scratch", (), lines.append)
    assert not lines


@pytest.mark.parametrize("seen", [(0, 1), (0, 2), (0, 1, 2)])
def test_a_probe_answers_as_the_logistic_regression_does(seen):
    random = np.random.default_rng(1)
    labels = np.repeat(seen, 20)
    features = 50.0 * (random.normal(size=(3, 8))[labels] + random.normal(size=(len(labels), 8)))
    kernel, bias = fit_probe(features, labels, classes=3)
    length = np.linalg.norm(features, axis=1).mean()
    other = LogisticRegression(C=10.0, max_iter=1000).fit(features / length, labels)
    logits = features @ kernel + bias
    assert (logits.argmax(axis=1) == other.predict(features / length)).all()
    shares = np.exp(logits[:, list(seen)])
    shares /= shares.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(shares, other.predict_proba(features / length), atol=1e-4)


def test_a_run_needs_its_folder_no_more(folder, config, tmp_path):
    run = RunFolder(tmp_path / "run")
    settings = config(encoder=str(folder), epochs=2)
    metrics = experiment.train(TextClassification, settings, run, preset="tiny")
    shutil.rmtree(folder)
    checkpoints = sorted(run.checkpoints.iterdir())
    assert experiment.evaluate(TextClassification, run)["test/accuracy"] == metrics["test/accuracy"]
    assert (experiment.export(TextClassification, run) / "saved_model.pb").is_file()
    for path in checkpoints:  # as a run that was killed before its first checkpoint
        path.unlink() if path.is_file() else shutil.rmtree(path)
    again = experiment.train(TextClassification, settings, run, preset="tiny")
    assert again["dev/loss"] == pytest.approx(metrics["dev/loss"], rel=1e-5)
    files = settings.data.files
    other = experiment.evaluate(TextClassification, run, ["--data.test", files])
    assert 0 < other["test/accuracy"] <= 100
    shutil.rmtree(run.path / "encoder")
    with pytest.raises(UserError, match="--model.encoder: .*bert: expected a folder with config.json"):
        experiment.evaluate(TextClassification, run)


def test_a_run_begins_with_the_encoder_of_a_run_of_language_modeling(folder, config, tmp_path):
    pretrained = RunFolder(tmp_path / "pretrained")
    shutil.copytree(folder, pretrained.hub)
    pretrained.config.write_text("training: {monitor: dev/loss}")
    _, model = prepared(config(encoder=str(pretrained)), tmp_path / "run")
    theirs = from_pretrained(folder).encoder
    tokens = {"tokens": np.array([[2, 6, 7, 8, 3]])}
    np.testing.assert_array_equal(model.encoder(tokens)["states"], theirs(tokens)["states"])


@pytest.mark.parametrize("adapted", [{"dropout": 0.1}, {"lora_rank": 2}])
def test_a_run_begins_with_the_encoder_of_another_run(config, tmp_path, adapted, trained):
    before = trained(config(learning_rate=0.1, **adapted), tmp_path / "first")
    _, model = prepared(config(encoder=str(tmp_path / "first")), tmp_path / "second")
    ours, theirs = arrays(model.encoder), arrays(before.encoder)
    kernel = "encoder_0/self_attention/query/kernel"
    if "lora_rank" in adapted:
        a, b = (theirs[kernel.replace("kernel", f"lora_kernel_{name}")] for name in "ab")
        assert np.any(b) and not np.array_equal(ours[kernel], theirs[kernel])
        np.testing.assert_allclose(ours[kernel], theirs[kernel] + a @ b, atol=1e-6)
    else:
        assert not changed(theirs, ours)
    tokens = {"tokens": np.array([[2, 6, 7, 8, 3]])}
    np.testing.assert_allclose(model.encoder(tokens)["states"], before.encoder(tokens)["states"], atol=1e-5)


def test_a_frozen_encoder_keeps_its_weights(folder, config, tmp_path, trained):
    settings = config(encoder=str(folder), frozen=True, learning_rate=0.1)
    _, start = prepared(settings, tmp_path / "run")
    before = arrays(start)
    found = changed(before, arrays(trained(settings, tmp_path / "run")))
    assert found == {"classes/kernel", "classes/bias"}


def test_lora_learns_only_its_matrices_and_the_classes(folder, config, tmp_path, trained):
    settings = config(encoder=str(folder), lora_rank=2, learning_rate=0.1, epochs=2)
    _, start = prepared(settings, tmp_path / "run")
    before = arrays(start)
    found = changed(before, arrays(trained(settings, tmp_path / "run")))
    projections = ("query", "key", "value", "attention_output")
    expected = {
        f"encoder/encoder_{block}/self_attention/{name}/lora_kernel_{matrix}"
        for block in (0, 1)
        for name in projections
        for matrix in "ab"
    }
    assert found == expected | {"classes/kernel", "classes/bias"}


def test_lower_layers_have_lower_rates(folder, config, tmp_path):
    task, model = prepared(config(encoder=str(folder), layer_decay=0.5), tmp_path / "run")
    factors = task.rate_factors(model)
    assert factors["encoder/embeddings/tokens/embeddings"] == 0.125
    assert factors["encoder/encoder_0/feed_forward_in/kernel"] == 0.25
    assert factors["encoder/encoder_1/self_attention/query/bias"] == 0.5
    assert set(arrays(model)) - set(factors) == {"classes/kernel", "classes/bias"}


def test_layers_learn_at_their_rates(folder, config, tmp_path, trained):
    def steps(name, **options):
        settings = config(encoder=str(folder), optimizer="sgd", clip_norm=0.0, batch_tokens=5000, **options)
        _, start = prepared(settings, tmp_path / name)
        before, after = arrays(start), arrays(trained(settings, tmp_path / name))
        return {path: after[path] - before[path] for path in before}

    whole, decayed = steps("whole", learning_rate=1e-2), steps("decayed", learning_rate=1e-2, layer_decay=0.5)
    for path, factor in (("classes/kernel", 1.0), ("encoder/embeddings/positions/embeddings", 0.125)):
        np.testing.assert_allclose(decayed[path], factor * whole[path], rtol=1e-2, atol=1e-6)
        assert np.any(whole[path])


def test_the_baselines_learn_from_the_same_labels(folder, config, tmp_path, capsys):
    settings = config(encoder=str(folder), labels_per_class=20)
    settings.baselines.names = ["tfidf", "from_scratch"]
    experiment.train(TextClassification, settings, tmp_path / "run", preset="tiny")
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert {"baseline/tfidf", "baseline/from_scratch"} <= set(metrics)
    printed = capsys.readouterr().out
    assert "tfidf: accuracy" in printed and "from_scratch: accuracy" in printed
    assert RunFolder(tmp_path / "run").from_scratch.test_answers.is_file()


@pytest.mark.parametrize(
    "spoil, options, message",
    [
        (shutil.rmtree, {}, "--model.encoder: .*bert: expected a folder with config.json, received one without"),
        (lambda folder: (folder / "vocab.txt").unlink(), {}, "--model.encoder: .*expected a tokeniser, one of"),
        (lambda folder: (folder / "model.safetensors").unlink(), {}, "--model.encoder: .*expected model.safetensors"),
        (
            lambda folder: (folder / "config.json").write_text('{"model_type": "t5"}'),
            {},
            "--model.encoder: config.json: expected a model_type of albert, .*; received t5",
        ),
        (
            lambda folder: (folder / "config.yaml").write_text("training: {monitor: dev/loss}"),
            {},
            "--model.encoder: .*bert: expected a run with an encoder",
        ),
        (lambda folder: None, {"max_length": 31}, "--data.max_length: expected at most 30, .*; received 31"),
    ],
)
def test_an_encoder_that_cannot_be_used_is_refused(folder, config, tmp_path, spoil, options, message):
    spoil(folder)
    with pytest.raises(UserError, match=message) as raised:
        settings = config(encoder=str(folder), **options)
        experiment.train(TextClassification, settings, tmp_path / "run", preset="tiny", typed=())
    assert "\n" not in str(raised.value) and not (tmp_path / "run").exists()


def test_the_room_of_roberta_is_less_than_its_positions(folder, config, tmp_path):
    sizes = {"num_layers": 1, "num_heads": 2, "hidden_dim": 8, "intermediate_dim": 8, "max_length": 30, "pad_token": 0}
    encoder = RobertaEncoder(len(PIECES), **sizes, name="encoder")
    encoder({"tokens": np.ones((1, 2), "int32")})
    to_pretrained(encoder, tmp_path / "roberta")
    (tmp_path / "roberta" / "vocab.txt").write_bytes((folder / "vocab.txt").read_bytes())
    (tmp_path / "roberta" / "tokenizer_config.json").write_text('{"tokenizer_class": "BertTokenizer"}')
    settings = config(encoder=str(tmp_path / "roberta"), max_length=30)
    with pytest.raises(UserError, match="--data.max_length: expected at most 29, .*; received 30"):
        experiment.train(TextClassification, settings, tmp_path / "run", preset="tiny", typed=())


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: DataSettings(labels_per_class=-1), "labels_per_class: expected at least 0, received -1"),
        (lambda: ModelSettings(lora_rank=-1), "lora_rank: expected at least 0, received -1"),
        (lambda: FineTuningSettings(layer_decay=1.5), "layer_decay: expected above 0 and at most 1, received 1.5"),
    ],
)
def test_settings_that_cannot_be_are_refused(make, message):
    with pytest.raises(UserError, match=message):
        make()
