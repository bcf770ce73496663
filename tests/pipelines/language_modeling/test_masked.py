"""Models of hidden tokens: masks by epoch, scores against NumPy, the folder for the Hub, the served answers."""

import json
import random

import keras
import numpy as np
import pytest
import tensorflow as tf

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.run import run as experiment
from attention_zoo.pipelines.engine.run.config import read
from attention_zoo.pipelines.engine.serving.versions import load_saved_model
from attention_zoo.pipelines.engine.text.masking import CHOSEN
from attention_zoo.pipelines.engine.text.wordpieces import SPECIALS
from attention_zoo.pipelines.hub.pretrained import from_pretrained
from attention_zoo.pipelines.language_modeling.masked import CONTINUES
from attention_zoo.pipelines.language_modeling.permuted import LastInOrder
from attention_zoo.pipelines.language_modeling.settings import LanguageModelingConfig
from attention_zoo.pipelines.language_modeling.task import LanguageModeling

WORDS = {"one": "uno", "two": "dos", "red": "rojo", "green": "verde", "cat": "gato", "dog": "perro"}
NAMES = ("bert", "roberta", "albert", "xlnet")
SIZES = {"context": 16, "num_layers": 2, "num_heads": 2, "hidden_dim": 16, "intermediate_dim": 32}


@pytest.fixture(autouse=True)
def precision():
    yield
    keras.config.set_dtype_policy("float32")


@pytest.fixture(scope="module")
def verses(tmp_path_factory):
    rng = random.Random(0)
    lines = [" ".join(f"{word} {WORDS[word]}" for word in rng.choices(list(WORDS), k=4)) for _ in range(240)]
    (path := tmp_path_factory.mktemp("verses") / "verses.txt").write_text("\n".join(dict.fromkeys(lines)))
    return str(path)


def config_of(verses, folder, name, **model):
    training = {}
    if name == "xlnet":  # a step predicts fewer tokens
        model, training = {"num_layers": 1} | model, {"epochs": 12, "learning_rate": 0.02}
    content = {
        "data": {"files": [verses], "vocabulary_size": 300},
        "model": {"name": name, **SIZES, **model},
        "training": {"epochs": 6, "batch_tokens": 256, "learning_rate": 0.02, "optimizer": "adamw"} | training,
        "export": {"directory": str(folder / "saved_models")},
    }
    (path := folder / "settings.yaml").write_text(json.dumps(content))
    return read(LanguageModelingConfig, path)


def prepared(verses, folder, name, **model):
    task = LanguageModeling(config_of(verses, folder, name, **model), folder)
    task.load()
    task.adapt()
    return task


@pytest.fixture(scope="module", params=NAMES)
def trained(request, verses, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    metrics = experiment.train(LanguageModeling, config_of(verses, folder, request.param), folder / "run", "tiny")
    return request.param, folder, metrics


def rows_of(task, split, epoch):
    """The rows of an epoch: tokens before masking, and after it those that were chosen, the others as -1."""
    found = []
    for batch in task.preprocess(split, epoch).as_numpy_iterator():
        for labels, tokens, roles in zip(batch["labels"], batch["tokens"], batch["roles"]):
            found.append((tuple(labels[labels > 0]), tuple(np.where(roles == CHOSEN, tokens, -1)[labels > 0])))
    return sorted(found)


def test_static_masks_take_turns_and_dynamic_ones_are_new_each_epoch(verses, tmp_path):
    static = prepared(verses, tmp_path, "bert", masks=2)
    rows = [rows_of(static, "train", epoch) for epoch in range(3)]
    assert rows[0] == rows[2] and rows[0] != rows[1]
    assert [row for row, _ in rows[0]] != [row for row, _ in rows[1]]  # other pairs
    assert rows_of(static, "validation", 0) == rows_of(static, "validation", 1)
    dynamic = prepared(verses, tmp_path, "roberta")
    rows = [rows_of(dynamic, "train", epoch) for epoch in range(3)]
    assert rows[0] != rows[1] != rows[2] != rows[0]
    assert [row for row, _ in rows[0]] == [row for row, _ in rows[1]]
    assert rows_of(dynamic, "train", 1) == rows[1]


def test_albert_chooses_whole_words(verses, tmp_path):
    task = prepared(verses, tmp_path, "albert")
    pieces = (tmp_path / "word_pieces.txt").read_text().split("\n")
    for labels, tokens in rows_of(task, "train", 0):
        for place in range(1, len(labels)):
            if pieces[labels[place]].startswith(CONTINUES):
                assert (tokens[place] == -1) == (tokens[place - 1] == -1)


@pytest.mark.parametrize("pairs", ["none", "nsp"])
def test_scores_equal_a_computation_row_by_row(verses, tmp_path, pairs):
    task = prepared(verses, tmp_path, "bert", pairs=pairs)
    model = task.build()
    for weights in model.trainable_weights:
        weights.assign_add(np.random.default_rng(1).normal(0, 0.2, weights.shape))
    nats, right, count, right_pairs, pair_nats = 0.0, 0, 0, [], []
    for batch in task.objective.batches("validation", 16, seed=1, epoch=0).as_numpy_iterator():
        for number, (tokens, labels, roles) in enumerate(zip(batch["tokens"], batch["labels"], batch["roles"])):
            kept = labels > 0
            segments = batch["segments"][number] if "segments" in batch else np.zeros_like(tokens)
            outputs = model({"tokens": tokens[kept][None], "segments": segments[kept][None]})
            logits = outputs["logits"].numpy()[0].astype("float64")
            for scores, label, role in zip(logits, labels[kept], roles[kept]):
                if role == CHOSEN:
                    nats += np.log(np.exp(scores).sum()) - scores[label]
                    right, count = right + (scores.argmax() == label), count + 1
            if pairs != "none":
                scores, changed = outputs["pair_logits"].numpy()[0].astype("float64"), batch["changed"][number]
                right_pairs.append(scores.argmax() == changed)
                pair_nats.append(np.log(np.exp(scores).sum()) - scores[changed])
    found = task.evaluate(model, "validation")
    assert found["perplexity"] == pytest.approx(np.exp(nats / count), rel=1e-4)
    assert found["mlm_accuracy"] == pytest.approx(100 * right / count)
    assert set(found) == {"perplexity", "mlm_accuracy"} | ({f"{pairs}_accuracy"} if right_pairs else set())
    if right_pairs:
        assert found[f"{pairs}_accuracy"] == pytest.approx(100 * np.mean(right_pairs))
        (batch,) = task.objective.batches("validation", 1000, seed=1, epoch=0)
        loss, tokens, _ = task.loss(model, batch, training=False)
        assert float(loss / tokens) == pytest.approx(nats / count + np.mean(pair_nats), rel=1e-4)


def test_nsp_needs_a_second_text(tmp_path):
    (path := tmp_path / "verses.txt").write_text("one uno two dos")
    files = {"files": [str(path)], "dev": [str(path)], "test": [str(path)]}
    config = config_of(str(path), tmp_path, "bert")
    config.data.__dict__ |= files
    task = LanguageModeling(config, tmp_path)
    task.load()
    with pytest.raises(UserError, match="--model.pairs: expected two texts or more in the split train .*received 1"):
        task.adapt()


def pairs_of_rows(batches):
    """The rows of batches by their numbers: both segments, what sees what, and the targets."""
    found = {}
    for batch in batches.as_numpy_iterator():
        names = ("numbers", "tokens", "segments", "permutation_mask", "targets", "weights")
        for number, tokens, segments, mask, targets, weights in zip(*(batch[name] for name in names)):
            size = (tokens > 0).sum()
            pair = tokens[: size - segments.sum()].tolist(), tokens[size - segments.sum() : size].tolist()
            found[int(number)] = *pair, mask[:size, :size].tolist(), targets[weights > 0].tolist()
    return found


def test_pairs_and_orders_of_xlnet_belong_to_the_row_and_the_epoch(verses, tmp_path):
    task = prepared(verses, tmp_path, "xlnet")
    rows, again, other = (pairs_of_rows(task.objective.batches("train", *more)) for more in
                          ((16, 1, 0), (3, 1, 0), (16, 1, 1)))  # fmt: skip
    assert rows == again and rows != other and rows.keys() == other.keys()
    bare = task.objective.rows["train"][:, 1:-1].to_list()
    halves = [([2, *row[: -(-len(row) // 2)], 3], [*row[-(-len(row) // 2) :], 3]) for row in bare]
    assert [rows[number][0] for number in range(len(rows))] == [first for first, _ in halves]
    seconds = [rows[number][1] for number in range(len(rows))]
    assert 0.4 < np.mean([found == own for found, (_, own) in zip(seconds, halves)]) < 0.7
    assert all(second in [own for _, own in halves] for second in seconds)
    for first, second, seen, targets in rows.values():
        tokens, seen = np.array(first + second), np.array(seen)
        assert len(targets) <= -(-len(tokens) // 6) and (tokens[targets] >= len(SPECIALS)).all()
        others = np.setdiff1d(np.arange(len(tokens)), targets)
        assert seen[:, others].all() and not seen[np.ix_(others, targets)].any()
        among = seen[np.ix_(targets, targets)]  # a target sees those before it, in one order of all
        assert sorted(among.sum(axis=1)) == list(range(len(targets)))
    shares = [len(targets) / (len(first) + len(second)) for first, second, _, targets in rows.values()]
    assert 0.08 < np.mean(shares) < 0.2


def test_the_loss_of_xlnet_equals_a_computation_target_by_target(verses, tmp_path):
    task = prepared(verses, tmp_path, "xlnet")
    model = task.build()
    for weights in model.trainable_weights:
        weights.assign_add(np.random.default_rng(1).normal(0, 0.2, weights.shape))
    nats, right, count = 0.0, 0, 0
    for first, second, seen, targets in pairs_of_rows(task.objective.batches("validation", 16, 1, 0)).values():
        tokens, order = np.array([first + second]), np.array([seen])
        segments = np.array([[0] * len(first) + [1] * len(second)])
        for place in targets:
            # A target that saw its own token would notice that it is another one.
            inputs = {"tokens": tokens.copy(), "segments": segments, "permutation_mask": order}
            inputs["tokens"][0, place] = SPECIALS.index("[MASK]")
            scores = model(inputs | {"targets": np.array([[place]])})["logits"].numpy()[0, 0].astype("float64")
            nats += np.log(np.exp(scores).sum()) - scores[tokens[0, place]]
            right, count = right + (scores.argmax() == tokens[0, place]), count + 1
    found = task.evaluate(model, "validation")
    assert found["perplexity"] == pytest.approx(np.exp(nats / count), rel=1e-4)
    assert found["plm_accuracy"] == pytest.approx(100 * right / count)


def test_a_run_learns_and_leaves_a_folder_that_gives_the_same_answers(trained, capsys):
    name, folder, metrics = trained
    assert metrics["test/perplexity"] < metrics["baseline/unigram_perplexity"]
    shares = {"bert": {"test/nsp_accuracy"}, "albert": {"test/sop_accuracy"}}
    assert {name for name in metrics if name.endswith(("nsp_accuracy", "sop_accuracy"))} == shares.get(name, set())
    model = from_pretrained(folder / "run" / "hub")
    assert "not used" not in capsys.readouterr().out
    served = load_saved_model(folder / "saved_models" / "language_modeling", "completed")
    text = tf.constant(["one uno two [MASK] red rojo"])
    inputs = model.tokenizer(text)
    predict = LastInOrder(model) if name == "xlnet" else model
    shares = tf.nn.softmax(predict(inputs)["logits"])[0].numpy()
    place = int(np.argmax(inputs["tokens"][0] == SPECIALS.index("[MASK]")))
    answer = served.signatures["serving_default"](text=text)
    np.testing.assert_allclose(
        answer["probabilities"].numpy()[0, 0], -np.sort(-shares[place])[:5], rtol=1e-3, atol=1e-5
    )
    if name == "xlnet":
        assert model.options["text_token"] == "first"  # "[CLS]"
    else:
        assert model.encoder.options["max_length"] == 16 + (name == "roberta")


def test_an_answer_is_said_and_drawn(trained):
    name, folder, _ = trained
    served = load_saved_model(folder / "saved_models" / "language_modeling", "completed")
    texts = ["one uno two [MASK] red [MASK]", "one uno", "", "[MASK] " + "one " * 50]
    first, none, empty, long = LanguageModeling.ask(served, texts, attention=True)
    assert first["counts"] == 2 and len(LanguageModeling.say(first).splitlines()) == 2
    words = first["completed"].split()
    assert words[:3] == ["one", "uno", "two"] and "[MASK]" not in words and "[CLS]" not in words
    assert none["error"] == "expected a text with [MASK], received none" and empty["error"] == ""
    assert long["note"].startswith("only the beginning was read") and long["counts"] == 1
    assert LanguageModeling.view(first).weights.shape[0] == (1 if name == "xlnet" else 2)
