"""Batches of documents keep to their budget, hold every document once, and little padding."""

import numpy as np
import pytest
import tensorflow as tf

from attention_zoo.pipelines.engine.text.batching import padding_share
from attention_zoo.pipelines.engine.text.document_batching import document_batches, sizes_of
from attention_zoo.pipelines.engine.training.survey import survey


@pytest.fixture(scope="module")
def documents():
    """500 documents; all words of a document are its number, from 1."""
    rng = np.random.default_rng(0)
    rows = [
        [[number] * rng.integers(1, 21) for _ in range(min(60, 1 + rng.geometric(0.1)))] for number in range(1, 501)
    ]
    return tf.ragged.constant(rows, dtype=tf.int32)


def numbers_in(batches):
    return [batch["documents"][:, 0, 0].numpy().tolist() for batch in batches]


def test_every_document_comes_whole_with_its_label_within_the_budget(documents):
    labels = np.arange(1, 501)
    batches = list(document_batches(documents, labels, 4000, window=200))
    for batch in batches:
        ids = batch["documents"].numpy()
        assert ids.size <= 4000 and ids.dtype == np.int32
        np.testing.assert_array_equal(ids[:, 0, 0], batch["labels"])
        for row, label in zip(ids, batch["labels"].numpy()):
            assert (row != 0).sum() == documents[label - 1].flat_values.shape[0]
    assert sorted(sum(numbers_in(batches), [])) == list(range(1, 501))


def test_another_epoch_or_seed_has_another_order_and_the_same_one_the_same(documents):
    labels = np.zeros(500, int)
    first = numbers_in(document_batches(documents, labels, 4000, seed=1, epoch=2))
    assert first == numbers_in(document_batches(documents, labels, 4000, seed=1, epoch=2))
    assert first != numbers_in(document_batches(documents, labels, 4000, seed=1, epoch=3))
    assert first != numbers_in(document_batches(documents, labels, 4000, seed=2, epoch=2))


def test_like_documents_share_a_batch_so_that_less_is_padding(documents):
    def share(dataset):
        return padding_share(dataset.map(lambda batch: {"documents": batch["documents"]}))["padding_share"]

    labels = np.zeros(500, int)
    together = share(document_batches(documents, labels, 8000))
    anyhow = share(document_batches(documents, labels, 8000, window=1))
    by_chance = share(tf.data.Dataset.from_tensor_slices(documents).ragged_batch(20).map(
        lambda rows: {"documents": rows.to_tensor()}))  # fmt: skip
    assert anyhow < together < by_chance - 0.2  # a document alone has only the padding of its short sentences


def test_labels_are_no_padding(documents):
    dataset = document_batches(documents, np.zeros(500, int), 8000)
    assert survey(dataset).tokens == int(tf.size(documents.flat_values))


def test_a_document_above_the_budget_is_a_batch_of_its_own():
    documents = tf.ragged.constant([[[1]], [[2] * 9] * 9, [[3]]], dtype=tf.int32)
    assert numbers_in(document_batches(documents, np.zeros(3), 4, shuffle=False)) == [[2], [1, 3]]


def test_sizes_are_those_of_the_longest_sentence_and_of_the_document():
    sentences, words = sizes_of(tf.ragged.constant([[[1, 2], [3]], [[4, 5, 6]]], dtype=tf.int32))
    assert sentences.tolist() == [2, 1] and words.tolist() == [2, 3]
    assert list(document_batches(tf.ragged.constant([[[1]]], dtype=tf.int32)[:0], np.zeros(0), 4)) == []
