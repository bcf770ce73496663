"""Answers text with word vectors: the vectors themselves, the nearest words, and sums of words."""

import numpy as np
import tensorflow as tf

from attention_zoo.pipelines.engine.serving.answers import keep_rows
from attention_zoo.pipelines.word_embeddings.words import split_expressions, split_words

MOST_WORDS = 1000  # of a text that are answered
NEAREST = 10


class Vectors(tf.Module):
    """Word vectors with their words, in the graph.

    Args:
        words: The V words.
        vectors: Array `(V, D)`.
    """

    def __init__(self, words, vectors):
        super().__init__(name="vectors")
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        self.vectors = tf.Variable(vectors, trainable=False, dtype=tf.float32)
        self.unit = tf.Variable(vectors / np.maximum(norms, 1e-12), trainable=False, dtype=tf.float32)
        numbers = tf.range(len(words), dtype=tf.int32)
        self.table = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(list(words), numbers), -1)
        self.names = tf.constant(list(words))

    def embed(self, text):
        """Returns the vectors of the words of texts.

        Args:
            text: UTF-8 strings `(B,)`; only the first 1,000 words of each are answered.

        Returns:
            Dict: `words` `(B, W)`, `known` bool `(B, W)`, `vectors` `(B, W, D)`, zeros for unknown words, `sentence`
            `(B, D)`, the mean of the known ones, `unknown` `(B,)`, the unknown words joined by spaces, `truncated` bool
            `(B,)`, and `error` `(B,)`, always "".
        """
        words, truncated = first_words(split_words(text))
        ids = words.with_flat_values(self.table.lookup(words.flat_values))
        known = ids >= 0
        vectors = tf.where(known.flat_values[:, None], tf.gather(self.vectors, tf.maximum(ids.flat_values, 0)), 0.0)
        rows = ids.with_flat_values(vectors)
        count = tf.reduce_sum(tf.cast(known, tf.float32), axis=1)
        return {
            "words": words.to_tensor(),
            "known": known.to_tensor(),
            "vectors": rows.to_tensor(shape=[None, None, self.vectors.shape[1]]),
            "sentence": tf.math.divide_no_nan(tf.reduce_sum(rows, axis=1), count[:, None]),
            "unknown": joined(words, ~known),
            "truncated": truncated,
            "error": tf.fill(tf.shape(text), ""),
        }

    def neighbours(self, text):
        """Returns the nearest words of the sum of a text's words, see `nearest`."""
        words = split_words(text)
        return self.without_sum(self.nearest(words, tf.ones_like(words, tf.float32)))

    def analogy(self, text):
        """Returns the nearest words of a sum such as "king - man + woman", see `nearest`."""
        return self.without_sum(self.nearest(*split_expressions(text)))

    def attend(self, text):
        """Returns the answer of `analogy`, and `vectors` `(B, 1 + N, D)` of length 1: the sum's and the neighbours'."""
        return self.nearest(*split_expressions(text))

    @staticmethod
    def without_sum(answer):
        return {name: value for name, value in answer.items() if name != "vectors"}

    def nearest(self, words, signs):
        """Returns the words whose vectors have the largest cosine with a sum of vectors of length 1 (3CosAdd).

        The words of the sum are no neighbours of it. Unknown words are left out of it, and named.

        Args:
            words: String RaggedTensor `(B, None)`, of which the first 1,000 of each row count.
            signs: float32 RaggedTensor `(B, None)`, 1 or -1.

        Returns:
            Dict: `neighbours` `(B, N)`, nearest first, `cosines` `(B, N)`, `vectors` `(B, 1 + N, D)`, `unknown`,
            `truncated` bool and `error` `(B,)`; the error says that a text has words, none of which is known.
        """
        (words, truncated), (signs, _) = first_words(words), first_words(signs)
        size = self.unit.shape[0]
        ids = words.with_flat_values(self.table.lookup(words.flat_values))
        known = ids >= 0
        weights = signs.flat_values * tf.cast(known.flat_values, tf.float32)
        units = tf.gather(self.unit, tf.maximum(ids.flat_values, 0)) * weights[:, None]
        total = tf.math.l2_normalize(tf.reduce_sum(ids.with_flat_values(units), axis=1), axis=1)  # (B, D)
        cosines = tf.matmul(total, self.unit, transpose_b=True)  # (B, V)
        places = tf.stack([tf.cast(ids.value_rowids(), tf.int32), ids.flat_values], axis=1)
        places = tf.boolean_mask(places, known.flat_values)
        cosines = tf.tensor_scatter_nd_update(cosines, places, tf.fill(tf.shape(places)[:1], -2.0))
        best, found = tf.math.top_k(cosines, min(NEAREST, size))  # (B, N)
        real = best > -2.0  # a tiny vocabulary may have no other words
        unknown = joined(words, ~known)
        any_known = tf.reduce_any(known, axis=1)
        error = tf.strings.join(["text: expected words of the vocabulary, received ", unknown])
        error = tf.where(any_known | (words.row_lengths() == 0), "", error)
        answer = {
            "neighbours": tf.where(real, tf.gather(self.names, found), ""),
            "cosines": tf.where(real, best, 0.0),
            "vectors": tf.concat([total[:, None], tf.gather(self.unit, found)], axis=1),
        }
        return keep_rows(any_known, answer) | {"unknown": unknown, "truncated": truncated, "error": error}


def first_words(rows):
    """Returns the first 1,000 words of each row, and whether that cuts it."""
    return rows[:, :MOST_WORDS], rows.row_lengths() > MOST_WORDS


def joined(words, chosen):
    """Joins the first ten of the chosen words of each row by spaces, each cut to 40 characters."""
    some = tf.ragged.boolean_mask(words, chosen)[:, :10]
    short = some.with_flat_values(tf.strings.substr(some.flat_values, 0, 40, unit="UTF8_CHAR"))
    return tf.strings.strip(tf.strings.reduce_join(short.to_tensor(), axis=1, separator=" "))
