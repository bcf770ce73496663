"""Scores: how well does this query match that key?

Notation: B batch, T queries, S keys, D features (Dq of a query, Dk of a key); "..." stands for any leading axes.
Every score has three parts, so that a decoder computes once per sequence what is the same at every step:

    score(query, key) = compare(project_query(query), project_key(key))  # (..., T, S)
"""

import keras
from keras import ops

from attention_zoo.layers.checks import check_positive_integer
from attention_zoo.layers.precision import widen
from attention_zoo.layers.projection import project


@keras.saving.register_keras_serializable("attention_zoo")
class Score(keras.layers.Layer):
    """Base of the scores. A new one overrides `compare`; with weights also `build`, `project_query`, `project_key`.

    Call arguments:
        query: (..., T, Dq).
        key: (..., S, Dk).

    Returns:
        Scores (..., T, S) in the compute dtype of the layer, before any mask or softmax.

    Example:

    >>> import keras
    >>> from attention_zoo.layers import DotScore, Score
    >>> isinstance(DotScore(), Score)
    True
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.built = type(self).build is Score.build  # nothing to build, unless a subclass has weights

    def build(self, query_shape, key_shape):
        pass

    def project_query(self, query):
        """The query as `compare` needs it, (..., T, features)."""
        return query

    def project_key(self, key):
        """The key as `compare` needs it, (..., S, features); a decoder calls this once per sequence."""
        return key

    def compare(self, query, key):
        """Scores (..., T, S) of a projected query and a projected key; a decoder calls this at each step.

        They may be float32 where the inputs are float16, so that they do not overflow.
        """
        raise NotImplementedError(f"{type(self).__name__} must override compare(query, key).")

    def call(self, query, key):
        return ops.cast(self.compare(self.project_query(query), self.project_key(key)), self.compute_dtype)

    def compute_mask(self, query, previous_mask=None):
        return None  # the query's mask, (..., T), does not fit pairs of queries and keys

    def compute_output_shape(self, query_shape, key_shape):
        return (*query_shape[:-1], key_shape[-2])

    def get_config(self):
        # Without this method Keras would guess the config, and fail at a dtype policy object.
        return super().get_config()

    def _kernel(self, name, *shape):
        return self.add_weight(name=name, shape=shape, initializer=keras.initializers.GlorotUniform())


def _dot_product(query, key):
    """query · key for every pair, float32 for float16: (..., T, D), (..., S, D) -> (..., T, S)."""
    query, key = widen(query), widen(key)
    if query.shape[-2] == 1:
        # One step of a decoder: transposing the one query is cheaper than transposing all keys.
        return ops.swapaxes(ops.matmul(key, ops.swapaxes(query, -2, -1)), -2, -1)  # (..., 1, S)
    return ops.matmul(query, ops.swapaxes(key, -2, -1))  # (..., T, S)


@keras.saving.register_keras_serializable("attention_zoo")
class DotScore(Score):
    """score(q, k) = qᵀ k.

    Luong et al. 2015, "Effective Approaches to Attention-based Neural Machine Translation", sec. 3.1, "dot".
    Call arguments and shapes: as in `Score`. Query and key must have the same number of features.

    Raises:
        ValueError: If query and key have different numbers of features.

    Example:

    >>> import keras
    >>> from attention_zoo.layers import DotScore
    >>> print(DotScore()(keras.ops.ones((1, 2, 3)), keras.ops.ones((1, 4, 3))).numpy())
    [[[3. 3. 3. 3.]
      [3. 3. 3. 3.]]]
    """

    def compare(self, query, key):
        self._check_features(query.shape, key.shape)
        return _dot_product(query, key)

    def compute_output_shape(self, query_shape, key_shape):
        self._check_features(query_shape, key_shape)
        return super().compute_output_shape(query_shape, key_shape)

    def _check_features(self, query_shape, key_shape):
        if query_shape[-1] != key_shape[-1]:
            raise ValueError(
                f"{type(self).__name__}: `query` and `key` must have the same number of features. Received: "
                f"query.shape={tuple(query_shape)}, key.shape={tuple(key_shape)}"
            )


@keras.saving.register_keras_serializable("attention_zoo")
class ScaledDotScore(DotScore):
    """score(q, k) = qᵀ k / √D (Vaswani et al. 2017, "Attention Is All You Need", sec. 3.2.1, eq. 1).

    The query is scaled rather than the score, which takes T D rather than T S multiplications. Call arguments, shapes
    and errors: as in `DotScore`.

    Example:

    >>> import keras
    >>> from attention_zoo.layers import ScaledDotScore
    >>> print(ScaledDotScore()(keras.ops.ones((1, 1, 4)), keras.ops.ones((1, 3, 4))).numpy())
    [[[2. 2. 2.]]]
    """

    def project_query(self, query):
        return widen(query) * query.shape[-1] ** -0.5


@keras.saving.register_keras_serializable("attention_zoo")
class GeneralScore(Score):
    """score(q, k) = qᵀ W_a k (Luong et al. 2015, sec. 3.1, "general").

    One weight, `kernel` W_a (Dq, Dk), which multiplies the keys once per sequence.

    Call arguments and shapes: as in `Score`.

    Example:

    >>> import keras
    >>> from attention_zoo.layers import GeneralScore
    >>> GeneralScore()(keras.ops.ones((2, 3, 4)), keras.ops.ones((2, 5, 6))).shape
    TensorShape([2, 3, 5])
    """

    def build(self, query_shape, key_shape):
        self.kernel = self._kernel("kernel", query_shape[-1], key_shape[-1])

    def project_key(self, key):
        return project(key, ops.transpose(self.kernel))  # (..., S, Dq)

    def compare(self, query, key):
        return _dot_product(query, key)


@keras.saving.register_keras_serializable("attention_zoo")
class AdditiveScore(Score):
    """score(q, k) = v_aᵀ tanh(W_a q + U_a k).

    Bahdanau et al. 2015, "Neural Machine Translation by Jointly Learning to Align and Translate", appendix A.1.2.
    Weights: `query_kernel` W_a (Dq, units), `key_kernel` U_a (Dk, units), `vector` v_a (units,). There is no bias, as
    in the equation. Deviation: the weights are Glorot-uniform; appendix B.1 draws W_a and U_a from N(0, 0.001²), and
    v_a starts at zero. `compare` makes a (..., T, S, units) tensor, unless T = 1 (a step of a decoder).

    Args:
        units: Width of the hidden layer, a positive integer.

    Call arguments and shapes: as in `Score`.

    Raises:
        ValueError: If `units` is not a positive integer.

    Example:

    >>> import keras
    >>> from attention_zoo.layers import AdditiveScore
    >>> score = AdditiveScore(units=8)
    >>> score(keras.ops.ones((2, 3, 4)), keras.ops.ones((2, 5, 6))).shape
    TensorShape([2, 3, 5])
    >>> [tuple(weight.shape) for weight in score.weights]
    [(4, 8), (6, 8), (8,)]
    """

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        check_positive_integer("units", units)
        self.units = units

    def build(self, query_shape, key_shape):
        self.query_kernel = self._kernel("query_kernel", query_shape[-1], self.units)
        self.key_kernel = self._kernel("key_kernel", key_shape[-1], self.units)
        self.vector = self._kernel("vector", self.units)

    def project_query(self, query):
        return project(query, self.query_kernel)  # (..., T, units)

    def project_key(self, key):
        return project(key, self.key_kernel)  # (..., S, units)

    def compare(self, query, key):
        vector = self.vector[:, None]  # (units, 1)
        if query.shape[-2] == 1:
            hidden = ops.tanh(query + key)  # (..., S, units): the one query broadcasts over the keys
            return ops.swapaxes(project(hidden, vector), -2, -1)  # (..., 1, S)
        hidden = ops.tanh(query[..., :, None, :] + key[..., None, :, :])  # (..., T, S, units)
        return project(hidden, vector)[..., 0]  # (..., T, S)

    def get_config(self):
        return {**super().get_config(), "units": self.units}


@keras.saving.register_keras_serializable("attention_zoo")
class ConcatScore(AdditiveScore):
    """score(q, k) = v_aᵀ tanh(W_a [q; k]) (Luong et al. 2015, sec. 3.1, "concat").

    Weights: `kernel` W_a (Dq + Dk, units) and `vector` v_a (units,). W_a [q; k] is the sum of two products, of q with
    the first rows of W_a and of k with the others. The layer computes these, as the additive score does, rather than
    a (..., T, S, Dq + Dk) tensor of concatenations. One initialisation covers both parts of W_a.

    Args:
        units: Width of the hidden layer, a positive integer. Defaults to the width of the query.

    Call arguments, shapes and errors: as in `AdditiveScore`.

    Example:

    >>> import keras
    >>> from attention_zoo.layers import ConcatScore
    >>> score = ConcatScore()
    >>> score(keras.ops.ones((2, 3, 4)), keras.ops.ones((2, 5, 6))).shape
    TensorShape([2, 3, 5])
    >>> [tuple(weight.shape) for weight in score.weights]
    [(10, 4), (4,)]
    """

    def __init__(self, units=None, **kwargs):
        super().__init__(units=1 if units is None else units, **kwargs)  # `build` learns the width of the query
        self.units = units

    def build(self, query_shape, key_shape):
        self._query_dim = query_shape[-1]
        units = self._query_dim if self.units is None else self.units
        self.kernel = self._kernel("kernel", self._query_dim + key_shape[-1], units)
        self.vector = self._kernel("vector", units)

    def project_query(self, query):
        return project(query, self.kernel[: self._query_dim])  # (..., T, units)

    def project_key(self, key):
        return project(key, self.kernel[self._query_dim :])  # (..., S, units)
