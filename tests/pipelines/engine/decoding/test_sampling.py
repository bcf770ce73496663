"""What a language model needs of decoding: its own end token, penalties, strings to stop at, draws of each row."""

import numpy as np
import pytest
import tensorflow as tf

from attention_zoo.pipelines.engine.decoding.search import decode
from attention_zoo.pipelines.engine.decoding.settings import DecodingSettings
from attention_zoo.pipelines.engine.decoding.steps import Ends
from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.text.row_draws import draws_of_rows

SIZE, END = 6, 4
TABLE = np.random.default_rng(0).normal(size=(SIZE, SIZE)).astype("float32")
PROMPTS = [[0, 1, 2], [5, 0, 0], [3, 3, 0]]
LENGTHS = np.array([3, 1, 2])


class Bigrams:
    """The logits of the next token are a row of a table; every id is a token that may be written."""

    def __init__(self, table=TABLE):
        self.table = tf.constant(table)

    def encode(self, inputs, training=False):
        lengths = tf.reduce_sum(tf.cast(inputs["mask"], tf.int32), axis=1)
        return {"last": tf.gather(inputs["tokens"], lengths - 1, batch_dims=1), "lengths": lengths}

    def start(self, memory):
        return {"written": tf.zeros_like(memory["lengths"])}

    def step(self, token, state, memory):
        beams = tf.shape(token)[0] // tf.maximum(tf.shape(memory["last"])[0], 1)
        last = tf.repeat(memory["last"], beams, axis=0)
        token = tf.where(state["written"] == 0, last, token)
        return tf.gather(self.table, token), {"written": state["written"] + 1}, {}

    def alignment(self, scores):
        return None


def inputs_of(rows):
    return {"tokens": tf.constant(PROMPTS)[rows], "mask": tf.sequence_mask(LENGTHS, 3)[rows]}


def run(settings, limits=(7, 7, 7), rows=slice(None), table=TABLE, **options):
    limits = tf.constant(limits, tf.int32)[rows]
    found = decode(Bigrams(table), inputs_of(rows), settings, limits, ends=Ends(END, END, 0), **options)
    return [
        tokens[0][: length[0]].tolist() for tokens, length in zip(found["tokens"].numpy(), found["lengths"].numpy())
    ]


def greedy(prompt, limit, penalty=1.0, table=TABLE):
    """The same in NumPy."""
    tokens = list(prompt)
    while len(tokens) - len(prompt) < limit:
        logits = table[tokens[-1]].astype("float64").copy()
        for token in set(tokens):
            logits[token] = logits[token] / penalty if logits[token] > 0 else logits[token] * penalty
        if (token := int(logits.argmax())) == END:
            break
        tokens.append(token)
    return tokens[len(prompt) :]


@pytest.mark.parametrize("penalty", [1.0, 1.3, 4.0])
@pytest.mark.parametrize("seed", range(4))
def test_greedy_with_a_penalty_and_any_end_token_equals_numpy(penalty, seed):
    table = np.random.default_rng(seed).normal(size=(SIZE, SIZE)).astype("float32")
    found = run(DecodingSettings(repetition_penalty=penalty), table=table)
    expected = [greedy(prompt[:length], 7, penalty, table) for prompt, length in zip(PROMPTS, LENGTHS)]
    assert found == expected


def test_token_0_is_written_and_counted_where_it_is_no_padding():
    table = np.full((SIZE, SIZE), -5.0, "float32")
    table[:, 0] = 5.0
    assert run(DecodingSettings(), (3, 1, 0), table=table) == [[0] * 3, [0], []]


def test_beams_of_a_vocabulary_without_special_tokens_find_the_best_of_all():
    settings = DecodingSettings(beam_size=40, n_best=1, length_penalty=0.0)
    found = run(settings, (2, 2, 2))
    logs = TABLE - np.log(np.exp(TABLE).sum(1, keepdims=True))
    for row, (prompt, length) in enumerate(zip(PROMPTS, LENGTHS)):
        last, words = prompt[length - 1], [word for word in range(SIZE) if word != END]
        scores = {(): logs[last, END]}
        scores |= {(a,): logs[last, a] + logs[a, END] for a in words}
        scores |= {(a, b): logs[last, a] + logs[a, b] + logs[b, END] for a in words for b in words}
        assert tuple(found[row]) == max(scores, key=scores.get)


@pytest.mark.parametrize("options", [{}, {"top_k": 3}, {"top_p": 0.8}, {"top_k": 4, "top_p": 0.9}])
def test_a_row_is_drawn_alike_alone_and_in_any_batch(options):
    settings = DecodingSettings(temperature=1.0, seed=5, **options)
    numbers = tf.constant([11, 22, 33], tf.int64)
    together = run(settings, rows=slice(None)), run(settings, (3, 7, 5))
    assert together[0] != [[], [], []]
    together = [
        decode(Bigrams(), inputs_of(slice(None)), settings, [7, 7, 7], Ends(END, END, 0), numbers)["tokens"].numpy()
    ][0]
    for row in range(3):
        one = slice(row, row + 1)
        alone = decode(Bigrams(), inputs_of(one), settings, [7], Ends(END, END, 0), numbers[one])["tokens"].numpy()
        width = alone.shape[-1]
        np.testing.assert_array_equal(together[row, 0, :width], alone[0, 0])
        assert not together[row, 0, width:].any()


def test_draws_depend_on_seed_and_row_and_fewer_are_the_first_of_more():
    rows = tf.constant([3, 9, 3], tf.int64)
    many, few = (draws_of_rows(1, rows, tf.constant(count)).numpy() for count in (300, 7))
    np.testing.assert_array_equal(many[:, :7], few)
    np.testing.assert_array_equal(many[0], many[2])
    assert abs(many[0] - many[1]).max() > 0.1 and 0 <= many.min() and many.max() < 1
    assert abs(many - draws_of_rows(2, rows, tf.constant(300)).numpy()).max() > 0.1
    assert draws_of_rows(1, rows[:0], tf.constant(4)).shape[0] == 0


def test_writing_stops_when_the_caller_says_so_and_other_rows_go_on():
    table = np.full((SIZE, SIZE), -9.0, "float32")
    table[[0, 1, 2, 3, 5], [1, 2, 3, 5, 0]] = 9.0  # 0 1 2 3 5 0 1 ...
    found = run(DecodingSettings(), table=table, stopped=lambda tokens: tf.reduce_any(tokens[:, -2:] == 5, axis=1))
    assert found == [[3, 5], [0, 1, 2, 3, 5], [5]]
    with pytest.raises(ValueError, match="stopped"):
        run(DecodingSettings(beam_size=2), stopped=lambda tokens: tokens[:, 0] > 0)


@pytest.mark.parametrize("options", [{"repetition_penalty": 0.0}, {"repetition_penalty": 1.2, "beam_size": 2}])
def test_a_penalty_that_cannot_be_is_refused(options):
    with pytest.raises(UserError, match="repetition_penalty: expected 1, or above 0 if beam_size is 1, received"):
        DecodingSettings(**options)
