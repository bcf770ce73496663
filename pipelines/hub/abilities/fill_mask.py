"""The most probable tokens for a hidden one.

Shapes: B texts, T tokens, V vocabulary, M hidden tokens of a text, K best tokens.
"""

import tensorflow as tf

from attention_zoo.pipelines.hub.abilities.ability import Ability

BEST = 5  # K


class FillMask(Ability):
    """Text with "[MASK]" in, the best tokens for each of them out, with a `MaskedLanguageModel`."""

    name = "fill_mask"
    answers_with = "fillers"

    def answer(self, outputs, inputs):
        """Returns the best tokens of each hidden one, best first.

        `fillers` and their `probabilities`, `(B, M, K)`, padded at the right; the number of hidden tokens, `counts`.
        """
        hidden = inputs["tokens"] == self.reader.mask  # (B, T)
        counts = tf.reduce_sum(tf.cast(hidden, tf.int32), axis=1)
        logits = tf.RaggedTensor.from_row_lengths(outputs["logits"][hidden], counts, validate=False)
        size = min(BEST, self.reader.tokenizer.vocabulary_size)
        probabilities, tokens = tf.math.top_k(tf.nn.softmax(logits.flat_values), size)
        found = {"fillers": self.reader.pieces(tokens), "probabilities": probabilities}
        rows = {
            name: logits.with_flat_values(values).to_tensor(shape=[None, None, size]) for name, values in found.items()
        }
        mask = self.reader.tokenizer.pieces(self.reader.mask)
        error = tf.where(counts > 0, "", tf.strings.join(["expected a text with ", mask, ", received none"]))
        return rows | {"counts": counts}, error

    def example(self):
        """Returns a text with a hidden token."""
        return f"The capital of France is {self.reader.tokenizer.pieces(self.reader.mask).numpy().decode()}."

    @staticmethod
    def say(answer):
        """Returns a line for each hidden token: the best tokens and their probabilities."""
        lines = zip(answer["fillers"][: answer["counts"]], answer["probabilities"])
        return "\n".join("  ".join(f"{token} {share:.3f}" for token, share in zip(*line)) for line in lines)
