"""Windows stay inside their texts, and words and negatives are drawn as often as the paper says."""

import numpy as np
import pytest
import tensorflow as tf

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.models.skip_gram import pair_weights
from attention_zoo.pipelines.word_embeddings import corpus as module
from attention_zoo.pipelines.word_embeddings.corpus import (
    CENTRES,
    Corpus,
    WindowBatches,
    alias_table,
    count_words,
    number_words,
    table_of_weights,
)

WINDOW = 3


def corpus_of(lengths):
    """Texts of distinct words: word n is the n-th of all."""
    return Corpus(tf.range(sum(lengths)), np.array(lengths, "int64"), sum(lengths))


def pairs_in(batches):
    """All pairs of a centre and a context in batches."""
    pairs = []
    for batch in batches.as_numpy_iterator():
        for text, left, right in zip(batch["text"], batch["left"], batch["right"]):
            for place in range(CENTRES):
                here = place + WINDOW
                around = [*range(here - left[place], here), *range(here + 1, here + 1 + right[place])]
                pairs += [(int(text[here]), int(text[other])) for other in around]
    return pairs


def batches_of(corpus, epoch=0, shuffle=True, subsample=0.0, rows=2, counts=None):
    counts = np.ones(len(corpus.ids)) if counts is None else counts
    return WindowBatches(counts, WINDOW, subsample, shared=7, rows=rows).epoch(corpus, 5, epoch, shuffle)


@pytest.mark.parametrize("chunk", [1_000_000, 90])
@pytest.mark.parametrize("shuffle", [True, False])
def test_every_word_has_contexts_of_its_own_text_alone(monkeypatch, chunk, shuffle):
    monkeypatch.setattr(module, "CHUNK", chunk)
    lengths = [40, 1, 0, 70, 5, 128, 3]
    batches = batches_of(corpus_of(lengths), shuffle=shuffle)
    text_of = np.repeat(np.arange(len(lengths)), lengths)
    pairs = pairs_in(batches)
    assert len(set(pairs)) == len(pairs), "no pair is seen twice in an epoch"
    assert all(text_of[a] == text_of[b] and 1 <= abs(a - b) <= WINDOW for a, b in pairs)
    next_to = {(a, b) for a in range(sum(lengths)) for b in (a - 1, a + 1)}
    expected = {(a, b) for a, b in next_to if 0 <= b < sum(lengths) and text_of[a] == text_of[b]}
    assert expected <= set(pairs), "the smallest window holds the neighbours"
    assert int(batches.cardinality()) == sum(1 for _ in batches)


def test_an_epoch_is_repeated_exactly_and_the_next_one_differs():
    corpus = corpus_of([50, 60, 70])
    same = [pairs_in(batches_of(corpus, epoch=1, subsample=1e-3)) for _ in range(2)]
    assert same[0] == same[1] != pairs_in(batches_of(corpus, epoch=2, subsample=1e-3))


def test_distances_are_as_frequent_as_windows_from_one_to_the_largest_make_them():
    pairs = pairs_in(batches_of(corpus_of([20_000]), rows=64))
    distances = np.bincount([abs(a - b) for a, b in pairs])[1:] / (2 * 20_000)
    np.testing.assert_allclose(distances, [1, 2 / 3, 1 / 3], atol=0.02)


def test_frequent_words_stay_with_the_probability_of_the_papers_program():
    ids = np.random.default_rng(0).choice(3, 60_000, p=[0.9, 0.09, 0.01]).astype("int32")
    counts = np.bincount(ids).astype(float)
    corpus = Corpus(tf.constant(ids), np.array([len(ids)], "int64"), len(ids))
    rows = batches_of(corpus, subsample=0.01, rows=64, counts=counts).as_numpy_iterator()
    kept = np.concatenate([b["text"][:, WINDOW:-WINDOW][(b["left"] + b["right"]) > 0] for b in rows])
    ratio = 0.01 / (counts / counts.sum())
    np.testing.assert_allclose(np.bincount(kept) / counts, np.minimum(1, np.sqrt(ratio) + ratio), atol=0.01)


def test_negatives_have_the_power_of_three_quarters():
    counts = np.array([1000.0, 100.0, 10.0, 1.0])
    corpus = Corpus(tf.zeros([100_000], tf.int32), np.array([100_000], "int64"), 100_000)
    found = np.concatenate([b["negatives"].ravel() for b in batches_of(corpus, counts=counts).as_numpy_iterator()])
    np.testing.assert_allclose(
        np.bincount(found, minlength=4) / len(found), counts**0.75 / sum(counts**0.75), atol=0.02
    )


def test_the_alias_table_holds_the_exact_shares():
    weights = np.random.default_rng(0).pareto(1.0, 500) + 1e-3
    chance, other = alias_table(weights)
    shares = chance.astype("float64")
    np.add.at(shares, other, 1.0 - chance)
    np.testing.assert_allclose(shares / 500, weights / weights.sum(), atol=1e-6)


def test_the_table_of_weights_holds_those_of_every_window():
    rng = np.random.default_rng(0)
    left, right = rng.integers(0, WINDOW + 1, (2, 4, CENTRES))
    rows = (left * (WINDOW + 1) + right) * CENTRES + np.arange(CENTRES)
    found = table_of_weights(WINDOW, negatives=5, shared=7)[rows]
    np.testing.assert_array_equal(found, np.array(pair_weights(left, right, WINDOW, 5, 7)))


def test_words_are_counted_sorted_and_numbered():
    texts = tf.data.Dataset.from_tensor_slices(["b a b, c", "", "a B d"])
    words = count_words(texts, min_count=1, vocabulary_size=3)
    assert words == ["b", "a", "c"]
    corpus = number_words(texts, words)
    assert corpus.ids.numpy().tolist() == [0, 1, 0, 2, 1, 0] and corpus.lengths.tolist() == [4, 0, 2]
    assert corpus.read == 7
    with pytest.raises(UserError, match="--data.min_count: expected a text with words that occur 9 times"):
        count_words(texts, min_count=9, vocabulary_size=0)
