"""Text classification: the class of a text, and the pieces of its words."""

import numpy as np

from explained.examples import SelfAttentionExamples, TokenExamples


class TextClassificationExamples(TokenExamples, SelfAttentionExamples):
    """Pieces of texts without the special tokens, and the class that the model answers."""

    def __init__(self, task, model, count, like=None):
        self.raw = task.texts["test"].take(np.arange(min(count, len(task.texts["test"])))) if like is None else like.raw
        columns = task.tokenize(self.raw)
        batch = {name: columns[name].to_tensor() for name in columns if name != "labels"}
        self.inputs = {name: values.numpy() for name, values in task.inputs_of(batch).items()}
        self.model, self.embedding = model, model.encoder.embeddings.token_embedding
        mask = self.inputs["mask"] & np.roll(self.inputs["mask"], -1, axis=1)  # without the last token
        mask[:, 0] = mask[:, -1] = False
        super().__init__(self.inputs["tokens"], mask, like)

    def logits(self, outputs, inputs):
        """Returns the logits of the classes."""
        return outputs["logits"]

    def pooled(self, maps, inputs):
        """Returns the row that the classifier reads: that of the first token, or the mean."""
        return maps[:, 0] if self.model.pooling == "first" else maps.mean(axis=1)
