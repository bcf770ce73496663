"""From raw text to entities: a model and its vocabulary. Evaluation and serving both come through here.

Shapes: B texts, T words, N entities, K tags.
"""

import tensorflow as tf

from attention_zoo.pipelines.engine.serving.answers import dense_columns
from attention_zoo.pipelines.engine.text.batching import with_a_column
from attention_zoo.pipelines.engine.text.tag_spans import entities_in_text
from attention_zoo.pipelines.engine.text.word_splitting import read_words
from attention_zoo.pipelines.hub.text_reader import cut


class EntityTagger:
    """Finds the entities of raw text with a trained model.

    Args:
        model: A `SequenceTagger`.
        vocabulary: Its `TaggerVocabulary`.
        max_words: Longest text, in words. Longer ones are cut, and so are those of more than 64 bytes a word.
        reader: `TextReader` of the model's `word_encoder`. Texts with more tokens than it reads are cut, too. Defaults
            to `None`.
    """

    def __init__(self, model, vocabulary, max_words, reader=None):
        self.model = model
        self.vocabulary = vocabulary
        self.max_words = max_words
        self.reader = reader

    def read(self, text):
        """Returns what `read_words` returns, and a dict of the inputs of the model's `word_encoder`."""
        words, starts, ends, truncated = read_words(text, self.max_words)
        if self.reader is None:
            return words, starts, ends, truncated, {}
        pieces = words.with_values(self.reader.pieces_of_words(words.values))  # (B, None, None)
        tokens, columns = self.reader.read_pieces(pieces)
        truncated |= columns.row_lengths() < words.row_lengths()
        words, starts, ends = (cut(rows, columns.row_lengths()) for rows in (words, starts, ends))
        return words, starts, ends, truncated, tokens | {"columns": with_a_column(columns.to_tensor())}

    def inputs(self, words):
        """Returns the inputs of the model for words, a string RaggedTensor `(B, None)`; at least one column."""
        ids = words.with_flat_values(self.vocabulary.word_ids(words.flat_values)).to_tensor()  # (B, T)
        spelled = words.with_flat_values(self.vocabulary.character_ids(words.flat_values)).to_tensor()  # (B, T, C)
        return {"words": with_a_column(ids), "characters": with_a_column(spelled)}

    def tag(self, text):
        """Finds the entities of texts `(B,)`.

        Returns:
            A dict: the `entities` of each text, their `labels`, `starts` and `ends` in bytes, `code_point_starts` and
            `code_point_ends`, and `confidences`, each `(B, N)` and padded at the right; `counts`, the number of
            entities, whether a text was `truncated`, and `error`, each `(B,)`.
        """
        return self._answer(text)[0]

    def attend(self, text):
        """Returns the answer of `tag`, and how it came about.

        `words` `(B, T)`, their number `word_counts` `(B,)` and the best `tags` `(B, T)`; `tag_names` `(B, K)` and
        `marginals` `(B, T, K)`, the probability of each tag; and `attention` `(B, T, T)` if the encoder attends: what
        each word attended to in the last block, the mean of its heads. The words of a `word_encoder` attend to its
        other tokens, too, so their rows have sums below 1.
        """
        answer, words, tags, marginals, scores = self._answer(text, return_attention_scores=True)
        names = tf.constant(self.model.tags)
        there = tf.sequence_mask(words.row_lengths(), tf.shape(tags)[1])
        answer |= {
            "words": words.to_tensor(shape=[None, None]),
            "word_counts": words.row_lengths(),
            "tags": tf.where(there, tf.gather(names, tags), ""),
            "tag_names": tf.tile(names[None], [tf.shape(text)[0], 1]),
            "marginals": marginals,
        }
        answer["words"] = tf.pad(answer["words"], [[0, 0], [0, tf.shape(tags)[1] - tf.shape(answer["words"])[1]]])
        if scores:
            weights = tf.reduce_mean(list(scores.values())[-1], axis=1)  # (B, T, T)
            answer["attention"] = weights
        return answer

    def _answer(self, text, return_attention_scores=False):
        words, starts, ends, truncated, tokens = self.read(text)
        inputs = self.inputs(words) | tokens
        logits = self.model(inputs, training=False, return_attention_scores=return_attention_scores)
        logits, scores = logits if return_attention_scores else (logits, {})
        mask = inputs["words"] != 0
        tags, _ = self.model.decode(logits, mask)  # (B, T)
        marginals = self.model.marginals(logits, mask)  # (B, T, K)
        chosen = tf.gather(marginals, tags, batch_dims=2)  # (B, T)
        first, found = entities_in_text(text, starts, ends, tags, self.model.tags, chosen)
        answer = dense_columns(first, found)
        answer |= {"counts": first.row_lengths(), "truncated": truncated, "error": tf.fill(tf.shape(text), "")}
        return answer, words, tags, marginals, scores
