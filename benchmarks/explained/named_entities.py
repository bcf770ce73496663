"""Named entities: the tag of a word, and the words of its sentence."""

import numpy as np
import tensorflow as tf

from attention_zoo.layers.record import shadowed
from attention_zoo.pipelines.engine.errors import UserError
from explained.examples import SelfAttentionExamples, TokenExamples


class NamedEntitiesExamples(TokenExamples, SelfAttentionExamples):
    """Words of sentences, and the tag that the model finds most probable, before the CRF, for a word of an entity."""

    def __init__(self, task, model, count, like=None):
        if model.project is None or model.word_encoder is not None:
            raise UserError("expected a run with --model.name attention and without --model.encoder")
        self.raw = task.sentences["test"].texts()[: 2 * count] if like is None else like.raw
        tagger = task.tagger(model)
        words, *_ = tagger.read(tf.constant(self.raw))
        inputs = {name: values.numpy() for name, values in tagger.inputs(words).items()}
        if like is None:
            there = inputs["words"] != 0
            best = np.argmax(model(inputs), axis=-1)  # (N, T)
            named = there & (best != model.tags.index("O"))
            (rows,) = np.nonzero(named.any(axis=1))
            rows = rows[:count]
            inputs = {name: values[rows] for name, values in inputs.items()}
            self.raw = [self.raw[row] for row in rows]
            order = np.where(named[rows], np.random.default_rng(0).random(named[rows].shape), -1.0)
            inputs["places"] = np.argmax(order, axis=1).astype("int32")
        else:
            inputs["places"] = like.inputs["places"]
        self.model, self.inputs = model, inputs
        super().__init__(inputs["words"], inputs["words"] != 0, like)

    def read_features(self):
        """The features of a word are its embedding, and what its characters say."""
        parts = []
        for rows in self.batches:
            inputs = self.inputs_of(rows)
            embedded, _ = self.model.read(inputs, False, False)
            parts.append(np.concatenate([embedded, self.model.spell(inputs["characters"])], axis=-1))
        return np.concatenate(parts)

    def call(self, features, inputs):
        """Returns the scores of the tags of all words."""
        size = self.model.embedding_dim
        with (
            shadowed(self.model, "read", lambda *_: (features[..., :size], {})),
            shadowed(self.model, "spell", lambda _: features[..., size:]),
        ):
            return self.model(inputs, training=False)

    def logits(self, outputs, inputs):
        """Returns the scores of the tags of the word in its place."""
        return tf.gather(outputs, inputs["places"], batch_dims=1)

    def pooled(self, maps, inputs):
        """Returns the row of the word."""
        return maps[np.arange(len(maps)), inputs["places"]]
