"""Packs documents into rows of one length, without padding, for models that predict the next token.

Shapes: N tokens of all documents, C tokens of a row, B rows of a batch.
"""

import numpy as np
import tensorflow as tf

from attention_zoo.pipelines.engine.text.special_tokens import BOS, EOS, PAD, end_rows


def join_documents(tokens: tf.RaggedTensor) -> np.ndarray:
    """Joins documents to one stream, in which EOS ends each; documents without tokens are left out.

    Example:

    >>> join_documents(tf.ragged.constant([[7, 8], [], [9]])).tolist()
    [7, 8, 3, 9, 3]
    """
    tokens = tf.cast(tokens, tf.int32)
    return end_rows(tf.ragged.boolean_mask(tokens, tokens.row_lengths() > 0)).flat_values.numpy()


def packed_batches(
    stream: np.ndarray, context: int, rows: int, seed: int = 0, epoch: int = 0, shuffle: bool = True
) -> tf.data.Dataset:
    """Cuts a stream of documents into rows and makes batches of them, in the graph.

    A row reads BOS, and then what it has to predict but for the last token; after the end of a document it reads BOS
    once more. So each token of the stream is a label once, and a text always begins with BOS, also one that is cut out
    of a document.

    Args:
        stream: Tokens of all documents, `(N,)`, as of `join_documents`.
        context: C.
        rows: B; the last batch has fewer.
        seed: Integer; another seed gives another order. Defaults to `0`.
        epoch: Integer; another epoch gives another order and other cuts. Defaults to `0`.
        shuffle: Whether rows change places, and are cut at other places in each epoch. Defaults to `True`.

    Returns:
        A `tf.data.Dataset` of dicts of int32 Tensors `(B, C)`: "tokens", "segments", the number of the document in the
        row, counted from 1, and "labels". The end of the stream is filled up with PAD.

    Example:

    >>> batches = packed_batches(np.array([7, 8, 3, 9, 3], "int32"), context=4, rows=2, shuffle=False)
    >>> {name: value.numpy().tolist() for name, value in next(iter(batches)).items()}
    {'tokens': [[2, 7, 8, 2], [2, 2, 0, 0]], 'segments': [[1, 1, 1, 2], [1, 2, 2, 2]], 'labels': [[7, 8, 3, 9], [3, 0, 0, 0]]}
    """  # noqa: E501
    count = -(-len(stream) // context)
    padded = np.pad(stream, (0, count * context - len(stream)), constant_values=PAD)
    order = tf.range(count, dtype=tf.int64)
    if shuffle:
        # The stream is a ring, so that there are as many rows wherever it is cut.
        padded = np.roll(padded, -int(np.random.default_rng([seed, epoch]).integers(context)))
        order = tf.random.experimental.stateless_shuffle(order, [seed, epoch])
    table = tf.constant(padded.reshape(count, context))
    dataset = tf.data.Dataset.from_tensor_slices(order).batch(rows)
    return dataset.map(
        lambda numbers: shifted(tf.gather(table, numbers)), num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
    ).prefetch(tf.data.AUTOTUNE)


def shifted(labels: tf.Tensor) -> dict[str, tf.Tensor]:
    """Returns what a model reads to predict labels `(B, C)`, as in `packed_batches`."""
    before = tf.where(labels == EOS, BOS, labels)[:, :-1]
    tokens = tf.concat([tf.fill([tf.shape(labels)[0], 1], BOS), before], axis=1)
    # PAD at the end of the stream belongs to the last document: it is no label, and nothing comes after it but in a
    # ring, where what comes next begins with a document of its own.
    tokens = tf.where((tokens == PAD) & (labels != PAD), BOS, tokens)
    return {"tokens": tokens, "segments": tf.cumsum(tf.cast(tokens == BOS, tf.int32), axis=1), "labels": labels}


def overlapping_windows(stream: np.ndarray, context: int, stride: int) -> np.ndarray:
    """Cuts a stream into windows that overlap, so that most tokens have much before them when they are scored.

    Args:
        stream: As in `packed_batches`.
        context: C.
        stride: Tokens that a window moves on, at most C.

    Returns:
        int32 `(windows, 2, C)`: the tokens, filled up with PAD, and 1 where one is scored. Each token is scored once.

    Example:

    >>> windows = overlapping_windows(np.array([5, 6, 7, 8, 3], "int32"), context=4, stride=2)
    >>> windows[:, 0].tolist(), windows[:, 1].tolist()
    ([[5, 6, 7, 8], [7, 8, 3, 0]], [[1, 1, 1, 1], [0, 0, 1, 0]])
    """
    starts = np.arange(0, max(1, len(stream) - context + stride), stride)
    places = starts[:, None] + np.arange(context)  # (windows, C)
    inside = places < len(stream)
    new = np.arange(context) >= np.where(starts == 0, 0, context - stride)[:, None]
    tokens = np.where(inside, np.take(stream, places, mode="clip"), PAD)
    return np.stack([tokens, inside & new], axis=1).astype("int32")
