"""Text is split into words, and sums of words into words and signs."""

import pytest
import tensorflow as tf

from attention_zoo.pipelines.word_embeddings.words import split_expressions, split_words

CASES = {
    "": [],
    " \t\n\u3000": [],
    "?!... --- ''": [],
    "\u200b\u200e\x00": [],
    "Don't 'quote' rock'n'roll'": ["don't", "quote", "rock'n'roll"],
    "It\u2019s": ["it's"],
    "CAFÉ cafe\u0301": ["café", "café"],
    "ﬁne ½ x2": ["fine", "1", "2", "x2"],
    "سلام עולם": ["سلام", "עולם"],
    "東京タワーtower": ["東", "京", "タ", "ワ", "ー", "tower"],
    "привет, Мир": ["привет", "мир"],
    "a-b_c/d": ["a", "b", "c", "d"],
    "x" * 10_000: ["x" * 10_000],
}


@pytest.mark.parametrize("text, words", CASES.items(), ids=lambda value: repr(value)[:20])
def test_words_are_runs_of_letters_marks_and_digits(text, words):
    assert [word.decode() for word in split_words(tf.constant([text])).to_list()[0]] == words


def test_invalid_bytes_are_between_words_and_rows_do_not_mix():
    rows = split_words(tf.constant([b"\xff\xfeone\xc3two", b"", b"three"])).to_list()
    assert rows == [[b"one", b"two"], [], [b"three"]]


@pytest.mark.parametrize(
    "text, words, signs",
    [
        ("king - man + woman", "king man woman", [1, -1, 1]),
        ("king -man +woman", "king man woman", [1, -1, 1]),
        ("-man king", "man king", [-1, 1]),
        ("king \u2212 man", "king man", [1, -1]),
        ("t-shirt - x-ray", "t shirt x ray", [1, 1, -1, 1]),
        ("king - - man -", "king man", [1, -1]),
        ("", "", []),
        ("- + -", "", []),
    ],
)
def test_a_minus_before_a_word_subtracts_it(text, words, signs):
    found, found_signs = split_expressions(tf.constant(["a -", text, "b"]))
    assert b" ".join(found.to_list()[1]).decode() == words
    assert found_signs.to_list()[1] == signs and found_signs.to_list()[2] == [1.0]
