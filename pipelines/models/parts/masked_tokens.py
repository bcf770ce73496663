"""Hides some tokens of a sentence, and asks which tokens they were.

Shapes: B sentences, T tokens, D features, E embedding_dim, N negatives.
"""

import keras
from keras import ops

MASKED = -1.0e9  # similarity of a token that is not to be compared with


@keras.saving.register_keras_serializable("attention_zoo")
class MaskedTokens(keras.layers.Layer):
    """The mask loss of DIET (Bunk et al. 2020, section 3, "Masking").

    `hide` chooses 15% of the tokens; 70% of them become a learned vector, 10% another token of the batch, 20% stay.
    The loss compares what the encoder made of a chosen token with the token itself and with N others of the batch: the
    cross-entropy of dot products of embeddings. Negatives that are the same word are left out.

    Args:
        embedding_dim: E. Defaults to 20.
        negatives: N. Defaults to 20.
        share: Share of the tokens that are chosen. Defaults to 0.15.

    Call arguments:
        encoded: `(B, T, D)`, what the encoder made of the tokens of `hide`.
        tokens: `(B, T, D)`, the tokens before `hide`.
        words: Integers `(B, T)`, the same for the same word, 0 = padding.
        chosen: Bool `(B, T)`, from `hide`.

    Returns:
        float32 `(B,)`: the mean loss of the chosen tokens of each sentence; 0 if there are none.

    Example:

    >>> import keras
    >>> from attention_zoo.pipelines.models.parts.masked_tokens import MaskedTokens
    >>> layer, tokens, words = MaskedTokens(embedding_dim=4), keras.ops.ones((2, 3, 8)), keras.ops.ones((2, 3), "int32")
    >>> layer.build(tokens.shape)
    >>> hidden, chosen = layer.hide(tokens, words)
    >>> layer(hidden, tokens, words=words, chosen=chosen).shape
    TensorShape([2])
    """

    def __init__(self, embedding_dim=20, negatives=20, share=0.15, **kwargs):
        super().__init__(**kwargs)
        self.embedding_dim = embedding_dim
        self.negatives = negatives
        self.share = share
        self.seed_generator = keras.random.SeedGenerator()

    def build(self, encoded_shape, tokens_shape=None, words_shape=None, chosen_shape=None):
        self.mask_vector = self.add_weight(name="mask_vector", shape=(encoded_shape[-1],), initializer="glorot_uniform")
        for name in ("predict", "target"):
            dense = keras.layers.Dense(self.embedding_dim, dtype=self.dtype_policy, name=name)
            dense.build(encoded_shape)
            setattr(self, name, dense)

    def _shuffled(self, tokens, shape):
        """Tokens of the batch drawn at random: `(*shape, D)`, and their places in `(B T,)`."""
        count = ops.shape(tokens)[0] * ops.shape(tokens)[1]
        drawn = keras.random.uniform(shape, dtype="float32", seed=self.seed_generator)
        places = ops.minimum(ops.cast(drawn * ops.cast(count, "float32"), "int32"), count - 1)
        return ops.take(ops.reshape(tokens, (-1, tokens.shape[-1])), places, axis=0), places

    def hide(self, tokens, words):
        """Returns the tokens with some of them hidden, `(B, T, D)`, and which ones were chosen, bool `(B, T)`."""
        sizes = ops.shape(words)
        first, second = (keras.random.uniform(sizes, dtype="float32", seed=self.seed_generator) for _ in range(2))
        chosen = ops.logical_and(first < self.share, words != 0)
        others, _ = self._shuffled(tokens, sizes)
        replaced = ops.where((second < 0.7)[..., None], ops.cast(self.mask_vector, tokens.dtype), others)
        return ops.where(ops.logical_and(chosen, second < 0.8)[..., None], replaced, tokens), chosen

    def call(self, encoded, tokens, words, chosen):
        predicted = ops.cast(self.predict(encoded), "float32")  # (B, T, E)
        truth = ops.cast(self.target(tokens), "float32")  # (B, T, E)
        others, places = self._shuffled(truth, (self.negatives,))  # (N, E)
        their_words = ops.take(ops.reshape(words, (-1,)), places, axis=0)  # (N,)
        right = ops.sum(predicted * truth, axis=-1)  # (B, T)
        wrong = ops.matmul(predicted, ops.transpose(others))  # (B, T, N)
        comparable = ops.logical_and(their_words != 0, their_words != words[..., None])
        wrong = ops.where(comparable, wrong, MASKED)
        loss = ops.logsumexp(ops.concatenate([right[..., None], wrong], axis=-1), axis=-1) - right  # (B, T)
        weights = ops.cast(chosen, "float32")
        return ops.sum(loss * weights, axis=-1) / ops.maximum(ops.sum(weights, axis=-1), 1.0)

    def get_config(self):
        return {
            **super().get_config(),
            "embedding_dim": self.embedding_dim,
            "negatives": self.negatives,
            "share": self.share,
        }
