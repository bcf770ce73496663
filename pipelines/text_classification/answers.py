"""What the SavedModel answers, how it is asked, and what is said of an answer.

A pair of texts is one line, with a tab between the two. Shapes: B texts, C classes.
"""

import tensorflow as tf

from attention_zoo.pipelines.engine.serving.asking import ask_pairs, noted
from attention_zoo.pipelines.hub.abilities.ability import Ability
from attention_zoo.pipelines.hub.abilities.classify import Classify

NAMES = {"label": "class", "confidence": "probability", "labels": "classes", "confidences": "probabilities"}
WORDLESS = "expected text with words, received none"


class TextClassifier(Classify):
    """`Classify` with names of its own: `class` and `probability` `(B,)`, `classes` and `probabilities` `(B, C)`.

    Args:
        model: A `SequenceClassifier`.
        reader: Its `TextReader`.
        pairs: Whether it classifies pairs of texts. Defaults to `False`.
    """

    def __init__(self, model, reader, pairs=False):
        super().__init__(model, reader)
        self.pairs = pairs

    def answer(self, outputs, inputs):
        """Returns the best class and its probability, and all of them, best first."""
        answer, error = super().answer(outputs, inputs)
        return {NAMES[name]: value for name, value in answer.items()}, error

    def respond_to_lines(self, text):
        """Returns what `respond` does for lines `(B,)`, each a text or a pair."""
        return super().respond_to_lines(text) if self.pairs else self.respond(text)

    def signatures(self, model):
        """Returns what the SavedModel answers, with and without attention.

        One of pairs takes the second texts as `pair`, and has a third signature, `lines`, for both in one string.
        """
        text, pair = ({name: tf.TensorSpec([None], tf.string, name=name)} for name in ("text", "pair"))
        inputs = text | pair if self.pairs else text
        found = {"serving_default": (self.respond, inputs), "attention": (self.attend, inputs)}
        return found | ({"lines": (self.respond_to_lines, text)} if self.pairs else {})


class TextRegressor(TextClassifier):
    """Answers with a `number` `(B,)`, float32, in the unit of the labels.

    A text, or a pair, without words has an `error`: 0 is a number like others, and cannot say that there is none.
    """

    def answer(self, outputs, inputs):
        """Returns the number."""
        number = outputs["logits"][:, 0]
        return {"number": number}, tf.fill(tf.shape(number), "")

    def _respond(self, text, pair, return_attention_scores=False):
        answer, speaks, *rest = super()._respond(text, pair, return_attention_scores)
        return answer | {"error": tf.where(speaks, answer["error"], WORDLESS)}, speaks, *rest


def ask(served, inputs, attention=False):
    """Answers texts, or lines of two texts: a dict each, as `respond` or, with attention, `attend` returns it."""
    if "lines" not in served.signatures:
        return Ability.ask(served, inputs, attention)
    return noted(inputs, ask_pairs(served, attention, inputs))


def say(answer):
    """Returns the number, or the class and its probability; of a text that says nothing an empty line.

    Example:

    >>> say({"class": "tech", "probability": 0.9}), say({"number": -1.25})
    ('tech 0.900', '-1.250')
    """
    if "number" in answer:
        return f"{answer['number']:.3f}"
    return f"{answer['class']} {answer['probability']:.3f}" if answer["class"] else ""
