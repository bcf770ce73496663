"""Products of an exported graph whose weights are constants of the graph, several side by side, or in low precision.

A kernel of oneDNN lays out a constant once, and a variable at each call. That matters in the loop that writes an
answer: it multiplies the few rows of a step with the same weights, step after step.

Shapes: N rows, D features, C columns, of all layers together.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from attention_zoo.pipelines.engine.serving.int8 import int8_product, int8_works
from attention_zoo.pipelines.engine.settings import Precision

# The product of one row with more columns, such as the scores of a vocabulary, takes longer with a constant: with 256 x
# 8,000 it takes 2.4 times as long.
WIDEST = 4096
# Bytes of constants in all signatures. A SavedModel is one message of protobuf, which ends at 2 GB. A loader copies it,
# and the larger a float32 model, the less of its time constants save.
MOST_BYTES = {"float32": 256_000_000, "bfloat16": 1_500_000_000, "int8": 1_500_000_000}


class ConstantProducts:
    """Computes products for `attention_zoo.layers.products.ProductsBy` while an export traces its signatures.

    In float32, the weights that a loop multiplies with become constants. The others remain variables, since their
    products gain nothing; so do those that score a vocabulary (`WIDEST`). In the other precisions all weights become
    constants.
    Weights beyond `most_bytes` remain variables, in the precision of the model.

    Args:
        precision: `"float32"`, which is that of the model, `"bfloat16"` or `"int8"`. Defaults to `"float32"`. If
            TensorFlow here has no product of int8, as without oneDNN, float32 is taken.
        most_bytes: Bytes of constants in all signatures together. Defaults to `None`: 256 MB in float32, otherwise
            1.5 GB.

    Attributes:
        precision: The precision that is used.
        bytes: Bytes of the constants so far.
        left_out: Number of products whose weights remained variables for the sake of `most_bytes`.

    Example:

    >>> from attention_zoo.layers.products import ProductsBy
    >>> from attention_zoo.layers.projection import Projection
    >>> projection, products = Projection((2,)), ConstantProducts("bfloat16")
    >>> with ProductsBy(products):
    ...     outputs = projection(tf.ones((1, 4)))
    >>> outputs.dtype, products.bytes
    (tf.float32, 20)
    """

    def __init__(self, precision: Precision = "float32", most_bytes: int | None = None):
        self.missing = precision == "int8" and not int8_works()
        self.precision: Precision = "float32" if self.missing else precision
        self.most_bytes = MOST_BYTES[self.precision] if most_bytes is None else most_bytes
        self.bytes = self.left_out = 0

    def __call__(self, rows: tf.Tensor, layers: Sequence[Any]) -> tf.Tensor | None:
        """Returns the products of rows `(N, D)` with the weights of layers, `(N, C)`, or `None`."""
        if self.precision == "float32":
            scores = isinstance(layers[0], keras.layers.Embedding) or columns_of(layers[0]) > WIDEST
            if scores or not in_a_loop(tf.compat.v1.get_default_graph()):
                return None
        # A layer that Keras quantised or adapts has other weights.
        if any(getattr(one, "quantization_mode", None) or getattr(one, "lora_enabled", False) for one in layers):
            return None
        weights = np.concatenate([weights_of(one) for one in layers], axis=1)  # (D, C)
        biases = [bias_of(one) for one in layers]
        dtype = {"float32": rows.dtype, "bfloat16": tf.bfloat16, "int8": tf.int8}[self.precision]
        if self.precision == "int8":
            size = weights.size + 8 * weights.shape[1]  # the scales and the biases are float32
        else:
            size = dtype.size * (weights.size + weights.shape[1])
        if self.bytes + size > self.most_bytes:
            self.left_out += 1
            return None
        self.bytes += size
        given = [one for one in biases if one is not None]  # all of them, or none
        bias = np.concatenate(given) if given else None
        if self.precision == "int8":
            return tf.cast(int8_product(tf.cast(rows, tf.float32), weights, bias), rows.dtype)
        outputs = tf.matmul(tf.cast(rows, dtype), tf.constant(weights, dtype))
        if bias is not None:  # one operation with the product, since nothing stands between them
            outputs = tf.nn.bias_add(outputs, tf.constant(bias, dtype))
        return tf.cast(outputs, rows.dtype)

    def notes(self) -> list[str]:
        """Returns lines for the user: what an export could not do."""
        lines = []
        if self.missing:
            lines.append(
                "int8: TensorFlow has no product of int8 here, which needs oneDNN (x86, and not "
                "TF_ENABLE_ONEDNN_OPTS=0); exported in float32"
            )
        if self.precision != "float32" and not self.bytes + self.left_out:
            lines.append(f"{self.precision}: the model has no product that it applies to; exported as trained")
        if self.left_out:
            lines.append(
                f"the weights of {self.left_out} products remain variables, in the precision of the model: an export "
                f"in {self.precision} has at most {self.most_bytes / 1e6:,.0f} MB of constants"
            )
        return lines


def in_a_loop(graph: tf.Graph | None) -> bool:
    """Whether operations are added to the body of a `tf.while_loop`."""
    while graph is not None:
        if type(graph).__name__ == "WhileBodyFuncGraph":
            return True
        graph = getattr(graph, "outer_graph", None)
    return False


def columns_of(layer: Any) -> int:
    """Returns C, the number of outputs of a layer for a row."""
    return layer.input_dim if isinstance(layer, keras.layers.Embedding) else int(np.prod(layer.output_sizes))


def weights_of(layer: Any) -> np.ndarray:
    """Returns the float32 matrix `(D, C)` that a layer multiplies with; of an embedding, its transpose."""
    if isinstance(layer, keras.layers.Embedding):
        return numbers_of(layer.embeddings).T
    return numbers_of(layer.kernel).reshape(-1, columns_of(layer))


def bias_of(layer: Any) -> np.ndarray | None:
    """Returns the float32 bias `(C,)` of a layer, or `None`."""
    bias = getattr(layer, "bias", None)
    return None if bias is None else numbers_of(bias).ravel()


def numbers_of(variable: keras.Variable) -> np.ndarray:
    """Returns the values of a variable while a graph is traced, in float32, without making it one of the graph's."""
    with tf.init_scope():
        # Reading it by its methods would register it with the graph.
        value = tf.raw_ops.ReadVariableOp(resource=variable._value.handle, dtype=variable.dtype)
        return value.numpy().astype("float32")
