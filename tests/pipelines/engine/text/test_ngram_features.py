"""Hashed features of words: the n-grams of a word in Python give the same numbers, and odd words are bounded."""

import tensorflow as tf

from attention_zoo.pipelines.engine.text.ngram_features import LONGEST, ngram_features


def expected(word, buckets, largest):
    marked = ["\u0002", *word.lower()[:LONGEST], "\u0003"]
    grams = ["word " + "".join(marked)]
    for size in range(1, largest + 1):
        grams += ["".join(marked[i : i + size]) for i in range(len(marked) - size + 1)]
    return [int(n) + 1 for n in tf.strings.to_hash_bucket_fast(grams, buckets - 1)]


def test_features_are_the_words_n_grams():
    for word in ("lamp", "Élan", "거실의", "a", "👩🏽‍🚀"):
        row = ngram_features(tf.constant([word, "longer word"]), 500, 3)[0].numpy().tolist()
        features = expected(word, 500, 3)
        assert row[: len(features)] == features and not any(row[len(features) :])
        assert 0 < min(features) and max(features) < 500


def test_words_that_are_long_broken_or_missing_are_bounded():
    rows = ngram_features(tf.constant(["x" * 1_000_000, b"\xff\xfe", "", "é" * 30]), 500, 4)
    assert rows.shape[1] == 1 + sum(LONGEST + 2 - size + 1 for size in range(1, 5))
    assert not rows[2].numpy().any()
    assert rows[3].numpy().tolist() == expected("é" * 30, 500, 4)
    assert ngram_features(tf.constant([], tf.string), 500).shape[0] == 0


def test_without_ngrams_a_feature_is_the_word():
    features = ngram_features(tf.constant(["on", "ON", "off", ""]), 1000, largest=0).numpy()
    assert features.shape == (4, 1) and features[0] == features[1] != features[2] and features[3] == 0
