"""Texts are split into sentences of words whose offsets lie in the text, whatever the text is."""

import numpy as np
import pytest
import tensorflow as tf

from attention_zoo.pipelines.engine.text.sentences import split_sentences
from attention_zoo.pipelines.engine.text.word_splitting import split_words

CASES = [
    ("It rose. It fell.", ["It rose .", "It fell ."]),
    ("Mr. Hill of the U.N. left. He ran 3.5 km.", ["Mr. Hill of the U.N. left .", "He ran 3.5 km ."]),
    ('"Go!" he said. (He left.) She too.', ['" Go ! " he said .', "( He left . )", "She too ."]),
    ('He said: "Stop." Then he left.', ['He said : " Stop . "', "Then he left ."]),
    ("Title\n\nText on\ntwo lines.\r\n\r\nMore", ["Title", "Text on two lines .", "More"]),
    ("Bad.<br /><br />really bad<br>yes", ["Bad .", "really bad", "yes"]),
    ("Really?! Yes... Maybe. no", ["Really ? !", "Yes ...", "Maybe . no"]),
    ("猫だ。犬！本", ["猫 だ 。", "犬 ！", "本"]),
    ("「猫だ。」犬", ["「 猫 だ 。 」", "犬"]),
    ("هل رأيت؟ نعم.", ["هل رأيت ؟", "نعم ."]),
    ("See www.a.de/b.c now. Or not", ["See www.a.de/b.c now .", "Or not"]),
    ("...", ["..."]),
    ("", []),
    (" \n\n \u200b\x00", []),
]


@pytest.mark.parametrize("text, expected", CASES)
def test_a_text_has_these_sentences(text, expected):
    words, starts, ends = split_sentences(tf.constant([text]), 50)
    found = [" ".join(word.decode() for word in sentence) for sentence in words.to_list()[0]]
    assert found == expected
    content = text.encode()
    for row, one, other in zip(words.flat_values.numpy(), starts.flat_values.numpy(), ends.flat_values.numpy()):
        assert content[one:other] == row


def test_a_batch_is_split_as_each_text_alone_and_loses_no_word():
    texts = [text for text, _ in CASES] + ["one two " * 300 + "three. Four", "!" * 200, "\xff"]
    for max_words in (1, 3, 50):
        together = split_sentences(tf.constant(texts), max_words)
        for row, text in enumerate(texts):
            alone = split_sentences(tf.constant([text]), max_words)
            words, starts, _ = split_words(tf.constant([text]))
            assert [part[row].to_list() for part in together] == [part[0].to_list() for part in alone]
            lengths = alone[0][0].row_lengths().numpy()
            assert not len(lengths) or 1 <= lengths.min() <= lengths.max() <= max_words
            if "<br" not in text:
                np.testing.assert_array_equal(alone[0].flat_values, words.flat_values)
                np.testing.assert_array_equal(alone[1].flat_values, starts.flat_values)


def test_long_sentences_are_cut_into_pieces_of_like_length():
    words, _, _ = split_sentences(tf.constant(["a " * 101]), 50)
    assert words[0].row_lengths().numpy().tolist() == [34, 34, 33]


def test_an_empty_batch_and_bytes_that_are_not_utf_8_are_split_too():
    split = tf.function(lambda texts: split_sentences(texts, 50)[0], input_signature=[tf.TensorSpec([None], tf.string)])
    assert split(tf.constant([], tf.string)).to_list() == []
    assert split(tf.constant([b"\xff\xfe Good. Day\xff"])).to_list() == [[[b"Good", b"."], [b"Day"]]]
