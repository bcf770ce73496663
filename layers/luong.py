"""The attention of Luong et al. 2015, "Effective Approaches to Attention-based Neural Machine Translation".

Notation: B batch, T queries, S keys, Dq and Dv features of a query and a value; "..." stands for any leading axes.
"""

import keras
from keras import ops

from attention_zoo.layers.alignments import LocalMonotonicAlignment, LocalPredictiveAlignment, SoftAlignment
from attention_zoo.layers.attention import Attention
from attention_zoo.layers.checks import check_positive_integer
from attention_zoo.layers.location import LocationScore
from attention_zoo.layers.projection import project
from attention_zoo.layers.scores import ConcatScore, DotScore, GeneralScore


@keras.saving.register_keras_serializable("attention_zoo")
class LuongAttention(Attention):
    """Any score of Luong et al. 2015 (sec. 3.1) under any of its windows (sec. 3.2).

    With `attentional_units` the output is h̃_t = tanh(W_c [c_t; h_t]) (eq. 5), (..., T, attentional_units), from the
    context c_t and the query h_t, instead of c_t. A query with nothing to attend to still gets zeros. If its window is
    beyond the last key, then c_t = 0, and h̃_t depends only on h_t.

    Args:
        score: `"dot"`, `"general"`, `"concat"` or `"location"`. The attribute `score` is the `Score` layer of this
            name. Defaults to `"general"`.
        window: `None` (global attention), `"monotonic"` (local-m) or `"predictive"` (local-p). Defaults to `None`.
        window_size: D of the windows. Defaults to 10.
        units: Hidden width of the concat score and of local-p's prediction. Defaults to the width of the query.
        max_length: Number of positions of the location score. Defaults to 128.
        attentional_units: Width of h̃_t, a positive integer. Defaults to `None`: the layer returns c_t.
        dropout, implementation: As in `Attention`.

    Call arguments, output and methods: as in `Attention`.

    Raises:
        ValueError: If an argument is none of the above.

    Example:

    >>> import keras
    >>> from attention_zoo.layers import LuongAttention
    >>> attention = LuongAttention(score="general", window="predictive", window_size=3, attentional_units=7)
    >>> attention(keras.ops.ones((2, 3, 4)), keras.ops.ones((2, 5, 6))).shape
    TensorShape([2, 3, 7])
    """

    def __init__(
        self,
        score="general",
        window=None,
        window_size=10,
        units=None,
        max_length=128,
        attentional_units=None,
        dropout=0.0,
        **kwargs,
    ):
        dtype = kwargs.get("dtype")
        scores = {
            "dot": lambda: DotScore(name="score", dtype=dtype),
            "general": lambda: GeneralScore(name="score", dtype=dtype),
            "concat": lambda: ConcatScore(units, name="score", dtype=dtype),
            "location": lambda: LocationScore(max_length, name="score", dtype=dtype),
        }
        alignments = {
            None: lambda: SoftAlignment(name="alignment", dtype=dtype),
            "monotonic": lambda: LocalMonotonicAlignment(window_size, name="alignment", dtype=dtype),
            "predictive": lambda: LocalPredictiveAlignment(window_size, units, name="alignment", dtype=dtype),
        }
        if score not in scores:
            raise ValueError(f"LuongAttention: `score` must be one of {list(scores)}. Received: score={score!r}")
        if window not in alignments:
            raise ValueError(f"LuongAttention: `window` must be one of {list(alignments)}. Received: window={window!r}")
        check_positive_integer("window_size", window_size)
        check_positive_integer("units", units, optional=True)
        check_positive_integer("max_length", max_length)
        check_positive_integer("attentional_units", attentional_units, optional=True)
        super().__init__(scores[score](), alignments[window](), dropout=dropout, **kwargs)
        self._score_name = score
        self.window = window
        self.window_size = window_size
        self.units = units
        self.max_length = max_length
        self.attentional_units = attentional_units
        parts_are_built = self.score.built and self.alignment.built
        self.built = type(self).build is LuongAttention.build and parts_are_built and attentional_units is None

    def build(self, query_shape, value_shape, key_shape=None):
        super().build(query_shape, value_shape, key_shape)
        if self.attentional_units is not None:
            shape = (value_shape[-1] + query_shape[-1], self.attentional_units)
            self.combine_kernel = self.add_weight(name="combine_kernel", shape=shape, initializer="glorot_uniform")

    def attend(
        self, query, projected_key, value, mask=None, positions=None, training=None, draws=None, with_weights=True
    ):
        context, weights = super().attend(query, projected_key, value, mask, positions, training, draws, with_weights)
        if self.attentional_units is None:
            return context, weights
        both = ops.concatenate([context, ops.cast(query, self.compute_dtype)], axis=-1)  # (..., T, Dv + Dq)
        output = ops.tanh(project(both, self.combine_kernel))  # (..., T, units)
        if mask is not None:
            output = ops.where(ops.any(mask, axis=-1, keepdims=True), output, 0)
        return output, weights

    def compute_output_shape(self, query_shape, value_shape, key_shape=None):
        return (*query_shape[:-1], value_shape[-1] if self.attentional_units is None else self.attentional_units)

    def get_config(self):
        config = super().get_config()
        del config["alignment"]  # it follows from the arguments
        names = ("window", "window_size", "units", "max_length", "attentional_units")
        return {**config, "score": self._score_name, **{name: getattr(self, name) for name in names}}
