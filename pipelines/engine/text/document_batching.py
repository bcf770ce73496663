"""Makes batches of documents with like numbers of sentences and words, so that little of a batch is padding."""

from typing import Any

import numpy as np
import tensorflow as tf

WORDS_STEP = 8  # the lengths of longest sentences are rounded up to a multiple, to sort by sentences within it
WINDOW = 4096  # documents that are sorted together


def document_batches(
    documents: tf.RaggedTensor,
    labels: np.ndarray,
    budget: int,
    seed: int = 0,
    epoch: int = 0,
    shuffle: bool = True,
    window: int = WINDOW,
) -> tf.data.Dataset:
    """Makes padded batches whose documents times sentences times words stay within `budget`.

    The documents are shuffled and split into windows. A window is sorted by its documents' longest sentences and
    numbers of sentences, and cut into batches, whose order is shuffled. Nothing is dropped: a document that is larger
    than the budget is a batch of its own. The same arguments give the same batches.

    Args:
        documents: int32 RaggedTensor `(N, None, None)`, ids of words, no document without any.
        labels: int64 `(N,)`.
        budget: Largest number of cells of a batch, padding counted.
        seed: Integer; another seed gives another order. Defaults to `0`.
        epoch: Integer; another epoch gives another order. Defaults to `0`.
        shuffle: Whether to shuffle. Defaults to `True`.
        window: Largest number of documents that are sorted together. Defaults to `4096`.

    Returns:
        A `tf.data.Dataset` of dicts: "documents", int32 `(B, sentences, words)`, 0 where a sentence or a document has
        ended, and "labels" `(B,)`.

    Example:

    >>> rows = tf.ragged.constant([[[5]], [[6, 7], [8]], [[9, 9], [4]]], dtype=tf.int32)
    >>> for batch in document_batches(rows, np.array([1, 0, 1]), budget=8, shuffle=False):
    ...     print(batch["documents"].numpy().tolist(), batch["labels"].numpy().tolist())
    [[[6, 7], [8, 0]], [[9, 9], [4, 0]]] [0, 1]
    [[[5]]] [1]
    """
    sentences, words = sizes_of(documents)
    rng = np.random.default_rng([seed, epoch])
    order = rng.permutation(len(sentences)) if shuffle else np.arange(len(sentences))
    batches: list[np.ndarray] = []
    for rows in np.array_split(order, max(1, -(-len(order) // window))):
        found = _cut(rows, sentences, words, budget)
        batches += [found[number] for number in rng.permutation(len(found))] if shuffle else found
    plan = tf.RaggedTensor.from_row_lengths(
        np.concatenate([*batches, np.zeros(0, "int64")]), [len(rows) for rows in batches]
    )
    known = tf.constant(labels)

    def gather(rows: tf.Tensor) -> dict[str, Any]:
        return {"documents": tf.gather(documents, rows).to_tensor(), "labels": tf.gather(known, rows)}

    # `flat_map` hides the number of batches, so that the padding of an epoch is counted before training.
    dataset = tf.data.Dataset.from_tensors(plan).flat_map(tf.data.Dataset.from_tensor_slices)
    return dataset.map(gather, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True).prefetch(tf.data.AUTOTUNE)


def sizes_of(documents: tf.RaggedTensor) -> tuple[np.ndarray, np.ndarray]:
    """Returns the number of sentences of each document, and the length of its longest one, `(N,)`."""
    lengths = documents.values.row_lengths().numpy()  # pyright: ignore[reportAttributeAccessIssue]
    splits = documents.row_splits.numpy()
    longest = np.maximum.reduceat(np.append(lengths, 0), splits[:-1]) if len(splits) > 1 else lengths[:0]
    return np.diff(splits), longest


def _cut(rows: np.ndarray, sentences: np.ndarray, words: np.ndarray, budget: int) -> list[np.ndarray]:
    """Sorts the documents of a window, from large to small, and cuts them into batches."""
    rounded = -(-words[rows] // WORDS_STEP)
    rows = rows[np.lexsort((-sentences[rows], -rounded))]
    batches, start, most, longest = [], 0, 0, 0
    for place, row in enumerate(rows):
        most, longest = max(most, sentences[row]), max(longest, words[row])
        if place > start and (place - start + 1) * most * longest > budget:
            batches.append(rows[start:place])
            start, most, longest = place, sentences[row], words[row]
    return [*batches, rows[start:]] if len(rows) else batches
