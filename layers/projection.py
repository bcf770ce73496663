"""The product of features with a matrix, over any number of leading axes."""

import keras
from keras import ops

from attention_zoo.layers.products import replaced_product
from attention_zoo.layers.shapes import leading_axes, product

_LETTERS = "abcdefghijklmnopqrstuvwxyz"  # axes in an einsum


def project(inputs, kernel):
    """`inputs @ kernel` over the last axis: (..., D), (D, U) -> (..., U).

    `keras.ops.matmul` does the same, but on TensorFlow as a tensordot, whose gradient inside a loop does not compile
    under XLA when the lengths are open; an einsum's does, and takes a third more time in a decoder's step.

    The kernel is cast to the dtype of the inputs: a decoder calls parts of layers without passing through `__call__`,
    where Keras would have cast their weights.

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


def project_together(inputs, projections):
    """Projects the same features several times: one product under `ProductsBy`, otherwise one each.

    Args:
        inputs: `(..., D)`.
        projections: List of `Projection`s of one input axis without activation.

    Returns:
        List of their outputs, `(..., *output_sizes)` each.

    Example:

    >>> import keras
    >>> from attention_zoo.layers.projection import Projection, project_together
    >>> [output.shape[-1] for output in project_together(keras.ops.ones((3, 8)), [Projection((2,)), Projection((4,))])]
    [2, 4]
    """
    outputs = replaced_product(ops.reshape(inputs, (-1, inputs.shape[-1])), projections)
    if outputs is None:
        return [projection(inputs) for projection in projections]
    widths = [product(projection.output_sizes) for projection in projections]
    parts = ops.split(outputs, [sum(widths[:number]) for number in range(1, len(widths))], axis=-1)
    leading = leading_axes(inputs)
    return [ops.reshape(part, (*leading, *one.output_sizes)) for part, one in zip(parts, projections)]


class Projection(keras.layers.EinsumDense):
    """A dense layer between features that have several axes, computed as one product of two matrices.

    Does what `keras.layers.EinsumDense` does with `"...e,ehd->...hd"` and `"...hd,hde->...e"`, and holds the same
    weights. TensorFlow computes that einsum as a product for each example of the batch, whose gradient with respect to
    the kernel is summed over the batch afterwards: twice the time in decoding, and a (B, E, H d) tensor in training.

    `quantize` and `enable_lora` are those of `keras.layers.EinsumDense`. A quantised layer computes Keras's einsum.

    Args:
        output_sizes: Sizes of the output's feature axes.
        input_axes: Number of feature axes of the input. Defaults to 1.
        use_bias: Whether to add a bias. Defaults to `True`.
        kernel_initializer: Draws the kernel as the matrix that it is. Defaults to `"glorot_uniform"`.
        **kwargs: Further arguments of `keras.layers.EinsumDense`: `activation`, `bias_initializer`, regularisers and
            constraints.

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
        self.output_sizes = tuple(output_sizes)
        outputs = _LETTERS[input_axes : input_axes + len(self.output_sizes)]
        super().__init__(
            # `build` completes the equation, since only it knows how many leading axes there are.
            equation=f"{_LETTERS[:input_axes]},->{outputs}",
            output_shape=self.output_sizes,
            bias_axes=outputs if use_bias else None,
            kernel_initializer=kernel_initializer,
            **kwargs,
        )
        self.input_axes = input_axes
        self.use_bias = use_bias
        self.supports_masking = True

    def build(self, inputs_shape):
        leading = len(inputs_shape) - self.input_axes
        batch, inputs = _LETTERS[:leading], _LETTERS[leading : leading + self.input_axes]
        outputs = _LETTERS[leading + self.input_axes :][: len(self.output_sizes)]
        self.equation = f"{batch}{inputs},{inputs}{outputs}->{batch}{outputs}"
        self.partial_output_shape = (*[None] * (leading - 1), *self.output_sizes)
        self.bias_axes = outputs if self.use_bias else None
        rows, columns = product(inputs_shape[leading:]), product(self.output_sizes)
        kernel_initializer = self.kernel_initializer
        initializer = kernel_initializer.clone()
        # Only while the kernel is drawn: Keras would compute the fans of some initialisers from three axes.
        self.kernel_initializer = lambda shape, dtype=None: ops.reshape(initializer((rows, columns), dtype), shape)
        super().build(inputs_shape)
        self.kernel_initializer = kernel_initializer

    def call(self, inputs, training=None):
        rows = ops.reshape(inputs, (-1, product(inputs.shape[-self.input_axes :])))
        outputs, shape = replaced_product(rows, [self]), (*leading_axes(inputs, self.input_axes), *self.output_sizes)
        if outputs is not None:
            outputs = ops.reshape(outputs, shape)
            return outputs if self.activation is None else self.activation(outputs)
        outputs = ops.matmul(rows, ops.reshape(self.kernel, (-1, product(self.output_sizes))))
        outputs = ops.reshape(outputs, shape)
        # If the bias were added before the reshape, TensorFlow would fuse it with the product and change the layout of
        # the kernel at each call: an eighth of the time of decoding one sentence.
        outputs = ops.add(outputs, self.bias) if self.use_bias else outputs
        return outputs if self.activation is None else self.activation(outputs)

    def quantize(self, mode=None, type_check=True, config=None):
        # Keras refuses subclasses, since their `call` may use the kernel differently. Ours uses it as Keras does.
        return super().quantize(mode, type_check=False, config=config)

    def compute_output_shape(self, inputs_shape):
        return (*inputs_shape[: -self.input_axes], *self.output_sizes)

    def get_config(self):
        config = super().get_config()
        for name in ("equation", "output_shape", "bias_axes"):  # they follow from the arguments
            del config[name]
        return {
            **config,
            "output_sizes": self.output_sizes,
            "input_axes": self.input_axes,
            "use_bias": self.use_bias,
        }
