"""Examples of a run: the parts of each, an answer that depends on their features, and explanations of the answer.

Shapes: N examples, B of them that are computed together, P parts of an example, K classes.
"""

import numpy as np
import tensorflow as tf

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.explanations.gradients import integrated_gradients

TOGETHER = 50


class Examples:
    """The first examples of the test split of a run.

    The features of a part are what the model reads of it: pixels, or an embedding. A deleted part has the features that
    parts have on average. This is the baseline of integrated gradients, too.

    A subclass sets `model` and `inputs`, a dict of arrays `(N, ...)`, and then calls `__init__` of this class.

    Args:
        parts: `(N, P)` or `(N, ...)`, what the parts are: two runs can be compared if theirs are equal.
        mask: Bool `(N, P)`: the parts of each example. All else that the model reads is never deleted.
        like: The examples of another run, whose answers are explained. Defaults to `None`: the model's own answers.

    Attributes:
        features: Float array `(N, ...)`, `blank` those of a deleted part, which broadcast to `(N, ...)`.
        answers: `(N,)`, what is explained.

    Raises:
        UserError: The parts are not those of `like`.
    """

    def __init__(self, parts, mask, like=None):
        self.parts, self.mask = np.asarray(parts), np.asarray(mask, bool)
        if like is not None and not np.array_equal(self.parts, like.parts):
            raise UserError("expected two runs that read the same parts, received runs whose pieces or cells differ")
        starts = range(0, len(self.mask), TOGETHER)
        self.batches = [np.arange(start, min(start + TOGETHER, len(self.mask))) for start in starts]
        self.compiled = tf.function(self.compute, autograph=False, reduce_retracing=True)
        self.read()
        whole = [self.compiled(self.features[rows], self.inputs_of(rows)) for rows in self.batches]
        self.answers = like.answers if like is not None else np.concatenate([self.answers_in(one) for one in whole])

    def read(self):
        """Reads the features, and those of a deleted part, with the weights that the model has now."""
        self.features = self.read_features()
        self.blank = self.blank_of(self.features)

    def read_features(self):
        """Returns the features, float array `(N, ...)`."""
        raise NotImplementedError

    def blank_of(self, features):
        """Returns the features of a deleted part: the mean over all parts, which by default are rows."""
        return features[self.mask].mean(axis=0)

    def given(self, features, inputs):
        """Returns what the model is called with."""
        raise NotImplementedError

    def call(self, features, inputs):
        """Returns the outputs of the model for parts with these features."""
        return self.model(self.given(features, inputs), training=False)

    def logits(self, outputs, inputs):
        """Returns the logits `(B, K)` among which the answer is."""
        return outputs

    def attend(self, features, inputs, answers):
        """Returns the explanations by attention, `(B, P)`, by name."""
        raise NotImplementedError

    def shown(self, kept):
        """Returns where features are those of the example, for bool `(B, P)`: bool that broadcasts to the features.

        The default is for parts that are the rows of the features.
        """
        return kept[..., None]

    def of_parts(self, values):
        """Returns the sums `(B, P)` of values of the features over each part, by default a row of the features."""
        return values.sum(axis=-1)

    def inputs_of(self, rows):
        """Returns the inputs of some of the examples."""
        return {name: tf.constant(values[rows]) for name, values in self.inputs.items()}

    def compute(self, features, inputs):
        """Returns the logits `(B, K)` for parts with these features."""
        return tf.cast(self.logits(self.call(features, inputs), inputs), tf.float32)

    def answers_in(self, logits):
        """Returns the answers `(B,)` of a model."""
        return np.argmax(logits, axis=-1)

    def target(self, logits, answers):
        """Returns the numbers `(B,)` whose gradients are taken: the logits of the answers."""
        return tf.gather(logits, answers, batch_dims=1)

    def score(self, logits, answers):
        """Returns the numbers `(B,)` that fall as parts are deleted: the probabilities of the answers."""
        return tf.gather(tf.nn.softmax(logits), answers, batch_dims=1)

    def predict(self, kept):
        """Returns the scores `(N,)` of the answers with some of the parts, bool `(N, P)`."""
        scores = []
        for rows in self.batches:
            shown = self.shown(kept[rows] | ~self.mask[rows])
            features = tf.where(shown, self.features[rows], self.blank)
            scores.append(self.score(self.compiled(features, self.inputs_of(rows)), self.answers[rows]).numpy())
        return np.concatenate(scores)

    def explanations(self):
        """Returns the attributions `(N, P)` by the name of the explanation, with the weights that the model has now."""
        self.read()
        found = {}
        for rows in self.batches:
            batch = tf.constant(self.features[rows]), self.inputs_of(rows), tf.constant(self.answers[rows])
            for name, attributions in {**self.attend(*batch), **self.gradients(*batch)}.items():
                found.setdefault(name, []).append(np.asarray(attributions))
        return {name: np.concatenate(values) for name, values in found.items()}

    def gradients(self, features, inputs, answers):
        """Returns the explanations by gradients, `(B, P)`, by name."""

        def function(point):
            return self.target(self.compiled(point, inputs), answers)

        with tf.GradientTape() as tape:
            tape.watch(features)
            answer = function(features)
        slopes = tf.convert_to_tensor(tape.gradient(answer, features)).numpy()
        added = integrated_gradients(function, features, self.blank)
        return {"gradient": self.of_parts(abs(slopes)), "integrated gradients": self.of_parts(added)}


