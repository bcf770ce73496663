"""Alignments: how do scores become weights?

Notation: B batch, T queries, S keys, Dq features of a query; "..." stands for any leading axes. Weights are float32
whatever the policy, zero wherever the mask forbids, and all zero in a row with nothing to attend to.
"""

import keras
from keras import ops

from attention_zoo.layers.checks import check_positive_integer
from attention_zoo.layers.masks import masked_softmax
from attention_zoo.layers.projection import project


@keras.saving.register_keras_serializable("attention_zoo")
class Alignment(keras.layers.Layer):
    """Base of the alignments. A new one overrides `call`, and `build` if it has weights.

    Call arguments:
        scores: (..., T, S).
        mask: bool, broadcastable to (..., T, S); True = may attend. Defaults to `None`.
        query: (..., T, Dq), for alignments that need it. Defaults to `None`.
        positions: integers (T,) or (..., T), the position of each query in its sequence. Defaults to 0, 1, ..., T - 1.
            A decoder that works step by step passes the number of its step.

    Returns:
        float32 weights (..., T, S).

    Example:

    >>> from attention_zoo.layers import Alignment, SoftAlignment
    >>> isinstance(SoftAlignment(), Alignment)
    True
    """

    def __init__(self, **kwargs):
        # Keras would cast the scores of float16 to float16 again, in which large ones overflow.
        super().__init__(autocast=False, **kwargs)
        self.supports_masking = True
        self.built = type(self).build is Alignment.build  # nothing to build, unless a subclass has weights

    def build(self, scores_shape, query_shape=None):
        pass

    def call(self, scores, mask=None, query=None, positions=None):
        raise NotImplementedError(f"{type(self).__name__} must override call(scores, mask, query, positions).")

    def get_config(self):
        # Without this method Keras would guess the config, and fail at a dtype policy object.
        return super().get_config()

    def draw(self, shape):
        """Random numbers that `choose` consumes in training for queries of `shape` (..., T), or `None`."""
        return None

    def choose(self, weights, draws=None):
        """The factors of the values, (..., T, S): the weights themselves, or the locations that `draws` select."""
        return weights

    def compute_output_spec(self, scores, mask=None, query=None, positions=None):
        return keras.KerasTensor(scores.shape, dtype="float32")


@keras.saving.register_keras_serializable("attention_zoo")
class SoftAlignment(Alignment):
    """weights = softmax(scores) over the keys.

    Bahdanau et al. 2015, sec. 3.1, eq. 6; Luong et al. 2015, eq. 7, "global".

    Call arguments and shapes: as in `Alignment`.

    Example:

    >>> from attention_zoo.layers import SoftAlignment
    >>> import keras
    >>> mask = keras.ops.array([[[True, True, True, True], [True, True, False, False]]])
    >>> print(SoftAlignment()(keras.ops.zeros((1, 2, 4)), mask).numpy())
    [[[0.25 0.25 0.25 0.25]
      [0.5  0.5  0.   0.  ]]]
    """

    def call(self, scores, mask=None, query=None, positions=None):
        return masked_softmax(scores, mask)


def _within(distances, window_size, mask):
    """The keys that are in the window and that the mask allows, broadcastable to (..., T, S)."""
    window = ops.abs(distances) <= window_size
    return window if mask is None else ops.logical_and(window, mask)


@keras.saving.register_keras_serializable("attention_zoo")
class LocalMonotonicAlignment(Alignment):
    """Softmax over the keys near the query's own position, |s - p_t| <= D with p_t = t.

    Luong et al. 2015, sec. 3.2, "local-m": "If the window crosses the sentence boundaries, we simply ignore the
    outside part". A query whose window holds no key at all (t >= S + D) gets zeros.

    Args:
        window_size: D, a positive integer. Defaults to 10, the paper's.

    Call arguments and shapes: as in `Alignment`. The layer ignores `query`.

    Raises:
        ValueError: If `window_size` is not a positive integer.

    Example:

    >>> import keras
    >>> from attention_zoo.layers import LocalMonotonicAlignment
    >>> align = LocalMonotonicAlignment(window_size=1)
    >>> print(align(keras.ops.zeros((1, 2, 4)), positions=keras.ops.array([0, 3])).numpy())
    [[[0.5 0.5 0.  0. ]
      [0.  0.  0.5 0.5]]]
    """

    def __init__(self, window_size=10, **kwargs):
        super().__init__(**kwargs)
        check_positive_integer("window_size", window_size)
        self.window_size = window_size

    def call(self, scores, mask=None, query=None, positions=None):
        if positions is None:
            positions = ops.arange(ops.shape(scores)[-2])
        positions = ops.cast(positions, "int32")[..., :, None]  # (..., T, 1)
        distances = ops.arange(ops.shape(scores)[-1], dtype="int32") - positions  # (..., T, S)
        return masked_softmax(scores, _within(distances, self.window_size, mask))

    def get_config(self):
        return {**super().get_config(), "window_size": self.window_size}


