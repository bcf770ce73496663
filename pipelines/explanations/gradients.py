"""Explanations that take gradients of a model, on TensorFlow.

Shapes: B batch, H heads, T tokens.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from attention_zoo.layers import record_attention
from attention_zoo.layers.record import shadowed
from attention_zoo.pipelines.explanations.relevance import self_attention_relevance


def attention_gradients(
    model: Any, inputs: Any, target: Callable[[Any], tf.Tensor], paths: Sequence[str] | None = None
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Returns the attention of a model, and how the answer changes with it.

    Args:
        model: A built Keras model.
        inputs: What it is called with.
        target: `target(outputs) -> (B,)`, the answer of each example that is to be explained, such as the logit of a
            class.
        paths: Paths of the layers, as for `record_attention`. Defaults to `None`: all.

    Returns:
        A dict by the paths of `record_attention`, in the order of the calls: weights and their gradients, float arrays
        of the same shape. Weights that the answer does not depend on have gradients of zero.

    Example:

    >>> import keras
    >>> inputs = keras.Input((3, 4))
    >>> hidden = keras.layers.MultiHeadAttention(2, 4, name="attention")(inputs, inputs)
    >>> model = keras.Model(inputs, keras.layers.Dense(2)(hidden))
    >>> found = attention_gradients(model, tf.ones((1, 3, 4)), lambda outputs: outputs[:, 0, 1])
    >>> {path: (weights.shape, gradients.shape) for path, (weights, gradients) in found.items()}
    {'attention': ((1, 2, 3, 3), (1, 2, 3, 3))}
    """
    with tf.GradientTape(watch_accessed_variables=False) as tape, record_attention(model, paths) as scores:
        tape.watch([variable.value for variable in model.variables if variable.dtype.startswith(("float", "bfloat"))])
        answer = target(model(inputs, training=False))
    gradients = tape.gradient(answer, scores, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    return {path: (weights.numpy(), gradients[path].numpy()) for path, weights in scores.items()}


def attention_relevance(
    model: Any, inputs: Any, target: Callable[[Any], tf.Tensor], paths: Sequence[str] | None = None
) -> np.ndarray:
    """Returns the relevance of each input token for each output token of an encoder (Chefer, Gur & Wolf 2021).

    Args:
        model, inputs, target, paths: As in `attention_gradients`; the layers are those of the encoder, each with
            self-attention `(B, H, T, T)`.

    Returns:
        `(B, T, T)`, not negative; see `relevance.self_attention_relevance`.

    Example:

    >>> import keras
    >>> inputs = keras.Input((3, 4))
    >>> model = keras.Model(inputs, keras.layers.MultiHeadAttention(2, 4)(inputs, inputs))
    >>> attention_relevance(model, tf.ones((1, 3, 4)), lambda outputs: outputs[:, 0, 0]).shape
    (1, 3, 3)
    """
    return self_attention_relevance(list(attention_gradients(model, inputs, target, paths).values()))


def integrated_gradients(
    function: Callable[[tf.Tensor], tf.Tensor], inputs: Any, baseline: Any = 0.0, steps: int = 32
) -> np.ndarray:
    """Returns how much each input adds to the answer (Sundararajan, Taly & Yan 2017, "Axiomatic Attribution").

    `(x - x') ∫ ∂F(x' + a (x - x')) / ∂x da` over a from 0 to 1 (eq. 1), by Gauss-Legendre quadrature, which is exact
    where F along the path is a polynomial of a degree up to twice the steps. Attributions sum to F(x) - F(x') then
    ("completeness", proposition 1); `completeness_gap` says by how much they fail to.

    Args:
        function: F, `function(inputs) -> (B,)`, such as the logit of a class.
        inputs: x, float `(B, ...)`.
        baseline: x', a number or an array that is broadcast to the inputs: those of which nothing is to be said, such
            as black pixels. Defaults to `0.0`.
        steps: Number of gradients that are taken. Defaults to `32`.

    Returns:
        Float32 array `(B, ...)`.

    Raises:
        ValueError: If `steps` is not a positive integer.

    Example:

    >>> integrated_gradients(lambda x: x[:, 0] * x[:, 1], [[2.0, 3.0]]).round(3).tolist()
    [[3.0, 3.0]]
    """
    if steps < 1:
        raise ValueError(f"`steps` must be a positive integer. Received: steps={steps}")
    inputs = tf.convert_to_tensor(inputs, tf.float32)
    baseline = tf.broadcast_to(tf.cast(baseline, tf.float32), tf.shape(inputs))
    places, shares = np.polynomial.legendre.leggauss(steps)  # from -1 to 1
    total = tf.zeros_like(inputs)
    for place, share in zip((places + 1) / 2, shares / 2):
        point = baseline + tf.cast(place, tf.float32) * (inputs - baseline)
        with tf.GradientTape() as tape:
            tape.watch(point)
            answer = function(point)
        total += tf.cast(share, tf.float32) * tape.gradient(answer, point)
    return ((inputs - baseline) * total).numpy()


def embedding_gradients(
    model: Any, layer: Any, inputs: Any, target: Callable[[Any], tf.Tensor], steps: int = 32
) -> np.ndarray:
    """Returns the integrated gradients of a layer inside a model, such as the embedding of its tokens.

    Tokens are numbers, along which there is no path; their embeddings have one. The baseline is an output of zeros.

    Args:
        model: A Keras model that calls the layer once.
        layer: The layer.
        inputs, target: As in `attention_gradients`.
        steps: As in `integrated_gradients`.

    Returns:
        Float32 array of the shape of the layer's output; the sum over the features is what a token adds.

    Example:

    >>> import keras
    >>> embedding = keras.layers.Embedding(10, 4)
    >>> model = keras.Sequential([keras.Input((3,)), embedding, keras.layers.Flatten(), keras.layers.Dense(1)])
    >>> embedding_gradients(model, embedding, tf.constant([[1, 2, 3]]), lambda outputs: outputs[:, 0]).shape
    (1, 3, 4)
    """
    call, outputs = layer.call, []

    def kept(*args: Any, **kwargs: Any) -> tf.Tensor:
        outputs.append(call(*args, **kwargs))
        return outputs[-1]

    with shadowed(layer, "call", kept):
        model(inputs, training=False)

    def answer(point: tf.Tensor) -> tf.Tensor:
        with shadowed(layer, "call", lambda *args, **kwargs: tf.cast(point, outputs[0].dtype)):
            return target(model(inputs, training=False))

    return integrated_gradients(answer, outputs[0], steps=steps)


def completeness_gap(
    function: Callable[[tf.Tensor], tf.Tensor], inputs: Any, attributions: np.ndarray, baseline: Any = 0.0
) -> np.ndarray:
    """Returns how far attributions are from summing to F(x) - F(x').

    Args:
        function, inputs, baseline: As in `integrated_gradients`.
        attributions: `(B, ...)`.

    Returns:
        Float array `(B,)`, not negative; 0 for a complete attribution.

    Example:

    >>> completeness_gap(lambda x: x[:, 0] * x[:, 1], [[2.0, 3.0]], np.array([[3.0, 2.0]])).tolist()
    [1.0]
    """
    inputs = tf.convert_to_tensor(inputs, tf.float32)
    baseline = tf.broadcast_to(tf.cast(baseline, tf.float32), tf.shape(inputs))
    wanted = np.asarray(function(inputs) - function(baseline))
    return np.abs(attributions.reshape(len(attributions), -1).sum(axis=1) - wanted)
