"""The texts of a split as tokens, and what a model thinks of them.

Shapes: B windows, C tokens of a window, V vocabulary.
"""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from attention_zoo.pipelines.engine.text.packing import join_documents, overlapping_windows, shifted

TOGETHER = 64  # texts that are tokenised at once
WINDOWS = 32  # windows that are scored at once


@dataclass(frozen=True)
class Corpus:
    """Tokens of a split.

    Args:
        stream: As `join_documents` returns it.
        text_bytes: Number of bytes of the texts.
    """

    stream: np.ndarray
    text_bytes: int


def strings_of(texts):
    """Yields the strings of `Texts`; bytes that are not UTF-8 are replaced."""
    return (text.decode("utf-8", "replace") for text in texts.texts.as_numpy_iterator())


def tokenise(texts, pairs):
    """Returns the `Corpus` of a `tf.data.Dataset` of strings."""
    batches = texts.batch(TOGETHER).map(
        lambda text: (pairs.tokenize(text), tf.reduce_sum(tf.strings.length(text))), num_parallel_calls=tf.data.AUTOTUNE
    )
    streams, counts = zip(*((join_documents(tokens), int(size)) for tokens, size in batches.prefetch(1)))
    return Corpus(np.concatenate(streams), sum(counts))


def chunks_of(tokens, longest):
    """Cuts the rows of a RaggedTensor into rows of at most `longest` values, each within one row.

    Example:

    >>> chunks_of(tf.ragged.constant([[1, 2, 3, 4, 5], [], [6]]), 2).to_list()
    [[1, 2], [3, 4], [5], [6]]
    """
    lengths = tokens.row_lengths().numpy()
    counts = -(-lengths // longest)
    sizes = np.full(counts.sum(), longest)
    last = np.cumsum(counts)[counts > 0] - 1
    sizes[last] = (lengths - longest * (counts - 1))[counts > 0]
    return tf.RaggedTensor.from_row_lengths(tokens.flat_values, sizes)


def nats_of(model, stream, context):
    """Returns the negative log-likelihood of a stream, and the number of its tokens.

    Windows overlap by half, so that a token has at least C / 2 tokens before it where its document has.
    """
    windows = overlapping_windows(stream, context, max(1, context // 2))

    def score(batch):
        inputs, scored = shifted(batch[:, 0]), tf.cast(batch[:, 1], tf.float32)
        logits = model({name: inputs[name] for name in ("tokens", "segments")}, training=False)["logits"]
        nats = tf.nn.sparse_softmax_cross_entropy_with_logits(inputs["labels"], logits)
        return tf.reduce_sum(nats * scored)

    score = tf.function(score, input_signature=[tf.TensorSpec([None, 2, context], tf.int32)], autograph=False)
    parts = (windows[start : start + WINDOWS] for start in range(0, len(windows), WINDOWS))
    return sum(float(score(tf.constant(part))) for part in parts), len(stream)
