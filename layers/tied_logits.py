"""The scores of all tokens by their embeddings, which are the output layer's weights at the same time.

Shapes: D features, V vocabulary.
"""

from keras import ops

from attention_zoo.layers.products import replaced_product
from attention_zoo.layers.shapes import leading_axes


def output_matrix(embedding):
    """Returns the weights of an embedding layer as the matrix of an output layer: `(D, V)`, in the compute dtype.

    Args:
        embedding: A `keras.layers.Embedding`.

    Example:

    >>> import keras
    >>> embedding = keras.layers.Embedding(100, 8)
    >>> embedding.build(None)
    >>> tuple(output_matrix(embedding).shape)
    (8, 100)
    """
    return ops.transpose(ops.cast(embedding.embeddings, embedding.compute_dtype))


def tied_logits(states, embedding, matrix=None):
    """Scores every token of the vocabulary (Press and Wolf 2017, section 2).

    Args:
        states: `(..., D)`.
        embedding: A `keras.layers.Embedding`.
        matrix: Its `output_matrix`, which a decoding loop calls once. Defaults to `None`: computed here.

    Returns:
        float32 `(..., V)`.

    Example:

    >>> import keras
    >>> embedding = keras.layers.Embedding(100, 8)
    >>> embedding.build(None)
    >>> tuple(tied_logits(keras.ops.ones((2, 3, 8)), embedding).shape)
    (2, 3, 100)
    """
    scores = replaced_product(ops.reshape(states, (-1, states.shape[-1])), [embedding])
    if scores is not None:
        return ops.cast(ops.reshape(scores, (*leading_axes(states), embedding.input_dim)), "float32")
    matrix = output_matrix(embedding) if matrix is None else matrix
    return ops.cast(ops.matmul(ops.cast(states, embedding.compute_dtype), matrix), "float32")
