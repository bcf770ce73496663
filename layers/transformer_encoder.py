"""The encoder block of the Transformer, with layer normalisation after each sublayer (the paper's way) or before it.

Shapes: B batch, T tokens, D features, H heads.
"""

import keras

from attention_zoo.layers.self_attention import MultiHeadSelfAttention
from attention_zoo.layers.transformer_block import TransformerBlock


@keras.saving.register_keras_serializable("attention_zoo")
class TransformerEncoderBlock(TransformerBlock):
    """Self-attention and a feed-forward network, each with a residual connection (Vaswani et al. 2017, section 3.1).

    Each sublayer computes `norm(x + dropout(sublayer(x)))`, or with `normalize_first` `x + dropout(sublayer(norm(x)))`.
    A stack of the latter blocks needs a normalisation after the last one. The attention projections have biases, which
    the paper's equations leave out.

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

    Call arguments:
        query: `(B, T, D)`.
        query_mask: Bool `(B, T)`, True where there is a token. Defaults to the Keras mask of `query`.
        attention_mask: Bool, broadcastable to `(B, T, T)`, True where a token may attend.
        use_causal_mask: Whether token i sees only the tokens up to i.
        return_attention_scores: Whether to return the weights too.
        training: Whether to apply dropout.

    Returns:
        `(B, T, D)`, and with `return_attention_scores` also the weights, float32 `(B, H, T, T)`. A token that may
        attend to nothing passes on only its residual.

    Raises:
        ValueError: If a size is not a positive integer, or D is not a multiple of `num_heads`.

    Example:

    >>> import keras
    >>> from attention_zoo.layers import TransformerEncoderBlock
    >>> block = TransformerEncoderBlock(num_heads=2, intermediate_dim=32)
    >>> output, scores = block(keras.ops.ones((3, 5, 8)), return_attention_scores=True)
    >>> tuple(output.shape), tuple(scores.shape)
    ((3, 5, 8), (3, 2, 5, 5))
    """

    def build(self, query_shape):
        self.self_attention = self._build_attention(MultiHeadSelfAttention, "self_attention", query_shape)
        self.self_attention_norm = self._build_norm("self_attention_norm", query_shape)
        self._build_feed_forward(query_shape)

    def call(
        self,
        query,
        query_mask=None,
        attention_mask=None,
        use_causal_mask=False,
        return_attention_scores=False,
        training=None,
    ):
        if query_mask is None:  # Keras passes implicit masks only to layers with several inputs
            query_mask = getattr(query, "_keras_mask", None)
        update = self.self_attention(
            self._enter(query, self.self_attention_norm),
            query_mask=query_mask,
            attention_mask=attention_mask,
            use_causal_mask=use_causal_mask,
            return_attention_scores=return_attention_scores,
            training=training,
        )
        update, scores = update if return_attention_scores else (update, None)
        features = self._leave(query, update, self.self_attention_norm, training)
        features = self._feed_forward(features, training)
        return (features, scores) if return_attention_scores else features

    def compute_output_shape(self, query_shape):
        return query_shape

    def compute_output_spec(
        self,
        query,
        query_mask=None,
        attention_mask=None,
        use_causal_mask=False,
        return_attention_scores=False,
        training=None,
    ):
        output = keras.KerasTensor(query.shape, dtype=self.compute_dtype)
        scores_shape = (*query.shape[:-2], self.num_heads, query.shape[-2], query.shape[-2])
        return (output, keras.KerasTensor(scores_shape, dtype="float32")) if return_attention_scores else output
