"""What question answering does besides what the end-to-end test of all tasks asks for."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.run import run as experiment
from attention_zoo.pipelines.engine.settings import EncoderSettings, TrainingSettings
from attention_zoo.pipelines.hub import from_pretrained, to_pretrained
from attention_zoo.pipelines.models import AnswerFinder, BertEncoder
from attention_zoo.pipelines.question_answering.settings import BaselineSettings, DataSettings, QuestionAnsweringConfig
from attention_zoo.pipelines.question_answering.task import QuestionAnswering
from attention_zoo.pipelines.question_answering.windows import answer_loss

PIECES = "[PAD] [UNK] [CLS] [SEP] [MASK] . , ? who went there where did they go the was to ann bob lee eva rome".split()
SIZES = {"num_layers": 1, "num_heads": 2, "hidden_dim": 8, "intermediate_dim": 8}


@pytest.fixture
def folder(tmp_path):
    """A tiny BERT that answers, with random weights, as transformers would write it."""
    keras.utils.set_random_seed(2)
    model = AnswerFinder(BertEncoder(len(PIECES), **SIZES, max_length=40, name="encoder"))
    model({"tokens": np.ones((1, 2), "int32")})
    to_pretrained(model, tmp_path / "bert")
    (tmp_path / "bert" / "vocab.txt").write_text("\n".join(PIECES) + "\n", encoding="utf-8")
    return tmp_path / "bert"


@pytest.fixture
def prepared(tiny_data, tmp_path):
    """Returns a function of settings of the model and the data to a task that is ready to train, and its model."""

    def make(encoder="", **data):
        config = QuestionAnsweringConfig(
            data=DataSettings(**tiny_data("question_answering") | data),
            model=EncoderSettings(**SIZES, dropout=0.0, encoder=encoder),
            training=TrainingSettings(epochs=1, batch_tokens=300),
            baselines=BaselineSettings(names=[]),
        )
        return experiment.prepare(QuestionAnswering, config, tmp_path / "run", typed=None, note=print)

    return make


def test_windows_hold_the_answers_at_their_places(prepared):
    task, _ = prepared(max_length=24)
    rows, columns = task.questions["train"].rows, task.columns["train"]
    answers = {row.answers[0].lower() for row in rows}
    for ids, (first, last, begin, count) in zip(columns["tokens"].to_list(), columns["places"].to_list()):
        assert begin <= first <= last < begin + count < len(ids) <= 24
        pieces = task.reader.pieces(tf.constant([one - 1 for one in ids[first : last + 1]])).numpy()
        assert " ".join(piece.decode() for piece in pieces).replace(" ##", "") in answers
    assert columns["tokens"].nrows() >= len(rows)


def test_the_loss_is_that_of_the_answer_and_training_and_serving_read_alike(prepared):
    task, model = prepared()
    batch = next(iter(task.preprocess("validation", 0)))
    total, weight, _ = task.loss(model, batch, training=False)
    logits = model(
        {"tokens": batch["tokens"][:1] - 1, "segments": batch["segments"][:1] - 1}  # the longest row: no padding
    )["logits"].numpy()[0]
    first, last, begin, count = batch["places"].numpy()[0]
    chances = np.exp(logits[begin : begin + count])
    chances /= chances.sum(0)
    alone = answer_loss(tf.constant(logits[None]), batch["places"][:1])[0]
    expected = -np.log(chances[first - begin, 0] * chances[last - begin, 1]) / 2
    assert (
        float(alone) == pytest.approx(expected, rel=1e-4) and float(total) > 0 and float(weight) == len(batch["places"])
    )
    rows = task.questions["validation"].rows
    found = task.finder(model).read(tf.constant([rows[0].question]), tf.constant([rows[0].context]))
    read = {tuple(row) for row in (found.inputs["tokens"].numpy() + 1 * found.inputs["mask"].numpy()).tolist()}
    assert read & {tuple(row) for row in task.columns["validation"]["tokens"].to_list()}


def test_a_given_encoder_keeps_its_weights_and_its_tokeniser(folder, prepared):
    task, model = prepared(encoder=str(folder))
    tokens = {"tokens": np.array([[2, 8, 9, 7, 3, 18, 9, 3]])}
    theirs = from_pretrained(folder).encoder(tokens)["states"]
    np.testing.assert_allclose(model.encoder(tokens)["states"], theirs, atol=1e-6)
    assert task.begins_with_weights and task.reader.max_tokens == 24


def test_the_baselines_are_scored_on_the_same_questions(folder, prepared, capsys):
    task, model = prepared(encoder=str(folder))
    task.config.baselines.names = ["sliding_window", "from_scratch"]
    scores = task.evaluate(model, "test")
    assert set(scores) == {"exact_match", "f1"} and 0 <= scores["exact_match"] <= scores["f1"] <= 100
    found = task.baselines()
    assert set(found) == {f"{name}_{score}" for name in ("sliding_window", "from_scratch") for score in scores}
    assert found["sliding_window_f1"] > 20
    printed = capsys.readouterr().out
    assert "sliding_window: F1 " in printed and "from_scratch: F1 " in printed


def test_what_cannot_be_is_refused_before_the_training(folder, prepared):
    with pytest.raises(UserError, match="--data.max_length: expected at most 40, the positions of .*; received 50"):
        prepared(encoder=str(folder), max_length=50)
    with pytest.raises(UserError, match="--training.label_smoothing: expected 0, since answers begin and end at one"):
        QuestionAnsweringConfig(training=TrainingSettings(label_smoothing=0.1))
    with pytest.raises(UserError, match="max_length: expected at least 8, received 5"):
        DataSettings(max_length=5)