class SelfAttentionExamples(Examples):
    """Examples of a model whose layers of self-attention read the parts.

    A subclass has `pooled(maps, inputs)`, which takes of maps `(B, T, T)` what the answer is read from, `(B, P)`.
    """

    def attend(self, features, inputs, answers):
        """Returns attention of the last block, rollout, and attention weighted by gradients."""
        from attention_zoo.layers import record_attention
        from attention_zoo.pipelines.explanations.gradients import attention_relevance

        given = self.given(features, inputs)
        with record_attention(self.model) as recorded:
            self.model(given, training=False)
        relevance = attention_relevance(
            self.model, given, lambda outputs: self.target(self.logits(outputs, inputs), answers)
        )
        maps = self.maps([weights.numpy() for weights in recorded.values()]) | {"relevance": relevance}
        return {name: self.pooled(one, inputs) for name, one in maps.items()}

    def maps(self, scores):
        """Returns maps `(B, T, T)` by name, of the weights `(B, H, T, T)` of all blocks."""
        from attention_zoo.layers import attention_rollout

        return {"attention": scores[-1].mean(axis=1), "rollout": np.asarray(attention_rollout(scores))}


class TokenExamples(Examples):
    """Examples whose parts are tokens.

    A subclass sets `embedding`, the layer that embeds them, which the model calls first with `inputs[tokens]`.
    """

    tokens = "tokens"

    def read_features(self):
        """Embeds the tokens."""
        return np.concatenate([self.embedding(self.inputs_of(rows)[self.tokens]).numpy() for rows in self.batches])

    def given(self, features, inputs):
        """Returns the inputs: the features are given to the layer that embeds."""
        return inputs

    def call(self, features, inputs):
        """Calls the model, in which the first call of `embedding` returns the features."""
        from attention_zoo.layers.record import shadowed

        embed, replaced = self.embedding.call, []

        def call(*args, **kwargs):
            if replaced:  # a Transformer embeds the target with the same layer
                return embed(*args, **kwargs)
            replaced.append(True)
            return tf.cast(features, self.embedding.compute_dtype)

        with shadowed(self.embedding, "call", call):
            return super().call(features, inputs)


class CellExamples(Examples):
    """Examples whose parts are the cells of a grid over an image, row by row.

    A subclass sets `images`, float `(N, H, W, C)`, and `grid`, (h, w).
    """

    def read_features(self):
        """Returns the pixels."""
        sides = zip(self.images.shape[1:3], self.grid)
        self.starts = [np.arange(cells) * -(-size // cells) for size, cells in sides]  # of cells, in pixels
        return self.images

    def blank_of(self, features):
        """Returns the mean image: a deleted cell has its pixels."""
        return features.mean(axis=0)

    def given(self, features, inputs):
        """Returns the pixels."""
        return features

    def shown(self, kept):
        """Each pixel is shown if its cell is kept."""
        rows, columns = (
            np.searchsorted(starts, np.arange(size), side="right") - 1
            for starts, size in zip(self.starts, self.images.shape[1:3])
        )
        return kept.reshape(-1, *self.grid)[:, rows[:, None], columns, None]

    def of_parts(self, values):
        """Sums over the pixels of each cell."""
        rows, columns = self.starts
        cells = np.add.reduceat(np.add.reduceat(values.sum(axis=-1), rows, axis=1), columns, axis=2)
        return cells.reshape(len(values), -1)
