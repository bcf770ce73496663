"""A score of positions rather than of keys.

Notation: B batch, T queries, S keys, Dq and Dk features of a query and a key; "..." stands for any leading axes.
"""

import keras
from keras import ops

from attention_zoo.layers.checks import check_positive_integer
from attention_zoo.layers.projection import project
from attention_zoo.layers.scores import Score
from attention_zoo.layers.shapes import at_least


@keras.saving.register_keras_serializable("attention_zoo")
class LocationScore(Score):
    """score(q, k at position s) = (W_a q)_s, which depends only on the query (Luong et al. 2015, sec. 3.1, eq. 8).

    One weight, `kernel` W_a (Dq, max_length). Fewer than `max_length` keys use its first columns ("for short
    sentences, we only use the top part of a_t"). Keys beyond `max_length` score -inf, and get no weight.

    Args:
        max_length: Number of positions that can be attended to, a positive integer.

    Call arguments and shapes: as in `Score`. Only the length of `key` matters.

    Raises:
        ValueError: If `max_length` is not a positive integer.

    Example:

    >>> import keras
    >>> from attention_zoo.layers import LocationScore
    >>> scores = LocationScore(max_length=3)(keras.ops.zeros((1, 1, 4)), keras.ops.ones((1, 5, 2)))
    >>> print(scores.numpy())
    [[[  0.   0.   0. -inf -inf]]]
    """

    def __init__(self, max_length, **kwargs):
        super().__init__(**kwargs)
        check_positive_integer("max_length", max_length)
        self.max_length = max_length

    def build(self, query_shape, key_shape):
        shape = (query_shape[-1], self.max_length)
        self.kernel = self.add_weight(name="kernel", shape=shape, initializer="glorot_uniform")

    def project_query(self, query):
        return project(query, self.kernel)  # (..., T, max_length)

    def compare(self, query, key):
        length = ops.shape(key)[-2]  # S: an integer if it is known, otherwise a scalar tensor
        if not isinstance(length, int) or length > self.max_length:
            missing = at_least(length - self.max_length, 0)
            past_the_end = ops.full((*ops.shape(query)[:-1], missing), -float("inf"), dtype=query.dtype)
            query = ops.concatenate([query, past_the_end], axis=-1)
        return query[..., :length]  # (..., T, S)

    def get_config(self):
        return {**super().get_config(), "max_length": self.max_length}
