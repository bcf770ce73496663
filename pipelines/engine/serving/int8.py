"""Products of int8 numbers by oneDNN, with a scale for each row of the features and each column of the weights.

Both are symmetric: 0 stays 0. The number of the largest magnitude becomes 127 in a row, and 64 in a column: processors
without VNNI add two products in 16 bits, of which oneDNN makes those of the rows positive, and 2 x 255 x 64 is the most
that fits ("Nuances of int8 Computations" of oneDNN's guide). An export must answer alike on any server. The scale of a
row comes from its own features, so an answer does not depend on the other rows of its batch.

Shapes: N rows, D features, C columns.
"""

import functools

import numpy as np
import tensorflow as tf

LARGEST = 127.0
LARGEST_WEIGHT = 64.0


def quantise_columns(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns int8 numbers `(D, C)` and float32 scales `(C,)`, whose product is nearest to float32 weights `(D, C)`.

    Example:

    >>> numbers, scales = quantise_columns(np.array([[0.5, 0.0], [-0.64, 0.0]], np.float32))
    >>> numbers.tolist(), [round(float(scale), 3) for scale in scales]
    ([[50, 0], [-64, 0]], [0.01, 1.0])
    """
    scales = np.abs(weights).max(axis=0, initial=0.0) / LARGEST_WEIGHT
    scales = np.where(scales > 0, scales, 1.0).astype("float32")
    return np.round(weights / scales).astype("int8"), scales


def int8_product(rows: tf.Tensor, weights: np.ndarray, bias: np.ndarray | None = None) -> tf.Tensor:
    """Returns about `rows @ weights + bias`.

    Args:
        rows: float32 `(N, D)`.
        weights: float32 `(D, C)`, which become a constant of the graph.
        bias: float32 `(C,)`. Defaults to `None`.

    Returns:
        float32 `(N, C)`.

    Raises:
        tf.errors.OpError: This TensorFlow has no kernel for it; see `int8_works`.
    """
    numbers, scales = quantise_columns(weights)
    largest = tf.reduce_max(tf.abs(rows), axis=-1, keepdims=True)  # (N, 1)
    # `tf.round` and a cast would do the same in two passes over the rows.
    quantised, _, _ = tf.raw_ops.QuantizeV2(
        input=rows * tf.math.divide_no_nan(LARGEST, largest),
        min_range=-LARGEST,
        max_range=LARGEST,
        T=tf.qint8,
        mode="SCALED",
        round_mode="HALF_TO_EVEN",
        narrow_range=True,
    )
    outputs = _quantized_matmul(quantised, tf.bitcast(tf.constant(numbers), tf.qint8), LARGEST * scales)
    outputs = outputs * (largest / LARGEST)
    return outputs if bias is None else outputs + tf.constant(bias)


def _quantized_matmul(rows, weights, ranges):
    """The operation that TensorFlow's optimiser puts in for a product between `Quantize` and `Dequantize`.

    Args:
        rows: qint8 `(N, D)`, of the range ±127.
        weights: qint8 `(D, C)`, a constant.
        ranges: float32 `(C,)`: the number that 127 stands for in each column of the weights.
    """
    columns = weights.shape[1]
    limits = [-LARGEST, LARGEST, -ranges, ranges]
    # There is no kernel without a bias; this one is 0, since the scales of the rows follow.
    inputs = [rows, weights, tf.zeros([columns]), *(tf.constant(limit, tf.float32) for limit in limits)]
    types = {
        "Tdevice_inputs": [tf.qint8, tf.qint8, tf.float32],
        "Thost_inputs": [tf.float32] * 4,
        "Tdevice_outputs": [tf.float32],
        "Thost_outputs": [],
    }
    one_type = {"T1": tf.qint8, "T2": tf.qint8, "Tbias": tf.float32, "U": tf.float32, "Tout": tf.float32}
    value = tf.compat.v1.AttrValue
    attributes = {
        **{name: value(list=value.ListValue(type=[t.as_datatype_enum for t in of])) for name, of in types.items()},
        **{name: value(type=of.as_datatype_enum) for name, of in one_type.items()},
        **{name: value(b=True) for name in ("is_weight_const", "is_bias_const")},
        **{name: value(b=False) for name in ("transpose_a", "transpose_b")},
        **{name: value(s=b"SCALED") for name in ("input_quant_mode", "output_quant_mode")},
        "fused_ops": value(list=value.ListValue(s=[b"BiasAdd", b"Dequantize"])),
    }
    graph = tf.compat.v1.get_default_graph()
    operation = graph.create_op("_QuantizedMatMul", inputs, [tf.float32], name="quantized_matmul", attrs=attributes)
    outputs = operation.outputs[0]
    outputs.set_shape([rows.shape[0], columns])
    return outputs


@functools.cache
def int8_works() -> bool:
    """Whether this TensorFlow computes `int8_product`: it needs oneDNN, which builds for x86 have and may turn off."""
    rows, weights = np.array([[1.0, -2.0], [0.0, 0.0]], np.float32), np.array([[3.0], [1.0]], np.float32)
    try:
        with tf.init_scope():
            product = tf.function(lambda rows: int8_product(rows, weights), autograph=False)
            outputs = product(tf.constant(rows)).numpy()
    except (tf.errors.OpError, RuntimeError, ValueError):
        return False
    return bool(np.abs(outputs - rows @ weights).max() < 0.1)
