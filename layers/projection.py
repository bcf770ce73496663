"""The product of features with a matrix, over any number of leading axes."""

import keras
from keras import ops

from attention_zoo.layers.shapes import leading_axes


def project(inputs, kernel):
    """`inputs @ kernel` over the last axis: (..., D), (D, U) -> (..., U).

    `keras.ops.matmul` does the same, but on TensorFlow as a tensordot, whose gradient inside a loop does not compile
    under XLA when the lengths are open; an einsum's does, and takes a third more time in a decoder's step.

    The kernel is cast to the dtype of the inputs: a decoder calls parts of layers without passing through `__call__`,
        where
    Keras would have cast their weights.

    Args:
        inputs: (..., D).
        kernel: (D, U).

    Returns:
        (..., U).

    Example:

    >>> import keras
    >>> from attention_zoo.layers.projection import project
    >>> project(keras.ops.ones((2, 3, 4)), keras.ops.ones((4, 5))).shape
    TensorShape([2, 3, 5])
    """
    rows = ops.reshape(inputs, (-1, inputs.shape[-1]))
    return ops.reshape(ops.matmul(rows, ops.cast(kernel, inputs.dtype)), (*leading_axes(inputs), kernel.shape[-1]))


class Projection(keras.layers.Layer):
    """A dense layer between features that have several axes, as one product of two matrices.

    Does what `keras.layers.EinsumDense` does with `"...e,ehd->...hd"` and `"...hd,hde->...e"`, and holds the same
    weights.
    TensorFlow computes that einsum as a product for each example of the batch, whose gradient with respect to the
    kernel is summed over the batch afterwards: twice the time in decoding, and a (B, E, H d) tensor in training.

    Args:
        output_sizes: Sizes of the output's feature axes.
        input_axes: How many of the input's axes are features.
        use_bias: Whether a bias is added.
        kernel_initializer: Draws the kernel as the matrix that it is.

    Call arguments:
        inputs: (..., *input_sizes).

    Returns:
        (..., *output_sizes).

    Example:

    >>> import keras
    >>> from attention_zoo.layers.projection import Projection
    >>> Projection((2, 4))(keras.ops.ones((3, 5, 8))).shape
    TensorShape([3, 5, 2, 4])
    """

    def __init__(self, output_sizes, input_axes=1, use_bias=True, kernel_initializer="glorot_uniform", **kwargs):
        super().__init__(**kwargs)
        self.output_sizes = tuple(output_sizes)
        self.input_axes = input_axes
        self.use_bias = use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.supports_masking = True

    def build(self, inputs_shape):
        input_sizes = tuple(inputs_shape[-self.input_axes :])
        rows, columns = _product(input_sizes), _product(self.output_sizes)
        initializer = self.kernel_initializer.clone()

        def draw_as_matrix(shape, dtype=None):
            return ops.reshape(initializer((rows, columns), dtype=dtype), shape)

        self.kernel = self.add_weight((*input_sizes, *self.output_sizes), initializer=draw_as_matrix, name="kernel")
        self.bias = self.add_weight(self.output_sizes, initializer="zeros", name="bias") if self.use_bias else None

    def call(self, inputs):
        rows = ops.reshape(inputs, (-1, _product(inputs.shape[-self.input_axes :])))
        outputs = ops.matmul(rows, ops.reshape(self.kernel, (-1, _product(self.output_sizes))))
        outputs = ops.reshape(outputs, (*leading_axes(inputs, self.input_axes), *self.output_sizes))
        # Added before the reshape, TensorFlow would fuse it with the product, which then lays the kernel out anew at
        # each call: an eighth of the time of decoding one sentence.
        return ops.add(outputs, self.bias) if self.use_bias else outputs

    def compute_output_shape(self, inputs_shape):
        return (*inputs_shape[: -self.input_axes], *self.output_sizes)

    def get_config(self):
        return {
            **super().get_config(),
            "output_sizes": self.output_sizes,
            "input_axes": self.input_axes,
            "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }


def _product(sizes):
    product = 1
    for size in sizes:
        product *= size
    return product
