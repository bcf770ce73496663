"""Activations that Keras has no name for."""

import keras


@keras.saving.register_keras_serializable("attention_zoo")
def gelu_tanh(features):
    """GELU by the approximation with tanh (Hendrycks and Gimpel 2016, section 2), as GPT-2 and ALBERT compute it.

    Args:
        features: Of any shape.

    Returns:
        The same shape.

    Example:

    >>> import keras
    >>> float(gelu_tanh(keras.ops.array(0.0)))
    0.0
    """
    return keras.activations.gelu(features, approximate=True)


def activation_of(name):
    """Returns an activation: that of Keras with this name, or `gelu_tanh`.

    Raises:
        ValueError: If there is none.

    Example:

    >>> activation_of("gelu_tanh") is gelu_tanh
    True
    """
    return gelu_tanh if name == "gelu_tanh" else keras.activations.get(name)
