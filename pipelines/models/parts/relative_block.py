"""An encoder block of the Transformer whose attention sees how far apart two tokens are.

Shapes: B batch, T tokens, D features, H heads.
"""

from functools import partial

import keras

from attention_zoo.layers import RelativeSelfAttention, TransformerEncoderBlock


@keras.saving.register_keras_serializable("attention_zoo")
class RelativeEncoderBlock(TransformerEncoderBlock):
    """`TransformerEncoderBlock` with `RelativeSelfAttention` (Shaw et al. 2018).

    Args:
        num_heads: H; the width D of the input must be a multiple of it.
        intermediate_dim: Width of the feed-forward network's inner layer.
        max_distance: Distance from which on all are alike. Defaults to 16.
        **kwargs: Further arguments of `TransformerEncoderBlock`.

    Example:

    >>> import keras
    >>> from attention_zoo.pipelines.models.parts.relative_block import RelativeEncoderBlock
    >>> tuple(RelativeEncoderBlock(num_heads=2, intermediate_dim=16, max_distance=3)(keras.ops.ones((3, 5, 8))).shape)
    (3, 5, 8)
    """

    def __init__(self, num_heads, intermediate_dim, max_distance=16, **kwargs):
        super().__init__(num_heads, intermediate_dim, **kwargs)
        self.max_distance = max_distance

    def build(self, query_shape):
        attention = partial(RelativeSelfAttention, max_distance=self.max_distance)
        self.self_attention = self._build_attention(attention, "self_attention", query_shape)
        self.self_attention_norm = self._build_norm("self_attention_norm", query_shape)
        self._build_feed_forward(query_shape)

    def get_config(self):
        return {**super().get_config(), "max_distance": self.max_distance}
