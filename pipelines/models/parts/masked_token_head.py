"""The head that predicts hidden tokens.

Shapes: B batch, T tokens, D width of the states, E width of the embeddings, V vocabulary.
"""

import keras

from attention_zoo.pipelines.models.parts.activations import activation_of
from attention_zoo.pipelines.models.parts.bert_embeddings import initial_weights


@keras.saving.register_keras_serializable("attention_zoo")
class MaskedTokenHead(keras.layers.Layer):
    """A dense layer, normalised, compared with the embeddings of all tokens, and a bias (Devlin et al. 2019's code).

    Args:
        vocabulary_size: V.
        dim: E.
        activation: Activation of the dense layer. Defaults to `"gelu"`, the exact one.
        layer_norm_epsilon: Added to the variance. Defaults to 1e-12.

    Call arguments:
        states: `(..., D)`.
        embeddings: The `BertEmbeddings` of the encoder.

    Returns:
        float32 `(..., V)`.
    """

    def __init__(self, vocabulary_size, dim, activation="gelu", layer_norm_epsilon=1e-12, **kwargs):
        super().__init__(**kwargs)
        self.vocabulary_size = vocabulary_size
        self.dim = dim
        self.activation = activation
        self.layer_norm_epsilon = layer_norm_epsilon
        self.dense = keras.layers.Dense(
            dim,
            activation=activation_of(activation),
            kernel_initializer=initial_weights(),
            dtype=self.dtype_policy,
            name="dense",
        )
        self.norm = keras.layers.LayerNormalization(epsilon=layer_norm_epsilon, dtype=self.dtype_policy, name="norm")

    def build(self, states_shape):
        self.dense.build(states_shape)
        self.norm.build((*states_shape[:-1], self.dim))
        # Logits are float32 whatever the policy, and so is what is added to them.
        self.bias = self.add_weight(
            name="bias", shape=(self.vocabulary_size,), initializer="zeros", dtype="float32", autocast=False
        )

    def call(self, states, embeddings):
        return embeddings.logits(self.norm(self.dense(states))) + self.bias

    def get_config(self):
        return super().get_config() | {
            "vocabulary_size": self.vocabulary_size,
            "dim": self.dim,
            "activation": self.activation,
            "layer_norm_epsilon": self.layer_norm_epsilon,
        }
