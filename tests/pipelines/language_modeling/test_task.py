"""What is particular to language modeling: scores against NumPy, prompts alone and in a batch, odd prompts."""

import json
import math

import numpy as np
import pytest
import tensorflow as tf

from attention_zoo.pipelines.baselines.compression import lzma_bits, unigram_bits
from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.run.run import finished
from attention_zoo.pipelines.engine.scores.perplexity import language_scores
from attention_zoo.pipelines.engine.text.byte_pairs import BytePairs, learn_byte_pairs
from attention_zoo.pipelines.engine.text.packing import join_documents
from attention_zoo.pipelines.hub.abilities.writer import BEGIN, Writer
from attention_zoo.pipelines.language_modeling.reading import nats_of, tokenise
from attention_zoo.pipelines.language_modeling.settings import (
    DataSettings,
    GPT2Settings,
    LanguageModelingConfig,
    WritingSettings,
)
from attention_zoo.pipelines.language_modeling.task import LanguageModeling, shown
from attention_zoo.pipelines.models.gpt2 import GPT2Decoder

CONTEXT, BOS, EOS = 16, 2, 3
TEXTS = ["the cat sat on the mat\n", "the dog sat on the log", "caf\u00e9 \u6771\u4eac", "a"]
PROMPTS = ["the cat", "on", "caf\u00e9 the dog sat on the mat and the log", "\u6771"]


@pytest.fixture(scope="module")
def pairs():
    pieces, merges = learn_byte_pairs(TEXTS, 270)
    return BytePairs({piece: number + EOS + 1 for piece, number in pieces.items()}, merges)


@pytest.fixture(scope="module")
def model(pairs):
    """A small GPT-2 with random weights, large enough for sharp distributions."""
    model = GPT2Decoder(pairs.vocabulary_size, 2, 2, 8, 16, max_length=CONTEXT, dropout=0.0, attention_dropout=0.0)
    model({"tokens": tf.constant([[BOS]])})
    rng = np.random.default_rng(3)
    for variable in model.variables:
        variable.assign(rng.normal(scale=0.5, size=variable.shape))
    return model


