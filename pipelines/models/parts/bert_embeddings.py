"""The sum of the embeddings of tokens, positions and segments, normalised, as BERT and its relatives begin with.

Shapes: B batch, T tokens, D dim, V vocabulary.
"""

import keras
from keras import ops

from attention_zoo.layers.tied_logits import tied_logits

INITIAL_DEVIATION = 0.02  # of all weights of BERT, GPT-2 and their relatives, from a truncated normal distribution


def initial_weights():
    """Returns BERT's initialiser: normal, standard deviation .02, cut at two of them (Devlin et al. 2019's code)."""
    return keras.initializers.TruncatedNormal(stddev=INITIAL_DEVIATION)


@keras.saving.register_keras_serializable("attention_zoo")
class BertEmbeddings(keras.layers.Layer):
    """`dropout(norm(token + position + segment))` (Devlin et al. 2019, section 3, figure 2).

    Args:
        vocabulary_size: V.
        dim: D.
        max_length: Number of learned positions.
        num_segments: Number of learned segments; 0 leaves them out. Defaults to 2.
        dropout: Share of the features that are dropped in training. Defaults to 0.
        layer_norm_epsilon: Added to the variance. Defaults to 1e-12, that of the authors' code.

    Call arguments:
        tokens: Integers `(B, T)`.
        positions: Integers, broadcastable to `(B, T)`.
        segments: Integers, broadcastable to `(B, T)`. Defaults to `None`: all are segment 0.
        training: Whether to apply dropout.

    Returns:
        `(B, T, D)`.

    Example:

    >>> import keras
    >>> embeddings = BertEmbeddings(vocabulary_size=100, dim=8, max_length=16)
    >>> features = embeddings(keras.ops.array([[5, 6, 0]]), positions=keras.ops.arange(3)[None])
    >>> tuple(features.shape), tuple(embeddings.logits(features).shape)
    ((1, 3, 8), (1, 3, 100))
    """

    def __init__(
        self, vocabulary_size, dim, max_length, num_segments=2, dropout=0.0, layer_norm_epsilon=1e-12, **kwargs
    ):
        super().__init__(**kwargs)
        self.vocabulary_size = vocabulary_size
        self.dim = dim
        self.max_length = max_length
        self.num_segments = num_segments
        self.dropout = dropout
        self.layer_norm_epsilon = layer_norm_epsilon
        self.token_embedding = self._embedding(vocabulary_size, "tokens")
        self.position_embedding = self._embedding(max_length, "positions")
        self.segment_embedding = self._embedding(num_segments, "segments") if num_segments else None
        self.norm = keras.layers.LayerNormalization(epsilon=layer_norm_epsilon, dtype=self.dtype_policy, name="norm")
        self.dropout_layer = keras.layers.Dropout(dropout, dtype=self.dtype_policy, name="dropout")

    def _embedding(self, rows, name):
        return keras.layers.Embedding(
            rows, self.dim, embeddings_initializer=initial_weights(), dtype=self.dtype_policy, name=name
        )

    def build(self, tokens_shape):
        for embedding in (self.token_embedding, self.position_embedding, self.segment_embedding):
            if embedding is not None:
                embedding.build(tokens_shape)
        self.norm.build((*tokens_shape, self.dim))

    def call(self, tokens, positions, segments=None, training=None):
        features = self.token_embedding(tokens) + self.position_embedding(positions)  # (B, T, D)
        if self.segment_embedding is not None:
            segments = ops.zeros_like(tokens) if segments is None else segments
            features = features + self.segment_embedding(segments)
        return self.dropout_layer(self.norm(features), training=training)

    def logits(self, features):
        """Scores every token of the vocabulary by the token embeddings, `(..., D)` to float32 `(..., V)`."""
        return tied_logits(features, self.token_embedding)

    def compute_output_shape(self, tokens_shape, *args, **kwargs):
        return (*tokens_shape, self.dim)

    def get_config(self):
        return super().get_config() | {
            "vocabulary_size": self.vocabulary_size,
            "dim": self.dim,
            "max_length": self.max_length,
            "num_segments": self.num_segments,
            "dropout": self.dropout,
            "layer_norm_epsilon": self.layer_norm_epsilon,
        }
