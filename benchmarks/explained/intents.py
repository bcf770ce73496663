"""Intents: the intent of a sentence, and its words."""

import numpy as np
import tensorflow as tf

from attention_zoo.layers.record import shadowed
from attention_zoo.pipelines.engine.text.word_splitting import read_words
from explained.examples import SelfAttentionExamples, TokenExamples


class IntentsExamples(TokenExamples, SelfAttentionExamples):
    """Words of sentences, and the intent that the model answers."""

    def __init__(self, task, model, count, like=None):
        test = task.utterances["test"]
        chosen = np.linspace(0, len(test) - 1, count).astype(int)  # they are in the order of their templates
        self.raw = [test[row].text for row in chosen] if like is None else like.raw
        words, *_ = read_words(tf.constant(self.raw), task.config.data.max_words)
        inputs = task.interpreter(model).inputs(words)
        self.model, self.inputs = model, {"features": tf.gather(inputs["features"], inputs["words"]).numpy()}
        super().__init__(words.to_tensor().numpy(), self.inputs["features"][..., 0] != 0, like)

    def read_features(self):
        """The features of a word are what the encoder takes."""
        return np.concatenate([self.model.embed(self.inputs_of(rows))[:, 1:].numpy() for rows in self.batches])

    def call(self, features, inputs):
        """Calls the model with these words, of which `__CLS__` is the mean: the layer before the encoder is linear."""
        present = tf.cast(inputs["features"][..., :1] != 0, tf.float32)
        sentence = tf.reduce_sum(features * present, axis=1, keepdims=True) / tf.reduce_sum(
            present, axis=1, keepdims=True
        )
        tokens = tf.concat([sentence, features], axis=1)
        with shadowed(self.model, "embed", lambda inputs, training=None: tokens):
            return self.model(inputs, training=False)

    def logits(self, outputs, inputs):
        """Returns the similarities of the intents."""
        return outputs["intent"]

    def pooled(self, maps, inputs):
        """Returns the row of `__CLS__`."""
        return maps[:, 0, 1:]
