"""Answers that are texts: which of their tokens is explained."""

import numpy as np
import tensorflow as tf

from attention_zoo.pipelines.engine.text.special_tokens import BOS
from explained.examples import Examples


class WrittenExamples(Examples):
    """Examples whose answer is a token of the text that the model wrote, with the tokens before it as given.

    A token is drawn among those whose probability halves, at least, if all parts are deleted: others, such as articles,
    do not depend on the parts, and no explanation can be right or wrong about them.

    A subclass sets `written`, tokens `(N, T)` filled up with 0, and calls `__init__` with `inputs["target"]` and
    `inputs["places"]` in place, see `forced`.
    """

    @staticmethod
    def forced(written):
        """Returns the inputs of a decoder that has written the tokens `(N, T)`."""
        target = np.pad(written, [(0, 0), (1, 0)], constant_values=BOS)[:, :-1]  # (N, T)
        return {"target": target.astype("int32"), "places": np.zeros(len(written), "int32")}

    def __init__(self, parts, mask, like=None):
        super().__init__(parts, mask, like)
        if like is not None:
            self.inputs["places"] = like.inputs["places"]
            return
        self.inputs["places"] = self.places()
        self.answers = self.written[np.arange(len(self.written)), self.inputs["places"]]

    def places(self):
        """Draws the place `(N,)` of the token that is explained."""
        scores = []
        for shown in (True, False):
            rows_of = []
            for rows in self.batches:
                kept = self.shown(np.full(self.mask[rows].shape, shown) | ~self.mask[rows])
                features = tf.where(kept, self.features[rows], self.blank)
                logits = self.call(features, self.inputs_of(rows))  # (B, T, V)
                rows_of.append(tf.gather(tf.nn.softmax(logits), self.written[rows], batch_dims=2).numpy())
            scores.append(np.concatenate(rows_of))  # (N, T)
        left = scores[1] / scores[0]
        order = np.where(left <= 0.5, np.random.default_rng(0).random(left.shape), -left)
        return np.argmax(np.where(self.written > 0, order, -np.inf), axis=1).astype("int32")

    def logits(self, outputs, inputs):
        """Returns the logits of the token in its place."""
        return tf.gather(outputs, inputs["places"], batch_dims=1)

    def attend(self, features, inputs, answers):
        """Returns the attention with which the token was written."""
        _, scores = self.model(self.given(features, inputs), training=False, return_attention_scores=True)
        return {"attention": tf.gather(self.model.alignment(scores), inputs["places"], batch_dims=1).numpy()}
