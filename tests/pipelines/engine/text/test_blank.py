import sys
import unicodedata

import pytest
import tensorflow as tf

from attention_zoo.pipelines.engine.text.blank import says_something

BLANK = ["", " ", "  \t\n\r\v\f", "\u00a0", "\u3000\u2003", "\u2028\u2029", "\u200b", "\ufeff", "\u00ad", "\x00\x01",
         "\x7f\x85", "\u202e\u2066", "\u3164", "\u2800", "\ufe0f",
         " \u200b\u00a0\u00ad ", b"\xff", b"\xff\xfe \xe9"]  # fmt: skip
CONTENT = ["a", "?", "0", ".", "猫", "😀", "\u200ba", "a\u00ad", " a ", "👨\u200d👩", "\n-\n", b"\xff a", "x" * 100_000]


@pytest.mark.parametrize("compile", [lambda function: function, tf.function], ids=["eager", "graph"])
def test_only_strings_with_content_say_something(compile):
    received = compile(says_something)(tf.constant([*BLANK, *CONTENT])).numpy().tolist()
    assert received == [False] * len(BLANK) + [True] * len(CONTENT)


def test_all_separators_controls_and_formats_of_unicode_say_nothing():
    characters = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000]
    categories = [unicodedata.category(character) for character in characters]
    answers = says_something(tf.constant(characters)).numpy()
    blank = {"Zs", "Zl", "Zp", "Cc", "Cf"}
    assert not [c for c, kind, answer in zip(characters, categories, answers) if kind in blank and answer]
    # Letters, numbers, punctuation and symbols say something, but for the few without a glyph.
    silent = {c for c, kind, answer in zip(characters, categories, answers) if kind[0] in "LNPS" and not answer}
    assert silent == set("\u115f\u1160\u2800\u3164\uffa0\ufffd")


def test_shape_is_kept():
    assert says_something(tf.zeros([0], tf.string)).shape == (0,)
    assert says_something(tf.constant([["a", ""]])).numpy().tolist() == [[True, False]]
    assert not says_something(tf.constant(""))
