"""Words and their offsets: the text between two offsets is the word, whatever the script."""

import pytest
import tensorflow as tf

from attention_zoo.pipelines.engine.text.word_splitting import code_point_offsets, split_words

CASES = {
    "composed accents": ("José's café.", ["José", "'s", "café", "."]),
    "decomposed accents": ("Jose\u0301 a cafe\u0301.", ["Jose\u0301", "a", "cafe\u0301", "."]),
    "Chinese and Japanese": ("EU在東京、アメリー。", ["EU", *"在東京、アメリー。"]),
    "Hangul": ("김철수는 서울에서 왔다.", ["김철수는", "서울에서", "왔다", "."]),
    "Thai": ("สวัสดี", ["ส", "วั", "ส", "ดี"]),
    "right to left": ("שלום, עולם! مرحبا", ["שלום", ",", "עולם", "!", "مرحبا"]),
    "a joiner inside a word": ("می\u200cخواهم", ["می\u200cخواهم"]),
    "emoji": ("👩🏽\u200d🚀 ❤\ufe0f👍🏿🇩🇪🇫🇷", ["👩🏽\u200d🚀", "❤\ufe0f", "👍🏿", "🇩🇪", "🇫🇷"]),
    "line ends": ("one\r\ntwo\r\n", ["one", "two"]),
    "zero width": ("a\u200bb \u200b\u200b \ufeffc", ["a", "b", "c"]),
    "nothing": ("", []),
    "controls alone": ("\x00\x01 \t", []),
    "contractions": ("don't O'Brien’s they've", ["do", "n't", "O'Brien", "’s", "they", "'ve"]),
    "contractions apart": ("do n't Peter 's", ["do", "n't", "Peter", "'s"]),
    "abbreviations": (
        "U.S.-led U.N. Mr. J. Smith, lamb.",
        ["U.S.-led", "U.N.", "Mr.", "J.", "Smith", ",", "lamb", "."],
    ),
    "numbers": ("1996-08-22 10,000.5 3/4 50% US$5", ["1996-08-22", "10,000.5", "3/4", "50", "%", "US$", "5"]),
    "marks": ('"Hm..." -- (AT&T)', ['"', "Hm", "...", '"', "--", "(", "AT&T", ")"]),
    "addresses": ("ask a.b@c.com, www.c.com/d", ["ask", "a.b@c.com", ",", "www.c.com/d"]),
}


@pytest.mark.parametrize("name", CASES)
def test_offsets_of_bytes_and_of_code_points_cut_the_words_out(name):
    text, expected = CASES[name]
    texts = tf.constant(["a longer text before it, in the same batch", text])
    words, starts, ends = split_words(texts)
    assert [word.decode() for word in words[1].numpy()] == expected
    data = text.encode()
    assert [data[a:b].decode() for a, b in zip(starts.to_list()[1], ends.to_list()[1])] == expected
    first, last = (code_point_offsets(texts, offsets).to_list()[1] for offsets in (starts, ends))
    assert [text[a:b] for a, b in zip(first, last)] == expected


@pytest.mark.parametrize("data", [b"caf\xe9 Rome", b"\xff\xfe Rome", b"Rome \xf0\x9f\x98", b"\xe6\x9d Rome \xe6"])
def test_bytes_that_are_not_utf8_are_in_no_word_and_shift_no_offset(data):
    words, starts, ends = split_words(tf.constant([data]))
    assert [data[a:b] for a, b in zip(starts.to_list()[0], ends.to_list()[0])] == words.to_list()[0]
    assert b"Rome" in words.to_list()[0]
    first, last = (code_point_offsets(tf.constant([data]), offsets).to_list()[0] for offsets in (starts, ends))
    read = data.decode("utf-8", "replace")
    assert [read[a:b] for a, b in zip(first, last)] == [word.decode() for word in words.to_list()[0]]


@pytest.mark.parametrize(
    ("data", "count"), [(b"x" * 10**6, 1), (b"a-" * 10**4, 2), (b"\xff" * 10**5, 0), (b"'" * 999, 999)]
)
def test_long_lines_without_spaces_are_split(data, count):
    words, starts, ends = split_words(tf.constant([data]))
    assert words.flat_values.shape == starts.flat_values.shape == ends.flat_values.shape == [count]


def test_an_empty_batch_has_no_words():
    texts = tf.constant([], tf.string)
    words, starts, _ = split_words(texts)
    assert words.shape == [0, None]
    assert code_point_offsets(texts, starts).shape == [0, None]


def test_a_compiled_function_splits_as_a_direct_call_does():
    texts = tf.constant([text for text, _ in CASES.values()])
    compiled = tf.function(split_words, input_signature=[tf.TensorSpec([None], tf.string)])
    for direct, traced in zip(split_words(texts), compiled(texts)):
        assert direct.to_list() == traced.to_list()