@keras.saving.register_keras_serializable("attention_zoo")
class LocalPredictiveAlignment(Alignment):
    """Attends near a position p_t that it predicts from the query (Luong et al. 2015, sec. 3.2, "local-p").

        p_t = S · sigmoid(v_pᵀ tanh(W_p h_t))                            (eq. 9)
        a_t(s) = align(h_t, h_s) · exp(-(s - p_t)² / (2 σ²)), σ = D / 2  (eq. 10)

    align is the softmax over the keys within [p_t - D, p_t + D]. The Gaussian multiplies its result, which is not
    renormalised: a row sums to less than one. S is the number of keys that the mask leaves to the query. Positions are
    computed in float32. Weights: `kernel` W_p (Dq, units), `vector` v_p (units,).

    Args:
        window_size: D, a positive integer. Defaults to 10, the paper's.
        units: Width of the hidden layer, a positive integer. Defaults to the width of the query.

    Call arguments and shapes: as in `Alignment`. `query` is required.

    Raises:
        ValueError: If `window_size` or `units` is not a positive integer, or there is no `query`.

    Example:

    >>> import keras
    >>> from attention_zoo.layers import LocalPredictiveAlignment
    >>> align = LocalPredictiveAlignment(window_size=2)
    >>> weights = align(keras.ops.zeros((1, 1, 8)), query=keras.ops.zeros((1, 1, 4)))  # sigmoid(0) = 1/2: p_t = 4
    >>> print(weights.numpy().round(3))
    [[[0.    0.    0.027 0.121 0.2   0.121 0.027 0.   ]]]
    """

    def __init__(self, window_size=10, units=None, **kwargs):
        super().__init__(**kwargs)
        check_positive_integer("window_size", window_size)
        check_positive_integer("units", units, optional=True)
        self.window_size = window_size
        self.units = units

    def build(self, scores_shape, query_shape=None):
        if query_shape is None:
            raise ValueError(
                "LocalPredictiveAlignment predicts positions from `query`, (..., T, Dq). Received: query=None"
            )
        units = query_shape[-1] if self.units is None else self.units
        self.kernel = self.add_weight(name="kernel", shape=(query_shape[-1], units), initializer="glorot_uniform")
        self.vector = self.add_weight(name="vector", shape=(units,), initializer="glorot_uniform")

    def call(self, scores, mask=None, query=None, positions=None):
        length = ops.shape(scores)[-1]
        keys = ops.cast(ops.arange(length), "float32")  # (S,)
        if mask is None:
            attendable = ops.cast(length, "float32")  # S
        else:
            seen = ops.logical_and(mask, ops.ones((length,), dtype="bool"))  # a mask of only the queries has one column
            attendable = ops.sum(ops.cast(seen, "float32"), axis=-1, keepdims=True)  # (..., T or 1, 1)
        hidden = ops.tanh(project(query, self.kernel))  # (..., T, units)
        share = ops.sigmoid(ops.cast(project(hidden, self.vector[:, None]), "float32"))  # (..., T, 1)
        distances = keys - attendable * share  # s - p_t, (..., T, S)
        weights = masked_softmax(scores, _within(distances, self.window_size, mask))
        return weights * ops.exp(-2.0 * ops.square(distances / self.window_size))  # 2 σ² = D² / 2

    def get_config(self):
        return {**super().get_config(), "window_size": self.window_size, "units": self.units}
