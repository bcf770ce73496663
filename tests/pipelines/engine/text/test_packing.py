"""Packed rows hold each token once as a label, read what comes before it, and do not look across documents."""

import numpy as np
import pytest
import tensorflow as tf

from attention_zoo.pipelines.engine.text.packing import join_documents, overlapping_windows, packed_batches, shifted

BOS, EOS = 2, 3


def documents(count, seed=0):
    """Documents of distinct tokens: the tokens of document n are n * 100 and the ones that follow."""
    rng = np.random.default_rng(seed)
    return [list(range(100 * n, 100 * n + int(rng.integers(1, 30)))) for n in range(1, count + 1)]


def rows_of(batches):
    batches = list(batches.as_numpy_iterator())
    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}


@pytest.mark.parametrize("shuffle, epoch", [(False, 0), (True, 0), (True, 3)])
def test_every_token_and_every_end_is_a_label_once(shuffle, epoch):
    texts = documents(17)
    stream = join_documents(tf.ragged.constant(texts))
    rows = rows_of(packed_batches(stream, 16, 4, seed=1, epoch=epoch, shuffle=shuffle))
    labels = rows["labels"][rows["labels"] > 0]
    assert sorted(labels.tolist()) == sorted(sum(texts, []) + [EOS] * 17)


@pytest.mark.parametrize("shuffle", [False, True])
def test_a_label_is_predicted_from_its_own_document_alone(shuffle):
    rows = rows_of(packed_batches(join_documents(tf.ragged.constant(documents(17))), 16, 4, shuffle=shuffle))
    for tokens, segments, labels in zip(rows["tokens"], rows["segments"], rows["labels"]):
        for place, label in enumerate(labels):
            seen = tokens[: place + 1][segments[: place + 1] == segments[place]]
            if label == 0:
                continue
            assert seen[0] == BOS and BOS not in seen[1:]
            document = seen[1] // 100 if len(seen) > 1 else label // 100
            assert all(token // 100 == document for token in seen[1:])
            if label != EOS and len(seen) > 1:
                assert label == seen[-1] + 1  # the one that follows


def test_the_same_epoch_gives_the_same_rows_and_another_one_other_cuts():
    stream = join_documents(tf.ragged.constant(documents(40)))
    first, again, other = (rows_of(packed_batches(stream, 16, 4, 1, epoch))["labels"] for epoch in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert first.shape == other.shape
    assert {tuple(row) for row in first.tolist()} != {tuple(row) for row in other.tolist()}


def test_documents_without_tokens_are_left_out():
    assert join_documents(tf.ragged.constant([[], [5], []], dtype=tf.int32)).tolist() == [5, EOS]


@pytest.mark.parametrize("length", [1, 3, 8, 9, 21, 64])
def test_windows_score_each_token_once_after_half_a_window(length):
    stream = np.arange(10, 10 + length, dtype="int32")
    windows = overlapping_windows(stream, 8, 4)
    scored = windows[:, 0][windows[:, 1] == 1]
    assert sorted(scored.tolist()) == stream.tolist()
    for window, mask in windows:
        first = int(np.argmax(mask))
        assert window[first] == stream[0] or first >= 4


def test_a_row_of_padding_alone_reads_no_document():
    inputs = shifted(tf.constant([[0, 0, 7, EOS]]))
    assert inputs["tokens"].numpy().tolist() == [[BOS, 0, BOS, 7]]
    assert inputs["segments"].numpy().tolist() == [[1, 1, 2, 2]]
