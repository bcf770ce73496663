"""The texts of a split as tokens, and what a model thinks of them.

Shapes: B windows, C tokens of a window, V vocabulary.
"""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from attention_zoo.pipelines.engine.text.packing import join_documents, overlapping_windows, shifted
from attention_zoo.pipelines.engine.text.special_tokens import PAD

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


def tokenise(texts, pairs):
    """Returns the `Corpus` of a `tf.data.Dataset` of strings."""
    batches = texts.batch(TOGETHER).map(
        lambda text: (pairs.tokenize(text), tf.reduce_sum(tf.strings.length(text))), num_parallel_calls=tf.data.AUTOTUNE
    )
    streams, counts = zip(*((join_documents(tokens), int(size)) for tokens, size in batches.prefetch(1)))
    return Corpus(np.concatenate(streams), sum(counts))


def nats_of(model, stream, context):
    """Returns the negative log-likelihood of a stream, and the number of its tokens.

    Windows overlap by half, so that a token has at least C / 2 tokens before it where its document has.
    """
    windows = overlapping_windows(stream, context, max(1, context // 2))

    @tf.function(input_signature=[tf.TensorSpec([None, 2, context], tf.int32)], autograph=False)
    def score(batch):
        inputs, scored = shifted(batch[:, 0]), tf.cast(batch[:, 1], tf.float32)
        logits = model({name: inputs[name] for name in ("tokens", "segments")}, training=False)["logits"]
        nats = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.maximum(inputs["labels"], PAD), logits)
        return tf.reduce_sum(nats * scored)

    parts = (windows[start : start + WINDOWS] for start in range(0, len(windows), WINDOWS))
    return sum(float(score(tf.constant(part))) for part in parts), len(stream)
