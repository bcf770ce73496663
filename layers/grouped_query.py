"""Multi-head attention whose queries share keys and values in groups.

Shapes: B batch, T queries, S keys, D features, H query heads, K key heads, d head_dim.
"""

import keras

from attention_zoo.layers.checks import check_positive_integer
from attention_zoo.layers.multi_head import MultiHeadAttention


@keras.saving.register_keras_serializable("attention_zoo")
class GroupedQueryAttention(MultiHeadAttention):
    """Multi-head attention in which H / K query heads share each of K key and value heads (Ainslie et al. 2023).

    With K = 1 it is multi-query attention, with K = H multi-head attention. Takes the arguments and weights of
    `keras.layers.GroupQueryAttention`.

    Args:
        head_dim: d, the width of one head.
        num_query_heads: H.
        num_key_value_heads: K, a divisor of H. dropout, use_bias, sliding_window, flash_attention, kernel_initializer,
            bias_initializer, kernel_regularizer, bias_regularizer, activity_regularizer, kernel_constraint,
            bias_constraint, use_gate, seed, implementation: As in `MultiHeadAttention`.

    Call arguments and output: as in `MultiHeadAttention`.

    Raises:
        ValueError: If a size is not a positive integer, or H is not a multiple of K.

    Example:

    >>> import keras
    >>> from attention_zoo.layers import GroupedQueryAttention
    >>> layer = GroupedQueryAttention(head_dim=4, num_query_heads=6, num_key_value_heads=2)
    >>> output, scores = layer(keras.ops.ones((3, 5, 8)), keras.ops.ones((3, 7, 8)), return_attention_scores=True)
    >>> tuple(output.shape), tuple(scores.shape)
    ((3, 5, 8), (3, 6, 5, 7))
    """

    def __init__(
        self,
        head_dim,
        num_query_heads,
        num_key_value_heads,
        dropout=0.0,
        use_bias=True,
        sliding_window=None,
        flash_attention=None,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        kernel_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        kernel_constraint=None,
        bias_constraint=None,
        use_gate=False,
        seed=None,
        implementation="auto",
        **kwargs,
    ):
        check_positive_integer("head_dim", head_dim)
        check_positive_integer("num_query_heads", num_query_heads)
        check_positive_integer("num_key_value_heads", num_key_value_heads)
        if num_query_heads % num_key_value_heads:
            raise ValueError(
                "`num_query_heads` must be a multiple of `num_key_value_heads`. "
                f"Received: {num_query_heads}, {num_key_value_heads}"
            )
        super().__init__(
            num_query_heads,
            head_dim,
            dropout=dropout,
            use_bias=use_bias,
            sliding_window=sliding_window,
            flash_attention=flash_attention,
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            bias_regularizer=bias_regularizer,
            activity_regularizer=activity_regularizer,
            kernel_constraint=kernel_constraint,
            bias_constraint=bias_constraint,
            use_gate=use_gate,
            seed=seed,
            implementation=implementation,
            **kwargs,
        )
        # Keras's layer regularises its output too.
        self.activity_regularizer = self._projection_activity_regularizer
        self.head_dim = head_dim
        self.num_query_heads = num_query_heads
        self.num_key_value_heads = num_key_value_heads

    @property
    def num_key_heads(self):
        return self.num_key_value_heads

    def get_config(self):
        config = super().get_config()
        for name in ("num_heads", "key_dim", "value_dim", "output_shape", "attention_axes"):
            del config[name]
        names = ("head_dim", "num_query_heads", "num_key_value_heads")
        return {**config, **{name: getattr(self, name) for name in names}}
