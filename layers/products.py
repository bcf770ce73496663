"""Lets an export compute the products of features with the weights of layers in its own way.

Shapes: N rows, D features.
"""


class ProductsBy:
    """Context in which a function computes the products of features with the weights of layers.

    An export computes them with weights that are constants of its graph, several at once, or in low precision.

    Args:
        function: Takes rows `(N, D)` and a list of layers that multiply them with their weights: `Projection`s, or one
            `keras.layers.Embedding`, whose embeddings score a vocabulary. Returns the outputs of all layers side by
            side, `(N, columns)`, with biases and without activations, or `None`: each layer then computes its own.

    Example:

    >>> import keras
    >>> from attention_zoo.layers.products import ProductsBy
    >>> from attention_zoo.layers.projection import Projection
    >>> with ProductsBy(lambda rows, layers: rows + 1):
    ...     print(Projection((2,))(keras.ops.zeros((1, 2))).numpy())
    [[1. 1.]]
    """

    function = None

    def __init__(self, function):
        self.replacement = function

    def __enter__(self):
        self.outer, ProductsBy.function = ProductsBy.function, self.replacement
        return self.replacement

    def __exit__(self, *_):
        ProductsBy.function = self.outer


def replaced_product(rows, layers):
    """Returns what the function of `ProductsBy` computes; `None` outside of that context."""
    return None if ProductsBy.function is None else ProductsBy.function(rows, layers)
