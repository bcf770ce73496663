"""From raw text to classes: a model, its reader, and the answers of the SavedModel.

Shapes: B documents, N sentences, W words of a sentence, R sentences of all documents, T words of a document, K classes.
"""

import tensorflow as tf

from attention_zoo.pipelines.engine.scores.deletion import deletion_masks
from attention_zoo.pipelines.engine.serving.answers import dense_columns, keep_rows

SENTENCES_TOGETHER = 512  # that are encoded at once, whatever the documents: it bounds the memory


class DocumentClassifier:
    """Classifies raw text with a trained model. Text without words gets empty values, and changes no other row.

    Args:
        model: A `HierarchicalAttentionNetwork`.
        reader: Its `DocumentReader`.
        labels: Names of the K classes.
    """

    def __init__(self, model, reader, labels):
        self.model = model
        self.reader = reader
        self.labels = labels

    def classify(self, text):
        """Returns `label`, `truncated` and `error` `(B,)`, and all `labels` and `probabilities` `(B, K)`, best first.

        `truncated` says that sentences after the first `max_sentences` were not read.
        """
        documents = self.reader.read(text)
        sentences, mask, _ = self.encode(documents["ids"])
        logits, _ = self.model.classify(sentences, mask, training=False)
        return self.answer(logits, documents, mask)

    def attend(self, text):
        """Returns the answer of `classify` and its attention, with offsets in bytes of the text.

        Of the sentences: `sentence_weights`, `sentence_starts`, `sentence_ends` `(B, N)` and `sentence_count` `(B,)`.
        Of the words: `words`, `word_weights`, `word_starts`, `word_ends`, and `word_sentences`, the number of the
        sentence, `(B, T)`, and `word_count` `(B,)`. Word weights sum to 1 in every sentence.
        """
        documents = self.reader.read(text)
        sentences, mask, word_weights = self.encode(documents["ids"])
        logits, weights = self.model.classify(sentences, mask, training=False)
        return self.answer(logits, documents, mask) | self.places(documents, weights, word_weights)

    def examine(self, text, truth, chance):
        """Returns `attend`'s answer without words, and the true class's probability without parts of the document.

        Args:
            text: Strings `(B,)`.
            truth: Numbers of the true classes `(B,)`.
            chance: float32 `(B,)` from 0 to 1, which draws the sentence that is left out at random.

        Returns:
            `number`, `probability`, `without_heaviest` and `without_random` `(B,)`, and of the sentences those of
            `attend`.
        """
        documents = self.reader.read(text)
        sentences, mask, word_weights = self.encode(documents["ids"])
        logits, weights = self.model.classify(sentences, mask, training=False)
        left = [
            tf.gather(tf.nn.softmax(self.model.classify(sentences, kept, training=False)[0]), truth, batch_dims=1)
            for kept in deletion_masks(weights, mask, chance)
        ]
        places = self.places(documents, weights, word_weights)
        return {
            "number": tf.argmax(logits, axis=-1),
            "probability": tf.reduce_max(tf.nn.softmax(logits), axis=-1),
            "without_heaviest": left[0],
            "without_random": left[1],
            **{name: value for name, value in places.items() if name.startswith("sentence")},
        }

    def encode(self, ids):
        """Encodes the sentences of documents, the longest ones first, a fixed number of them at a time.

        Args:
            ids: RaggedTensor `(B, None, None)`.

        Returns:
            Vectors of the sentences `(B, N, D)`, their mask `(B, N)`, and the weights of the words, a RaggedTensor
            `(R, None)`. N is at least 1.
        """
        rows = ids.values  # (R, None)
        lengths = rows.row_lengths()
        order = tf.argsort(lengths, direction="DESCENDING", stable=True)
        size, count = 2 * self.model.units, tf.size(order)

        def encode_some(start, vectors, weights):
            some = tf.gather(rows, order[start : start + SENTENCES_TOGETHER])
            found, of_words = self.model.encode_sentences(some.to_tensor(), training=False)
            mask = tf.sequence_mask(some.row_lengths(), tf.shape(of_words)[1])
            return (
                start + SENTENCES_TOGETHER,
                tf.concat([vectors, found], axis=0),
                tf.concat([weights, tf.boolean_mask(of_words, mask)], axis=0),
            )

        _, vectors, weights = tf.while_loop(
            lambda start, *_: start < count,
            encode_some,
            (tf.constant(0), tf.zeros([0, size], self.model.compute_dtype), tf.zeros([0])),
            shape_invariants=(tf.TensorShape([]), tf.TensorShape([None, size]), tf.TensorShape([None])),
            parallel_iterations=1,
        )
        back = tf.argsort(order)
        weights = tf.RaggedTensor.from_row_lengths(weights, tf.gather(lengths, order), validate=False)
        weights = tf.gather(weights, back)
        documents = tf.RaggedTensor.from_row_splits(tf.gather(vectors, back), ids.row_splits, validate=False)
        n = tf.maximum(documents.bounding_shape(axis=1), 1)
        sentences = documents.to_tensor(shape=[None, None, size])
        sentences = tf.pad(sentences, [[0, 0], [0, tf.cast(n, tf.int32) - tf.shape(sentences)[1]], [0, 0]])
        return sentences, tf.sequence_mask(ids.row_lengths(), n), weights

    def answer(self, logits, documents, mask):
        """Returns logits `(B, K)` in words, empty for documents without any."""
        probabilities, order = tf.math.top_k(tf.nn.softmax(tf.cast(logits, tf.float32)), len(self.labels))
        labels = tf.gather(tf.constant(self.labels), order)
        answer = {"label": labels[:, 0], "labels": labels, "probabilities": probabilities}
        kept = keep_rows(tf.reduce_any(mask, axis=1), answer)
        return kept | {"truncated": documents["truncated"], "error": tf.fill(tf.shape(labels)[:1], "")}

    def places(self, documents, weights, word_weights):
        """Returns where sentences and words stand in the text, and their weights, as `attend` describes them."""
        starts, ends, words = documents["starts"], documents["ends"], documents["words"]
        counts = starts.row_lengths()
        numbers = tf.ragged.range(counts).flat_values  # (R,), of the sentence in its document
        of_words = tf.gather(numbers, starts.values.value_rowids())
        flat = {
            "words": words.flat_values,
            "word_weights": word_weights.flat_values,
            "word_starts": starts.flat_values,
            "word_ends": ends.flat_values,
            "word_sentences": of_words,
        }
        of_document = words.merge_dims(1, 2)
        return {
            "sentence_starts": starts.with_values(tf.reduce_min(starts.values, axis=1)).to_tensor(),
            "sentence_ends": ends.with_values(tf.reduce_max(ends.values, axis=1)).to_tensor(),
            "sentence_weights": weights[:, : tf.cast(starts.bounding_shape(axis=1), tf.int32)],
            "sentence_count": counts,
            **dense_columns(of_document, flat),
            "word_count": of_document.row_lengths(),
        }
