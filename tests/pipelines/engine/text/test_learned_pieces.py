"""Vocabularies of word pieces that are learned from texts."""

import tensorflow as tf

from attention_zoo.pipelines.engine.text.learned_pieces import learn_pieces
from attention_zoo.pipelines.engine.text.wordpieces import SPECIALS, WordPieces

TEXTS = ["Café cats and cats", "the hats of the cats", "a cat, a hat!"] * 20


def test_the_same_texts_give_the_same_pieces_whatever_holds_them():
    pieces = learn_pieces(TEXTS, 40)
    assert pieces == learn_pieces(iter(TEXTS), 40) == learn_pieces([text.encode() for text in TEXTS], 40)
    assert tuple(pieces[:5]) == SPECIALS and len(set(pieces)) == len(pieces)


def test_every_character_of_the_texts_is_known_in_lower_case_without_accents():
    ids = WordPieces(learn_pieces(TEXTS, 40)).tokenize(tf.constant(TEXTS + ["catstha"]))
    assert SPECIALS.index("[UNK]") not in ids.flat_values.numpy()
    assert not any("é" in piece or piece != piece.lower() for piece in learn_pieces(TEXTS, 40)[5:])


def test_frequent_words_are_one_piece():
    pieces = learn_pieces(TEXTS, 60)
    assert {"cats", "the"} <= set(pieces)


def test_texts_without_words_give_the_special_tokens_alone():
    assert learn_pieces(["", " \u3000"], 100) == list(SPECIALS) == learn_pieces([], 100)
