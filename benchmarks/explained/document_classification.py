"""Document classification: the class of a document, and its sentences."""

import numpy as np
import tensorflow as tf

from attention_zoo.pipelines.document_classification.classifier import DocumentClassifier
from attention_zoo.pipelines.engine.errors import UserError
from explained.examples import Examples


class DocumentClassificationExamples(Examples):
    """Sentences of documents, and the class that the model answers.

    The features of a sentence are its vector. A deleted sentence is masked: the network reads it nowhere.
    """

    def __init__(self, task, model, count, like=None):
        if task.config.model.pooling != "attention":
            raise UserError("expected a model with attention, received one with --model.pooling mean")
        texts = list(task.texts["test"].texts[:count]) if like is None else like.raw
        read = task.reader.read(tf.constant(texts))
        several = read["ids"].row_lengths().numpy() > 1  # one sentence leaves nothing to compare
        self.raw = [text for text, kept in zip(texts, several) if kept]
        self.ids = tf.ragged.boolean_mask(read["ids"], several)
        starts = tf.reduce_min(tf.ragged.boolean_mask(read["starts"], several), axis=2).to_tensor(-1).numpy()
        self.encode = tf.function(DocumentClassifier(model, task.reader, task.labels).encode, autograph=False)
        self.model, self.inputs = model, {"mask": starts >= 0}
        super().__init__(starts, starts >= 0, like)

    def read_features(self):
        """Encodes the sentences."""
        return self.encode(self.ids)[0].numpy()

    def call(self, features, inputs):
        """Returns the logits of documents with the sentences of the mask."""
        return self.model.classify(features, inputs["mask"], training=False)[0]

    def attend(self, features, inputs, answers):
        """Returns the weights of the sentences."""
        return {"attention": self.model.classify(features, inputs["mask"], training=False)[1].numpy()}

    def predict(self, kept):
        """Leaves sentences out."""
        scores = [
            self.score(self.compiled(self.features[rows], {"mask": tf.constant(kept[rows])}), self.answers[rows])
            for rows in self.batches
        ]
        return np.concatenate(scores)
