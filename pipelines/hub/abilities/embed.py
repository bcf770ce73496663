"""One vector a text, whose dot products say how alike texts are.

Shapes: B texts, D features.
"""

import numpy as np
import tensorflow as tf

from attention_zoo.pipelines.hub.abilities.ability import Ability

SHOWN = 5  # numbers of a vector that are printed


class Embed(Ability):
    """Text in, vector out, with a model whose outputs have an "embedding", such as `SentenceEncoder`.

    A text without content gets zeros.
    """

    name = "embed"
    answers_with = "embedding"

    def answer(self, outputs, inputs):
        """Returns the `embedding` `(B, D)`, float32."""
        return {"embedding": outputs["embedding"]}, tf.fill(tf.shape(outputs["embedding"])[:1], "")

    @staticmethod
    def ask(served, inputs, attention=False):
        """Embeds texts; of several, each answer also has its `similarity` to the first, from -1 to 1."""
        answers = Ability.ask(served, inputs, attention)
        if len(answers) > 1:
            vectors = np.array([answer["embedding"] for answer in answers])
            lengths = np.maximum(np.linalg.norm(vectors, axis=1), 1e-12)
            similarities = vectors @ vectors[0] / (lengths * lengths[0])
            answers = [answer | {"similarity": float(s)} for answer, s in zip(answers, similarities)]
        return answers

    @staticmethod
    def say(answer):
        """Returns the similarity to the first text, or the first numbers of the vector."""
        if "similarity" in answer:
            return f"{answer['similarity']:.3f}\t{answer['input']}"
        vector = answer["embedding"]
        return f"{' '.join(f'{number:.4f}' for number in vector[:SHOWN])} ... ({len(vector)} numbers; --json has all)"

    def next_command(self):
        """Returns the command a user will want next."""
        return f'attention-zoo predict {self.name} "A cat sleeps." "A kitten naps." "Shares fell on Monday."'