def writer_of(model, pairs, **settings):
    writer = Writer(model, pairs, WritingSettings(**{"max_tokens": 6, **settings}), CONTEXT)
    graphs = [
        tf.function(function, input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
        for function in (writer.write, writer.attend)
    ]
    writer.write, writer.attend = graphs
    return writer


def log_probs(model, tokens):
    """Log-probabilities of the token after `tokens`, from the whole model at once."""
    logits = model({"tokens": tf.constant([tokens])}, training=False)["logits"][0, -1].numpy().astype("float64")
    return logits - np.log(np.exp(logits - logits.max()).sum()) - logits.max()


def test_perplexity_and_bits_per_byte_equal_a_computation_token_by_token(model, pairs):
    corpus = tokenise(tf.data.Dataset.from_tensor_slices(TEXTS), pairs)
    assert corpus.text_bytes == sum(len(text.encode()) for text in TEXTS)
    stream, expected = corpus.stream, 0.0
    np.testing.assert_array_equal(stream, join_documents(pairs.tokenize(tf.constant(TEXTS))))
    starts = range(0, max(1, len(stream) - CONTEXT + CONTEXT // 2), CONTEXT // 2)
    for place, token in enumerate(stream):
        start = next(start for start in starts if place < start + CONTEXT)  # the first window that has it
        before = stream[start:place].tolist()
        own = before[len(before) - before[::-1].index(EOS) :] if EOS in before else before
        expected -= log_probs(model, [BOS, *own])[token]
    nats, count = nats_of(model, stream, CONTEXT)
    assert count == len(stream)
    np.testing.assert_allclose(nats, expected, rtol=1e-5)
    scores = language_scores(nats, count, corpus.text_bytes)
    assert scores["perplexity"] == pytest.approx(math.exp(expected / len(stream)), rel=1e-4)
    assert scores["bits_per_byte"] == pytest.approx(expected / math.log(2) / corpus.text_bytes, rel=1e-4)


def test_greedy_writing_takes_the_likeliest_token_of_the_whole_model(model, pairs):
    answers = writer_of(model, pairs, temperature=0.0).write(tf.constant(PROMPTS))
    for prompt, completion, count in zip(PROMPTS, answers["completion"].numpy(), answers["tokens_written"].numpy()):
        tokens = [BOS, *pairs.tokenize(tf.constant([prompt])).to_list()[0][-(CONTEXT - 7) :]]
        written = []
        while len(written) < 6 and (token := EOS + int(log_probs(model, tokens + written)[EOS:].argmax())) != EOS:
            written.append(token)
        text = pairs.detokenize(tf.constant([written], tf.int32)).numpy()[0] if written else b""
        assert (completion, count) == (text.decode("utf-8", "ignore").encode(), len(written))


@pytest.mark.parametrize(
    "settings", [{"temperature": 0.0}, {}, {"temperature": 1.5, "top_k": 20, "repetition_penalty": 1.3, "seed": 4}]
)
def test_a_prompt_is_continued_alike_alone_and_in_a_batch(model, pairs, settings):
    writer = writer_of(model, pairs, **settings)
    together = writer.write(tf.constant([*PROMPTS, "", "the cat"]))
    for row, prompt in enumerate(PROMPTS):
        alone = writer.write(tf.constant([prompt]))
        for name in ("completion", "completed", "tokens_written", "truncated", "error"):
            assert alone[name].numpy()[0] == together[name].numpy()[row], name
        np.testing.assert_allclose(alone["score"][0], together["score"][row], rtol=1e-4, atol=1e-5)
    assert together["completion"].numpy()[0] == together["completion"].numpy()[-1]


def test_another_seed_draws_another_continuation(model, pairs):
    first, second = (writer_of(model, pairs, temperature=2.0, top_p=1.0, seed=seed) for seed in (1, 2))
    answers = [writer.write(tf.constant(PROMPTS))["completion"].numpy().tolist() for writer in (first, second)]
    assert answers[0] != answers[1]


def test_a_long_prompt_is_cut_from_the_left_and_says_so(model, pairs):
    writer = writer_of(model, pairs, temperature=0.0)
    end = b"\x00the dog sat"
    tokens = pairs.tokenize(tf.constant([end])).to_list()[0]
    assert len(tokens) < writer.room
    padding = "".join(chr(number) for number in range(1, 40)).encode()
    long = padding + end
    answer = writer.write(tf.constant([long, end]))
    kept, _ = writer.read(tf.constant([long]))
    assert kept.to_list()[0] == [BOS, *pairs.tokenize(tf.constant([long])).to_list()[0][-writer.room :]]
    assert answer["truncated"].numpy().tolist() == [True, False]
    (said,) = LanguageModeling.ask(Served(writer), [long.decode()])
    assert said["note"].startswith("only the end was read of: ")


class Served:
    def __init__(self, writer):
        self.signatures = {"serving_default": writer.write, "attention": writer.attend}


@pytest.mark.parametrize("prompt", [b"", b" \n\t", "\u200b".encode(), b"\xff\xfe"])
def test_a_prompt_that_says_nothing_gets_nothing(model, pairs, prompt):
    answer = writer_of(model, pairs).attend(tf.constant([prompt, b"the"]))
    assert answer["completion"].numpy()[0] == answer["completed"].numpy()[0] == answer["error"].numpy()[0] == b""
    assert answer["token_counts"].numpy()[0] == 0 and not answer["attention"][0].numpy().any()
    assert answer["token_counts"].numpy()[1] > 1


def test_bytes_that_are_not_utf8_are_read_and_shown_as_replaced(model, pairs):
    answer = writer_of(model, pairs).write(tf.constant([b"the \xff cat"]))
    text = answer["completed"].numpy()[0].decode()
    assert text.startswith("the \ufffd cat") and answer["error"].numpy()[0] == b""


def test_writing_stops_at_a_string_which_is_not_part_of_the_answer(model, pairs):
    free = writer_of(model, pairs, temperature=0.0).write(tf.constant(PROMPTS))
    whole = free["completion"].numpy()[0].decode()
    stop = whole[2:4]
    stopped = writer_of(model, pairs, temperature=0.0, stop=["never.*", stop]).write(tf.constant(PROMPTS))
    assert stopped["completion"].numpy()[0].decode() == whole[: whole.index(stop)]
    assert stopped["tokens_written"].numpy()[0] <= free["tokens_written"].numpy()[0]


def test_attention_is_that_of_the_model_on_prompt_and_continuation(model, pairs):
    writer = writer_of(model, pairs, temperature=0.0)
    answer = {name: value.numpy() for name, value in writer.attend(tf.constant(PROMPTS)).items()}
    for row, prompt in enumerate(PROMPTS):
        count = answer["token_counts"][row]
        pieces = answer["tokens"][row][:count]
        assert pieces[0] == BEGIN.encode() and not answer["tokens"][row][count:].any()
        assert b"".join(pieces[1:]).decode("utf-8", "ignore").endswith(answer["completion"][row].decode())
        weights = answer["attention"][row][:, :, :count, :count]
        np.testing.assert_allclose(weights.sum(-1), 1.0, atol=1e-5)
        assert not np.triu(weights, 1).any() and not answer["attention"][row][:, :, count:].any()
    (said,) = LanguageModeling.ask(Served(writer), [PROMPTS[0]], attention=True)
    assert said["completion"] == answer["completion"][0].decode()
    assert LanguageModeling.view(said).weights.shape[0] == 2 and LanguageModeling.view(said).names[1] == "layer 2"
    heads = LanguageModeling.view_heads(said)
    assert heads.weights.shape[:2] == LanguageModeling.view_page(said).weights.shape[:2] == (2, 2)
    assert heads.alignment.weights.shape[0] == 4 and heads.alignment.names[2] == "layer 2, head 1"


def test_an_answer_is_said_in_one_line_and_its_tokens_have_none():
    answer = {"completed": "ROMEO.\nO, she doth\n\nteach", "tokens": [b"a", "\n"]}
    assert LanguageModeling.say(answer) == "ROMEO. / O, she doth / teach"
    assert shown(answer)["tokens"][1] == "\\n"


def test_baselines_are_what_a_direct_computation_gives():
    train, test = np.array([5, 5, 6]), np.array([5, 7, 7])
    shares = {5: 3 / 11, 6: 2 / 11, 7: 1 / 11}
    assert unigram_bits(train, test, 8) == pytest.approx(-sum(np.log2(shares[token]) for token in test))
    noise = np.random.default_rng(0).integers(0, 256, 2000, "uint8").tobytes()  # which nothing makes shorter
    assert 8 * 1990 < lzma_bits(b"", noise) < 8 * 2100 and 0 < lzma_bits(noise, noise) < 8 * 100


def test_the_run_keeps_its_byte_pairs_and_scores_what_it_wrote(finished_run):
    run = finished_run("language_modeling").run
    pieces = json.loads((run / "byte_pairs.json").read_text(encoding="utf-8"))
    merges = (run / "byte_merges.txt").read_text(encoding="utf-8").splitlines()
    assert min(pieces.values()) == EOS + 1 and len(pieces) == 290 and len(merges) == 290 - 256
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["test/bits_per_byte"] < 0.8 * metrics["baseline/unigram"]


def test_the_exported_model_writes_what_the_run_writes(finished_run, session_run, monkeypatch):
    one = finished_run("language_modeling")
    monkeypatch.chdir(one.directory)
    task, model = finished(LanguageModeling, one.run)
    here = task.objective.writer(model).write(tf.constant(["one un two", "cat"]))["completed"].numpy().tolist()
    assert session_run(one.version, "serving_default", {"text": ["one un two", "cat"]})["completed"].tolist() == here


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: DataSettings(vocabulary_size=99), "vocabulary_size: expected at least 256, one a byte, received 99"),
        (lambda: WritingSettings(max_tokens=0), "max_tokens: expected at least 1, received 0"),
        (lambda: WritingSettings(stop=[""]), "stop: expected no empty strings"),
        (lambda: GPT2Settings(context=2), "context: expected at least 3, received 2"),
        (
            lambda: LanguageModelingConfig(decoding=WritingSettings(max_tokens=127)),
            "decoding.max_tokens: expected at most 126, two less than --model.context, received 127",
        ),
    ],
)
def test_settings_that_cannot_be_are_named(make, message):
    with pytest.raises(UserError, match=message):
        make()


def test_a_batch_smaller_than_a_row_is_refused(tmp_path):
    task = LanguageModeling(LanguageModelingConfig(), tmp_path)
    task.config.training.batch_tokens = 100
    with pytest.raises(
        UserError, match="--training.batch_tokens: expected at least --model.context, 128; received 100"
    ):
        task.preprocess("train", 0)
