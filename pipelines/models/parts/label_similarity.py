"""Labels as vectors: a text belongs to the label whose vector is most similar.

Shapes: B examples, D features, E embedding_dim, K labels.
"""

import keras
from keras import ops

LEFT_OUT = -1.0e9  # similarity of a label that the loss does not compare with


@keras.saving.register_keras_serializable("attention_zoo")
class LabelSimilarity(keras.layers.Layer):
    """Dot products of a text's embedding with those of all labels (Bunk et al. 2020, section 3, "Intent").

    Args:
        num_labels: K.
        embedding_dim: E. Defaults to 20.
        negatives: Wrong labels that the loss compares with, drawn for each example. Defaults to 20.

    Call arguments:
        inputs: `(B, D)`.

    Returns:
        Similarities, float32 `(B, K)`.

    Example:

    >>> import keras
    >>> from attention_zoo.pipelines.models.parts.label_similarity import LabelSimilarity
    >>> layer = LabelSimilarity(num_labels=3)
    >>> similarities = layer(keras.ops.ones((2, 8)))
    >>> tuple(similarities.shape), tuple(layer.loss(similarities, [0, 2]).shape)
    ((2, 3), (2,))
    """

    def __init__(self, num_labels, embedding_dim=20, negatives=20, **kwargs):
        super().__init__(**kwargs)
        self.num_labels = num_labels
        self.embedding_dim = embedding_dim
        self.negatives = negatives
        self.seed_generator = keras.random.SeedGenerator()

    def build(self, input_shape):
        self.embed = keras.layers.Dense(self.embedding_dim, dtype=self.dtype_policy, name="embed")
        self.embed.build(input_shape)
        shape = (self.num_labels, self.embedding_dim)
        self.labels = self.add_weight(name="labels", shape=shape, initializer="glorot_uniform")

    def call(self, inputs):
        embedded = ops.cast(self.embed(inputs), "float32")  # (B, E)
        return ops.matmul(embedded, ops.transpose(ops.cast(self.labels, "float32")))  # (B, K)

    def loss(self, similarities, labels):
        """The cross-entropy of the right label among itself and the drawn wrong ones.

        Args:
            similarities: `(B, K)`.
            labels: Integers `(B,)`.

        Returns:
            float32 `(B,)`.
        """
        right = ops.one_hot(labels, self.num_labels, dtype="bool")  # (B, K)
        if self.negatives < self.num_labels - 1:
            drawn = keras.random.uniform(ops.shape(similarities), dtype="float32", seed=self.seed_generator)
            drawn = ops.where(right, 2.0, drawn)  # the right label is one of the `negatives + 1` greatest
            least = ops.min(ops.top_k(drawn, self.negatives + 1)[0], axis=-1, keepdims=True)
            similarities = ops.where(drawn >= least, similarities, LEFT_OUT)
        return ops.logsumexp(similarities, axis=-1) - ops.sum(ops.where(right, similarities, 0.0), axis=-1)

    def get_config(self):
        return {
            **super().get_config(),
            "num_labels": self.num_labels,
            "embedding_dim": self.embedding_dim,
            "negatives": self.negatives,
        }
