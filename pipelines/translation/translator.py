"""From raw sentences to answers: a model, its subwords and the search. Evaluation and serving both come through here.

Shapes: B sentences, S source tokens, T target tokens, N hypotheses, H heads.
"""

from dataclasses import replace

import tensorflow as tf

from attention_zoo.pipelines.engine.decoding.search import decode
from attention_zoo.pipelines.engine.serving.answers import keep_rows
from attention_zoo.pipelines.engine.text.batching import with_a_column
from attention_zoo.pipelines.engine.text.blank import says_something
from attention_zoo.pipelines.engine.text.special_tokens import BOS, EOS, PAD

N_BEST = 4


class Translator:
    """Translates raw text with a trained model.

    A sentence that says nothing (see `says_something`) gets an empty translation of score 0, and changes no other row.

    Args:
        model: A translation model.
        subwords: `Subwords`, of both languages.
        decoding: `DecodingSettings`.
        max_tokens: Longest source, and longest translation, in tokens. Longer sources are cut.
    """

    def __init__(self, model, subwords, decoding, max_tokens):
        self.model = model
        self.subwords = subwords
        self.decoding = decoding
        beams, places = max(N_BEST, decoding.beam_size), max(N_BEST, decoding.n_best)
        self.decoding_n_best = replace(decoding, beam_size=beams, n_best=places, temperature=0.0)
        self.max_tokens = max_tokens

    def encode(self, text):
        """Returns the token ids `(B, S)` of raw sentences `(B,)`, each ending in EOS, and which were cut `(B,)`."""
        tokens, truncated = self.subwords.encode(text, self.max_tokens)
        return with_a_column(tokens.to_tensor()), truncated  # models need a column

    def search(self, text, settings):
        """Returns source ids `(B, S)`, what was cut `(B,)`, hypotheses of `decode`, and rows with content `(B,)`."""
        content = says_something(text)  # (B,)
        source, truncated = self.encode(tf.where(content, text, ""))
        lengths = tf.reduce_sum(tf.cast(source != PAD, tf.int32), axis=1)
        max_lengths = tf.where(content, tf.minimum(2 * lengths + 10, self.max_tokens), 1)
        hypotheses = decode(self.model, {"source": source}, settings, max_lengths)
        return source, truncated, keep_rows(content, hypotheses), content

    def translate(self, text):
        """Returns the best `translation`, its `score`, whether the source was `truncated`, and `error`, each `(B,)`."""
        _, truncated, hypotheses, _ = self.search(text, self.decoding)
        return {
            "translation": self.subwords.detokenize(hypotheses["tokens"][:, 0], hypotheses["lengths"][:, 0]),
            "score": hypotheses["scores"][:, 0],
            "truncated": truncated,
            "error": tf.fill(tf.shape(text), ""),
        }

    def translate_n_best(self, text):
        """Returns the `(B, N)` best `translations` of the beam and their `scores`, best first, and `error` `(B,)`."""
        hypotheses = self.search(text, self.decoding_n_best)[2]
        shape = tf.shape(hypotheses["lengths"])
        translations = self.subwords.detokenize(*flat_rows(hypotheses))
        return {
            "translations": tf.reshape(translations, shape),
            "scores": hypotheses["scores"],
            "error": tf.fill(tf.shape(text), ""),
        }

    def attend(self, text):
        """Translates, then reads the attention in one pass over source and translation.

        Returns:
            `translation`, `score`, `truncated` and `error` `(B,)`, `source_tokens` `(B, S)`, `target_tokens` `(B, T)`,
            `weights` `(B, T, S)`, the lengths of both, and for a Transformer `head_weights` `(B, layers, H, T, S)`.
            Lengths and weights are zero where the text says nothing.
        """
        source, truncated, hypotheses, content = self.search(text, self.decoding)
        tokens, lengths = hypotheses["tokens"][:, 0], hypotheses["lengths"][:, 0]
        read, heads = self.read_attention(source, tokens, lengths, content)
        return {
            "translation": self.subwords.detokenize(tokens, lengths),
            "score": hypotheses["scores"][:, 0],
            "truncated": truncated,
            "error": tf.fill(tf.shape(text), ""),
            **read,
            **heads,
        }

    def attend_n_best(self, text):
        """Reads the attention of each of the `translate_n_best`.

        Returns:
            `error` `(B,)`, and what `attend` returns but for `head_weights`, each `(B, N, ...)`, best first.
        """
        source, truncated, hypotheses, content = self.search(text, self.decoding_n_best)
        shape = tf.shape(hypotheses["lengths"])  # (B, N)
        tokens, lengths = flat_rows(hypotheses)
        source, truncated, content = (tf.repeat(one, shape[1], axis=0) for one in (source, truncated, content))
        read, _ = self.read_attention(source, tokens, lengths, content)
        rows = {"translation": self.subwords.detokenize(tokens, lengths), "truncated": truncated, **read}
        answers = {name: tf.reshape(row, tf.concat([shape, tf.shape(row)[1:]], 0)) for name, row in rows.items()}
        return answers | {"score": hypotheses["scores"], "error": tf.fill(tf.shape(text), "")}

    def read_attention(self, source, tokens, lengths, content):
        """Returns tokens, their numbers and weights as `attend` does, and in another dict the `head_weights`, if any.

        Args:
            source: Source ids `(B, S)`.
            tokens: Ids of translations `(B, T)`, without BOS and EOS.
            lengths: Their numbers `(B,)`.
            content: Rows with content `(B,)`.
        """
        column = tf.zeros([tf.shape(tokens)[0], 1], tf.int32)
        target = tf.concat([column + BOS, tokens], axis=1)  # (B, T)
        ends = EOS * tf.one_hot(lengths, tf.shape(target)[1], dtype=tf.int32)
        inputs = {"source": source, "target": target}
        _, scores = self.model(inputs, training=False, return_attention_scores=True)
        read = {
            "source": source,
            "target": tf.concat([tokens, column], axis=1) + ends,
            "weights": self.model.alignment(scores),
            "source_lengths": tf.reduce_sum(tf.cast(source != PAD, tf.int32), axis=1),
            "target_lengths": lengths + 1,
        }
        heads = self.model.head_alignments(scores)
        read = keep_rows(content, read)
        read |= {f"{side}_tokens": self.subwords.pieces(read.pop(side)) for side in ("source", "target")}
        return read, {} if heads is None else keep_rows(content, {"head_weights": heads})


def flat_rows(hypotheses):
    """Returns the tokens of all hypotheses, `(B N, T)`, and their lengths, `(B N,)`; B and T may be 0."""
    lengths = tf.reshape(hypotheses["lengths"], [-1])
    return tf.reshape(hypotheses["tokens"], [tf.size(lengths), tf.shape(hypotheses["tokens"])[-1]]), lengths
