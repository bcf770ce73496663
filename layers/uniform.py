"""No attention: every key weighs the same. The baseline that attention is compared with.

Notation: B batch, T queries, S keys; "..." stands for any leading axes.
"""

import keras
from keras import ops

from attention_zoo.layers.alignments import Alignment
from attention_zoo.layers.masks import masked_softmax
from attention_zoo.layers.scores import Score


@keras.saving.register_keras_serializable("attention_zoo")
class UniformAlignment(Alignment):
    """The same weight for all keys that the mask allows, whatever their scores.

    Call arguments and shapes: as in `Alignment`.

    Example:

    >>> import keras
    >>> from attention_zoo.layers import UniformAlignment
    >>> print(UniformAlignment()(keras.ops.array([[1.0, 5.0]])).numpy())
    [[0.5 0.5]]
    """

    def call(self, scores, mask=None, query=None, positions=None):
        return masked_softmax(ops.zeros_like(scores, dtype="float32"), mask)


@keras.saving.register_keras_serializable("attention_zoo")
class ZeroScore(Score):
    """score(q, k) = 0: for `UniformAlignment`, which ignores scores. It has no weights and costs no products.

    Call arguments and shapes: as in `Score`. Only the number of keys matters.

    Example:

    >>> import keras
    >>> from attention_zoo.layers import ZeroScore
    >>> print(ZeroScore()(keras.ops.ones((1, 2, 4)), keras.ops.ones((1, 3, 6))).numpy())
    [[[0. 0. 0.]
      [0. 0. 0.]]]
    """

    def project_key(self, key):
        return key[..., :0]  # (..., S, 0)

    def compare(self, query, key):
        length = ops.shape(key)[-2]
        return ops.zeros((*ops.shape(query)[:-1], length), dtype=query.dtype)  # (..., T, S)
