"""The class of a text, or the number that a model predicts for it.

Shapes: B texts, C classes.
"""

import tensorflow as tf

from attention_zoo.pipelines.hub.abilities.ability import Ability


class Classify(Ability):
    """Text in, class out, with a `SequenceClassifier`."""

    name = "classify"
    answers_with = "confidences"

    def answer(self, outputs, inputs):
        """Returns the best `label` and its `confidence` `(B,)`; all `labels` and `confidences` `(B, C)`, best first.

        A model with one class predicts a number: its confidence is that number.
        """
        logits, labels = outputs["logits"], self.model.labels
        shares = logits if len(labels) == 1 else tf.nn.softmax(logits)
        confidences, order = tf.math.top_k(shares, len(labels))
        names = tf.gather(tf.constant(labels), order)
        answer = {"label": names[:, 0], "confidence": confidences[:, 0], "labels": names, "confidences": confidences}
        return answer, tf.fill(tf.shape(logits)[:1], "")

    @staticmethod
    def say(answer):
        """Returns the best class and its confidence."""
        return f"{answer['label']} {answer['confidence']:.3f}" if answer["label"] else ""
