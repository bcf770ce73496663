"""Residual connections, layer normalisation and the feed-forward network, which both blocks of the Transformer share.

Shapes: B batch, T tokens, D features.
"""

import keras

from attention_zoo.layers.checks import check_positive_integer, check_share
from attention_zoo.layers.patches import StochasticDepth
from attention_zoo.layers.projection import Projection


class TransformerBlock(keras.layers.Layer):
    """Base of the encoder and the decoder block, which add their attention sublayers.

    Args:
        num_heads: H; the width D of the input must be a multiple of it.
        intermediate_dim: Width of the feed-forward network's inner layer.
        dropout: Share of each sublayer's output that is dropped in training. Defaults to 0.
        attention_dropout: Share of the attention weights that are dropped in training. Defaults to 0.
        activation: Activation of the inner layer. Defaults to `"relu"`.
        normalize_first: Whether to normalise before each sublayer rather than after it. Defaults to `False`.
        layer_norm_epsilon: Added to the variance. Defaults to 1e-6.
        stochastic_depth: Probability that training leaves out a sublayer for an example; see `StochasticDepth`.
            Defaults to 0.
        kernel_initializer: Of all projections; each gets a copy. Defaults to `"glorot_uniform"`.

    Attributes:
        recomputable: Whether training may compute the block's activations again for the gradient. Always `True`.

    Example:

    >>> from attention_zoo.layers import TransformerEncoderBlock
    >>> isinstance(TransformerEncoderBlock(num_heads=2, intermediate_dim=32), TransformerBlock)
    True
    """

    recomputable = True

    def __init__(
        self,
        num_heads,
        intermediate_dim,
        dropout=0.0,
        attention_dropout=0.0,
        activation="relu",
        normalize_first=False,
        layer_norm_epsilon=1e-6,
        stochastic_depth=0.0,
        kernel_initializer="glorot_uniform",
        **kwargs,
    ):
        super().__init__(**kwargs)
        check_positive_integer("num_heads", num_heads)
        check_positive_integer("intermediate_dim", intermediate_dim)
        check_share("dropout", dropout)
        check_share("attention_dropout", attention_dropout)
        check_share("stochastic_depth", stochastic_depth)
        self.num_heads = num_heads
        self.intermediate_dim = intermediate_dim
        self.dropout = dropout
        self.attention_dropout = attention_dropout
        self.activation = keras.activations.get(activation)
        self.normalize_first = normalize_first
        self.layer_norm_epsilon = layer_norm_epsilon
        self.stochastic_depth = stochastic_depth
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.stochastic_depth_layer = StochasticDepth(
            stochastic_depth, dtype=self.dtype_policy, name="stochastic_depth"
        )
        self.residual_dropout = keras.layers.Dropout(dropout, dtype=self.dtype_policy, name="dropout")
        self.supports_masking = True

    def _build_attention(self, attention_class, name, query_shape, *other_shapes):
        dim = query_shape[-1]
        if dim % self.num_heads:
            raise ValueError(
                f"The width of `query` must be a multiple of num_heads={self.num_heads}. Received shape: {query_shape}"
            )
        attention = attention_class(
            self.num_heads,
            dim // self.num_heads,
            dropout=self.attention_dropout,
            kernel_initializer=self.kernel_initializer.clone(),
            dtype=self.dtype_policy,
            name=name,
        )
        attention.build(query_shape, *other_shapes)
        return attention

    def _build_norm(self, name, shape):
        norm = keras.layers.LayerNormalization(epsilon=self.layer_norm_epsilon, dtype=self.dtype_policy, name=name)
        norm.build(shape)
        return norm

    def _build_feed_forward(self, shape):
        self.feed_forward_norm = self._build_norm("feed_forward_norm", shape)
        self.feed_forward_in = self._build_projection("feed_forward_in", self.intermediate_dim, shape)
        self.feed_forward_out = self._build_projection(
            "feed_forward_out", shape[-1], (*shape[:-1], self.intermediate_dim)
        )

    def _initializer_of(self, name):
        """The initialiser of the projection with this name; a subclass may draw one of them otherwise."""
        return self.kernel_initializer

    def _build_projection(self, name, dim, shape):
        initializer = self._initializer_of(name).clone()
        projection = Projection((dim,), kernel_initializer=initializer, dtype=self.dtype_policy, name=name)
        projection.build(shape)
        return projection

    def _enter(self, features, norm):
        return norm(features) if self.normalize_first else features

    def _leave(self, features, update, norm, training):
        update = self.residual_dropout(update, training=training)
        update = self.stochastic_depth_layer(update, training=training)
        features = features + update
        return features if self.normalize_first else norm(features)

    def _feed_forward(self, features, training):
        """Section 3.3: `FFN(x) = max(0, x W_1 + b_1) W_2 + b_2`."""
        entered = self._enter(features, self.feed_forward_norm)
        update = self.feed_forward_out(self.activation(self.feed_forward_in(entered)))
        return self._leave(features, update, self.feed_forward_norm, training)

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "intermediate_dim": self.intermediate_dim,
            "dropout": self.dropout,
            "attention_dropout": self.attention_dropout,
            "activation": keras.activations.serialize(self.activation),
            "normalize_first": self.normalize_first,
            "layer_norm_epsilon": self.layer_norm_epsilon,
            "stochastic_depth": self.stochastic_depth,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }
