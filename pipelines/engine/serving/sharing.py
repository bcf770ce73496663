"""Signatures that share the graph of what they all compute first, such as a search."""

import copy
from typing import Any, TypeVar

import tensorflow as tf

Answerer = TypeVar("Answerer", bound=Any)


def sharing(answerer: Answerer, method: str) -> Answerer:
    """Returns a copy of an answerer, one of whose methods becomes one graph, which the others call.

    An export saves the graph once, and traces it once, however many signatures call the method. Make a copy for each
    export: the graph keeps the `ConstantProducts` that it was traced with.

    Args:
        answerer: What answers raw input. It is not changed.
        method: The name of a method of tensors, and of hashable arguments, for each of which there is a graph. Objects
            among them must live as long as the copy: TensorFlow knows them by weak references.

    Example:

    >>> class Doubling:
    ...     def double(self, x):
    ...         print("traced")
    ...         return 2 * x
    ...     def add_one(self, x):
    ...         return self.double(x) + 1
    >>> shared = sharing(Doubling(), "double")
    >>> [int(shared.add_one(tf.constant(x))) for x in (3, 4)]
    traced
    [7, 9]
    """
    shared = copy.copy(answerer)
    setattr(shared, method, tf.function(getattr(answerer, method), autograph=False))
    return shared
