"""Language modeling: the next token, and the tokens before it."""

import numpy as np

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.text.packing import packed_batches
from attention_zoo.pipelines.engine.text.special_tokens import BOS
from explained.examples import SelfAttentionExamples, TokenExamples

FEWEST = 8  # tokens before the one that is explained


class LanguageModelingExamples(TokenExamples, SelfAttentionExamples):
    """The tokens of a text so far, up to the context of the model, and the token that the model finds most probable."""

    def __init__(self, task, model, count, like=None):
        if task.config.model.name != "gpt2":
            raise UserError(f"expected a model that predicts the next token, received {task.config.model.name}")
        stream, context = task.objective.corpora["test"].stream, task.config.model.context
        (rows,) = packed_batches(stream, context, len(stream), shuffle=False)
        tokens, segments = rows["tokens"].numpy(), rows["segments"].numpy()
        mask = (segments == segments[:, -1:]) & (tokens > BOS)  # a row has several texts, and sees one
        (enough,) = np.nonzero(mask.sum(axis=1) >= FEWEST)
        chosen = enough[np.linspace(0, len(enough) - 1, count).astype(int)]
        self.inputs = {"tokens": tokens[chosen], "segments": segments[chosen]}
        self.model, self.embedding = model, model.token_embedding
        super().__init__(self.inputs["tokens"], mask[chosen], like)

    def logits(self, outputs, inputs):
        """Returns the logits of the next token."""
        return outputs["logits"][:, -1]

    def pooled(self, maps, inputs):
        """Returns the row of the last token."""
        return maps[:, -1]
