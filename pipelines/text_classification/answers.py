"""What the SavedModel answers."""

from attention_zoo.pipelines.hub.abilities.classify import Classify

NAMES = {"label": "class", "confidence": "probability", "labels": "classes", "confidences": "probabilities"}


class TextClassifier(Classify):
    """`Classify` with names of its own: `class` and `probability` `(B,)`, `classes` and `probabilities` `(B, C)`."""

    def answer(self, outputs, inputs):
        """Returns the best class and its probability, and all of them, best first."""
        answer, error = super().answer(outputs, inputs)
        return {NAMES[name]: value for name, value in answer.items()}, error
