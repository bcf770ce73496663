"""The arguments, the projections and the weights of multi-head attention.

Shapes: B batch (one or more leading axes), T queries, S keys, Dq, Dk and Dv features, H heads, d key_dim, v value_dim.
"""

import keras

from attention_zoo.layers.axes import attended_axes, folded_shape
from attention_zoo.layers.checks import check_positive_integer, check_share
from attention_zoo.layers.dot_product import blocks_pay, check_implementation
from attention_zoo.layers.projection import Projection
from attention_zoo.layers.shapes import check_attention_shapes

_PLAIN = (
    *("num_heads", "key_dim", "value_dim", "dropout", "use_bias", "output_shape", "attention_axes"),
    *("sliding_window", "flash_attention", "use_gate", "seed", "implementation"),
)
_MODULES = {"initializer": keras.initializers, "regularizer": keras.regularizers, "constraint": keras.constraints}
_OBJECTS = {f"{weight}_{kind}": module for kind, module in _MODULES.items() for weight in ("kernel", "bias")}


class HeadProjections(keras.layers.Layer):
    """Base of `MultiHeadAttention`: holds its arguments and owns its weights, and computes no attention itself.

    The arguments are those of `MultiHeadAttention`.

    Weights, each a kernel and, with `use_bias`, a bias:
        `query_dense`: (Dq, H, d).
        `key_dense`: (Dk, H, d).
        `gate_dense`: (Dq, H, v), only with `use_gate`.
        `value_dense`: (Dv, H, v).
        `output_dense`: (H, v, output_shape).

    Example:

    >>> from attention_zoo.layers import MultiHeadAttention
    >>> layer = MultiHeadAttention(num_heads=2, key_dim=4, use_bias=False)
    >>> layer.build((3, 5, 8), (3, 7, 6))
    >>> [tuple(weight.shape) for weight in layer.trainable_weights]
    [(8, 2, 4), (6, 2, 4), (6, 2, 4), (2, 4, 8)]
    """

    def __init__(
        self,
        num_heads,
        key_dim,
        value_dim=None,
        dropout=0.0,
        use_bias=True,
        output_shape=None,
        attention_axes=None,
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
        super().__init__(**kwargs)
        check_implementation(implementation)
        check_positive_integer("num_heads", num_heads)
        check_positive_integer("key_dim", key_dim)
        check_positive_integer("value_dim", value_dim, optional=True)
        check_positive_integer("sliding_window", sliding_window, optional=True)
        if output_shape is not None:
            output_shape = tuple(output_shape) if isinstance(output_shape, (list, tuple)) else (output_shape,)
            for size in output_shape:
                check_positive_integer("output_shape", size)
        check_share("dropout", dropout)
        self.num_heads = num_heads
        self.key_dim = key_dim
        self.value_dim = key_dim if value_dim is None else value_dim
        self.dropout = dropout
        self.use_bias = use_bias
        self.output_shape = output_shape
        self.attention_axes = (attention_axes,) if isinstance(attention_axes, int) else attention_axes
        self.sliding_window = sliding_window
        self.flash_attention = flash_attention
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.bias_regularizer = keras.regularizers.get(bias_regularizer)
        # Not `self.activity_regularizer`, which Keras would also apply to the output of this layer.
        self._projection_activity_regularizer = keras.regularizers.get(activity_regularizer)
        self.kernel_constraint = keras.constraints.get(kernel_constraint)
        self.bias_constraint = keras.constraints.get(bias_constraint)
        self.use_gate = use_gate
        self.seed = seed
        self.implementation = implementation
        self._dropout_layer = keras.layers.Dropout(dropout, seed=seed, dtype=self.dtype_policy, name="dropout")
        self.supports_masking = True

    # Attributes have the names that Keras's layer gives them: `load_weights` finds weights in a file by these.
    query_dense = property(lambda self: self._query_dense)
    key_dense = property(lambda self: self._key_dense)
    gate_dense = property(lambda self: self._gate_dense)
    value_dense = property(lambda self: self._value_dense)
    output_dense = property(lambda self: self._output_dense)

    num_key_heads = property(lambda self: self.num_heads)  # fewer in `GroupedQueryAttention`

    def build(self, query_shape, value_shape, key_shape=None):
        key_shape = value_shape if key_shape is None else key_shape
        check_attention_shapes(type(self).__name__, query_shape, value_shape, key_shape)
        axes = attended_axes(self.attention_axes, len(query_shape))
        query_shape, value_shape, key_shape = (folded_shape(s, axes) for s in (query_shape, value_shape, key_shape))
        # Keras compiles with XLA unless a layer cannot be; long sequences would then need all their scores at once.
        self.supports_jit = not (
            self.implementation == "blocks"
            or self.implementation == "auto"
            and blocks_pay(query_shape[-2], key_shape[-2])
        )
        heads = self.num_heads
        self._query_dense = self._projection("query", query_shape, (heads, self.key_dim))
        self._key_dense = self._projection("key", key_shape, (self.num_key_heads, self.key_dim))
        if self.use_gate:  # here, so that the weights have Keras's order
            self._gate_dense = self._projection("gate", query_shape, (heads, self.value_dim), activation="sigmoid")
        self._value_dense = self._projection("value", value_shape, (self.num_key_heads, self.value_dim))
        joined_shape = (*query_shape[:-1], heads, self.value_dim)
        sizes = query_shape[-1:] if self.output_shape is None else self.output_shape
        self._output_dense = self._projection("attention_output", joined_shape, sizes, input_axes=2)

    def _initializer_of(self, name):
        """The initialiser of the projection with this name; a subclass may draw one of them otherwise."""
        return self.kernel_initializer

    def _projection(self, name, input_shape, output_sizes, input_axes=1, activation=None):
        dense = Projection(
            output_sizes,
            input_axes,
            self.use_bias,
            self._initializer_of(name),
            activation=activation,
            bias_initializer=self.bias_initializer.clone(),
            kernel_regularizer=self.kernel_regularizer,
            bias_regularizer=self.bias_regularizer,
            activity_regularizer=self._projection_activity_regularizer,
            kernel_constraint=self.kernel_constraint,
            bias_constraint=self.bias_constraint,
            dtype=self.dtype_policy,
            name=name,
        )
        dense.build(input_shape)
        return dense

    def get_config(self):
        config = {name: getattr(self, name) for name in _PLAIN}
        for name, module in _OBJECTS.items():
            config[name] = module.serialize(getattr(self, name))
        activity = keras.regularizers.serialize(self._projection_activity_regularizer)
        return {**super().get_config(), **config, "activity_regularizer": activity}
