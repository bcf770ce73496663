"""Whole words: split, counted, numbered, joined."""

import pytest
import tensorflow as tf

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.text.words import Words, learn_words, split_words


def test_sentences_split_at_spaces_and_commas():
    assert split_words("From left to right: a T-shirt, a dog's ball; Äpfel.") == [
        *("from", "left", "to", "right", "a", "t-shirt", ",", "a", "dog's", "ball", "äpfel"),
    ]


def test_the_most_frequent_words_are_kept_in_an_order_of_their_own():
    sentences = ["b a", "a c", "a b d"]
    assert learn_words(sentences, 100) == ["a", "b", "c", "d"]
    assert learn_words(reversed(sentences), 6) == ["a", "b"]


@pytest.mark.parametrize("sentences, size", [([], 10), (["..."], 10), (["a"], 4)])
def test_nothing_to_learn_is_refused(sentences, size):
    with pytest.raises(UserError, match="vocabulary_size: expected"):
        learn_words(sentences, size)


def test_what_is_numbered_is_joined_again_in_a_graph():
    words = Words(learn_words(["a dog, a cat and a key"], 20))
    ids = words.encode(["a dog, a cat", "", "and a unicorn"])
    assert [len(row) for row in ids.to_list()] == [5, 0, 3] and words.vocabulary_size == 10
    join = tf.function(words.join, input_signature=[tf.TensorSpec([None, None], tf.int32)])
    assert join(ids.to_tensor()).numpy().tolist() == [b"a dog, a cat", b"", b"and a <unk>"]
    padded = tf.constant([[2, 4, 3, 0]])  # begin, word, end, padding
    assert join(padded).numpy().tolist() == [b"a"]
    assert join(tf.zeros([0, 0], tf.int32)).shape == (0,)
    assert words.names(tf.constant([[4, 3]])).numpy().tolist() == [[b"a", b"</s>"]]
