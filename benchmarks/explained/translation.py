"""Translation: a token of a translation, and the tokens of the source."""

import numpy as np
import tensorflow as tf

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.text.special_tokens import PAD
from attention_zoo.pipelines.explanations.gradients import attention_gradients
from attention_zoo.pipelines.explanations.relevance import encoder_decoder_relevance
from explained.examples import TokenExamples
from explained.written import WrittenExamples


class TranslationExamples(TokenExamples, WrittenExamples):
    """Tokens of sources, with that of the end, and a token of the model's translation of each."""

    tokens = "source"

    def __init__(self, task, model, count, like=None):
        if not model.attends:
            raise UserError(f"expected a model with attention, received {type(model).__name__}")
        self.raw = like.raw if like is not None else task.examples["test"].source[:count]
        translator = task.translator(model)
        source = translator.encode(tf.constant(self.raw))[0].numpy()
        if like is None:
            search = tf.function(lambda text: translator.search(text, task.config.decoding)[2], autograph=False)
            self.written = search(tf.constant(self.raw))["tokens"][:, 0].numpy()
        else:
            self.written = like.written
        self.model, self.inputs = model, {"source": source, **self.forced(self.written)}
        shared = not hasattr(model, "source_embedding")
        self.embedding = model.embedding if shared else model.source_embedding
        super().__init__(task.subwords.pieces(tf.constant(source)).numpy(), source != PAD, like)

    def attend(self, features, inputs, answers):
        """Returns the attention to the source, and of a Transformer also that weighted by gradients."""
        found = super().attend(features, inputs, answers)
        if not hasattr(self.model, "encoder_blocks"):
            return found
        read = {name: inputs[name] for name in ("source", "target")}
        layers = list(
            attention_gradients(self.model, read, lambda out: self.target(self.logits(out, inputs), answers)).values()
        )
        encoder, decoder = np.split(np.arange(len(layers)), [len(self.model.encoder_blocks)])
        pairs = [(layers[own], layers[cross]) for own, cross in decoder.reshape(-1, 2)]
        _, relevance = encoder_decoder_relevance([layers[number] for number in encoder], pairs)
        return found | {"relevance": relevance[np.arange(len(relevance)), inputs["places"].numpy()]}
