"""From raw text to its intent and entities: a model and what it learned. Evaluation and serving both come through here.

Shapes: B texts, T words, F features of a word, N entities, K intents, C tags.
"""

import tensorflow as tf

from attention_zoo.pipelines.engine.serving.answers import dense_columns, keep_rows
from attention_zoo.pipelines.engine.text.batching import with_a_column
from attention_zoo.pipelines.engine.text.ngram_features import ngram_features
from attention_zoo.pipelines.engine.text.tag_spans import entities_in_text
from attention_zoo.pipelines.engine.text.word_splitting import read_words


class WordFeatures:
    """The sparse features of words: hashed n-grams, and which of the patterns match the whole word.

    Args:
        buckets: Features that n-grams are hashed to, 0 included.
        largest_ngram: As in `ngram_features`.
        patterns: Regular expressions of RE2; pattern n is feature `buckets + n`.
    """

    def __init__(self, buckets, largest_ngram, patterns=()):
        self.buckets = buckets
        self.largest_ngram = largest_ngram
        self.patterns = list(patterns)

    @property
    def count(self):
        """Rows of the model's table."""
        return self.buckets + len(self.patterns)

    def __call__(self, words):
        """Strings `(N,)` -> int32 `(N, F)`; see `ngram_features`."""
        columns = [ngram_features(words, self.buckets, self.largest_ngram)]
        for number, pattern in enumerate(self.patterns, self.buckets):
            found = tf.strings.regex_full_match(words, f"(?i:{pattern})")
            columns.append(tf.where(found, number, 0)[:, None])
        return tf.concat(columns, axis=1) if self.patterns else columns[0]


class Interpreter(tf.Module):
    """Answers raw text with a trained model.

    Args:
        model: A `DIETClassifier`.
        features: `WordFeatures`.
        intents: Names of the K intents.
        synonyms: Values by texts of entities in lower case.
        max_words: Longest text, in words. Longer ones are cut, and so are those of more than 64 bytes a word.
        threshold: Least greatest similarity of a text that is in scope.
    """

    def __init__(self, model, features, intents, synonyms, max_words, threshold):
        super().__init__(name="interpreter")
        self.model, self.features, self.max_words = model, features, max_words
        self.intents, self.threshold = list(intents), threshold
        pairs = sorted(synonyms.items()) or [("", "")]
        initializer = tf.lookup.KeyValueTensorInitializer(*([*column] for column in zip(*pairs)), tf.string, tf.string)
        self.synonyms = tf.lookup.StaticHashTable(initializer, "")

    def inputs(self, words):
        """Returns the model's inputs for words, a string RaggedTensor `(B, None)`: row 0 of the features is padding."""
        features = tf.pad(self.features(words.flat_values), [[1, 0], [0, 0]])  # (1 + words of all texts, F)
        rows = words.with_flat_values(tf.range(1, tf.shape(features)[0])).to_tensor()
        return {"features": features, "words": with_a_column(rows)}

    def scope(self, text):
        """Returns the `scores` of texts `(B,)` by which they are in scope or not: the greatest similarity."""
        words, *_ = read_words(text, self.max_words)
        return {"scores": tf.reduce_max(self.model(self.inputs(words), training=False)["intent"], axis=-1)}

    def understand(self, text):
        """Finds intent and entities of texts `(B,)`.

        Returns:
            A dict. `intent` and its `confidence` `(B,)`; `in_scope` `(B,)`; all `intents` and `confidences` `(B, K)`,
            best first. `entities` as they stand in the text, their `labels`, `roles`, `values` (synonyms resolved),
            `starts` and `ends` in bytes, `code_point_starts`, `code_point_ends` and `entity_confidences`, each
            `(B, N)`, padded at the right; their number `counts` `(B,)`. `words`, `tags` and the probability of each
            tag, `word_confidences`, `(B, T)`; their number `word_counts`. Whether a text was `truncated`, and `error`.
        """
        return self._answer(text)[0]

    def attend(self, text):
        """Returns the answer of `understand`, and how it came about.

        `tag_names` `(B, C)` and `marginals` `(B, T, C)`, the probability of each tag; and `attention`
        `(B, T + 1, T + 1)`, what `__CLS__` (place 0) and each word attended to in the last block, the mean of all
        heads.
        """
        answer, marginals, scores = self._answer(text, return_attention_scores=True)
        names = tf.constant(self.model.options["tags"])
        weights = tf.reduce_mean(list(scores.values())[-1], axis=1)
        more = {"tag_names": tf.tile(names[None], [tf.shape(text)[0], 1]), "marginals": marginals, "attention": weights}
        return answer | more

    def _answer(self, text, return_attention_scores=False):
        words, starts, ends, truncated = read_words(text, self.max_words)
        inputs = self.inputs(words)
        outputs = self.model(inputs, training=False, return_attention_scores=return_attention_scores)
        outputs, scores = outputs if return_attention_scores else (outputs, {})
        # A text without words wants nothing; all else that is answered is about its words.
        answer = keep_rows(words.row_lengths() > 0, self._intents(outputs["intent"]))
        tags, marginals, best = self._tags(inputs, outputs["emissions"])
        answer |= self._entities(text, starts, ends, tags, best)
        shown = tf.where(inputs["words"] != 0, tf.gather(tf.constant(self.model.options["tags"]), tags), "")
        size = tf.shape(tags)[1]
        spelled = words.to_tensor(shape=[None, None])
        answer |= {
            "words": tf.pad(spelled, [[0, 0], [0, size - tf.shape(spelled)[1]]]),
            "tags": shown,
            "word_confidences": best,
            "word_counts": words.row_lengths(),
        }
        return answer | {"truncated": truncated, "error": tf.fill(tf.shape(text), "")}, marginals, scores

    def _intents(self, similarities):
        confidences, order = tf.math.top_k(tf.nn.softmax(similarities), len(self.intents))
        ranking = tf.gather(tf.constant(self.intents), order)
        return {
            "intent": ranking[:, 0],
            "confidence": confidences[:, 0],
            "in_scope": tf.reduce_max(similarities, axis=-1) >= self.threshold,
            "intents": ranking,
            "confidences": confidences,
        }

    def _tags(self, inputs, emissions):
        """Returns the best tags `(B, T)`, all probabilities `(B, T, C)` and those of the best `(B, T)`."""
        mask = inputs["words"] != 0
        if not self.model.entity_loss:
            tags = tf.zeros_like(inputs["words"])
            return tags, tf.zeros_like(emissions), tf.zeros_like(emissions[..., 0])
        tags, _ = self.model.crf.decode(emissions, mask)
        marginals = tf.cast(self.model.crf(emissions, mask=mask), tf.float32)
        return tags, marginals, tf.gather(marginals, tags, batch_dims=2)

    def _entities(self, text, starts, ends, tags, probabilities):
        first, found = entities_in_text(text, starts, ends, tags, self.model.options["tags"], probabilities)
        known = self.synonyms.lookup(tf.strings.lower(found["entities"], "utf-8"))
        labels = found["labels"]
        found |= {
            "labels": tf.strings.regex_replace(labels, ":.*$", ""),
            "roles": tf.strings.regex_replace(labels, "^[^:]*:?", ""),
            "values": tf.where(tf.equal(known, ""), found["entities"], known),
            "entity_confidences": found.pop("confidences"),
        }
        return dense_columns(first, found) | {"counts": first.row_lengths()}
