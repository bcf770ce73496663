"""How to make each exported layer, what to feed it, and what of the attention contract applies to it."""

from dataclasses import dataclass, field

import keras
import numpy as np
from arrays import floats

from attention_zoo import layers

B, T, S, D = 2, 5, 6, 8


QUERY, VALUE = floats(B, T, D, seed=1), floats(B, S, D, seed=2)
QUERY_VALUE = {"query": QUERY, "value": VALUE}


@dataclass
class Case:
    """How to make a layer, what to feed it, and what of the attention contract applies."""

    make: callable
    inputs: dict = field(default_factory=lambda: dict(QUERY_VALUE))
    attends: bool = False  # takes masks and returns scores
    causal: bool = False  # has use_causal_mask
    value_mask: bool = True
    zeros: bool = True  # a row with nothing to attend to is zero
    rows_sum_to_one: bool = True
    dropout: callable = None  # the same with dropout


def attention(make, dropout=None, **options):
    return Case(make, attends=True, causal=True, dropout=dropout, **options)


def recurrent(**options):
    attention_layer = options.pop("attention", None) or layers.BahdanauAttention(4)
    # Keras's orthogonal initialiser, the default of its cells, has no bfloat16 on TensorFlow.
    return layers.AttentiveDecoder(
        keras.layers.GRUCell(7, recurrent_initializer="glorot_uniform"), attention_layer, **options
    )


SCORE_INPUTS = {"query": QUERY, "key": VALUE}
SELF = {"query": QUERY}
CASES = {
    "ZeroScore": Case(layers.ZeroScore, SCORE_INPUTS),
    "DotScore": Case(layers.DotScore, SCORE_INPUTS),
    "ScaledDotScore": Case(layers.ScaledDotScore, SCORE_INPUTS),
    "GeneralScore": Case(layers.GeneralScore, SCORE_INPUTS),
    "AdditiveScore": Case(lambda: layers.AdditiveScore(4), SCORE_INPUTS),
    "ConcatScore": Case(lambda: layers.ConcatScore(4), SCORE_INPUTS),
    "LocationScore": Case(lambda: layers.LocationScore(max_length=9), SCORE_INPUTS),
    "SoftAlignment": Case(layers.SoftAlignment, {"scores": floats(B, T, S)}),
    "UniformAlignment": Case(layers.UniformAlignment, {"scores": floats(B, T, S)}),
    "HardAlignment": Case(layers.HardAlignment, {"scores": floats(B, T, S)}),
    "LocalMonotonicAlignment": Case(lambda: layers.LocalMonotonicAlignment(2), {"scores": floats(B, T, S)}),
    "LocalPredictiveAlignment": Case(
        lambda: layers.LocalPredictiveAlignment(2), {"scores": floats(B, T, S), "query": QUERY}
    ),
    "Attention": attention(
        lambda: layers.Attention(layers.ScaledDotScore()),
        lambda: layers.Attention(layers.ScaledDotScore(), dropout=0.5),
    ),
    "Attention with a score that has weights": attention(lambda: layers.Attention(layers.AdditiveScore(3))),
    "BahdanauAttention": attention(
        lambda: layers.BahdanauAttention(4), lambda: layers.BahdanauAttention(4, dropout=0.5)
    ),
    "GatedAttention": attention(
        lambda: layers.GatedAttention(layers.AdditiveScore(4)),
        lambda: layers.GatedAttention(layers.AdditiveScore(4), dropout=0.5),
    ),
    "GatedAttention that samples": attention(
        lambda: layers.GatedAttention(layers.AdditiveScore(4), layers.HardAlignment())
    ),
    "SpatialAttention": Case(lambda: layers.SpatialAttention(4), attends=True),
    "SpatialAttention without a score": Case(lambda: layers.SpatialAttention(None), attends=True),
    "HardAttention": attention(lambda: layers.HardAttention(4), lambda: layers.HardAttention(4, expected_share=0.2)),
    "HardAttention argmax": attention(lambda: layers.HardAttention(4, inference="argmax")),
    **{
        f"LuongAttention {score}": attention(
            lambda score=score: layers.LuongAttention(score),
            lambda score=score: layers.LuongAttention(score, dropout=0.5),
        )
        for score in ("dot", "general", "concat", "location")
    },
    **{
        f"LuongAttention {window}": attention(
            lambda window=window: layers.LuongAttention("general", window=window, window_size=2),
            rows_sum_to_one=window == "monotonic",
        )
        for window in ("monotonic", "predictive")
    },
    "LuongAttention attentional": attention(lambda: layers.LuongAttention("dot", attentional_units=3), zeros=False),
    "MultiHeadAttention": attention(
        lambda: layers.MultiHeadAttention(2, 4), lambda: layers.MultiHeadAttention(2, 4, dropout=0.5)
    ),
    "MultiHeadAttention with every option": attention(
        lambda: layers.MultiHeadAttention(2, 4, value_dim=3, output_shape=8, use_gate=True, sliding_window=9)
    ),
    "GroupedQueryAttention": attention(
        lambda: layers.GroupedQueryAttention(4, 4, 2), lambda: layers.GroupedQueryAttention(4, 4, 2, dropout=0.5)
    ),
    "MultiHeadSelfAttention": attention(
        lambda: layers.MultiHeadSelfAttention(2, 4),
        lambda: layers.MultiHeadSelfAttention(2, 4, dropout=0.5),
        inputs=SELF,
        value_mask=False,
    ),
    "RelativeSelfAttention": attention(
        lambda: layers.RelativeSelfAttention(2, 4, max_distance=2),
        lambda: layers.RelativeSelfAttention(2, 4, max_distance=2, dropout=0.5),
        inputs=SELF,
        value_mask=False,
    ),
    "TransformerXLAttention": attention(
        lambda: layers.TransformerXLAttention(2, 4),
        lambda: layers.TransformerXLAttention(2, 4, dropout=0.5),
        inputs=SELF,
        value_mask=False,
    ),
    "TransformerXLAttention with a memory": Case(lambda: layers.TransformerXLAttention(2, 4), attends=True),
    "TwoStreamAttention": attention(
        lambda: layers.TwoStreamAttention(2, 4, clamp_length=3),
        lambda: layers.TwoStreamAttention(2, 4, dropout=0.5),
        inputs=SELF,
        value_mask=False,
    ),
    "TwoStreamAttention with a memory": Case(lambda: layers.TwoStreamAttention(2, 4), attends=True),
    "TwoStreamAttention with both streams": Case(
        lambda: layers.TwoStreamAttention(2, 4),
        QUERY_VALUE
        | {"query_stream": floats(B, 3, D, seed=3), "targets": np.array([[4, 0, 2], [1, 3, 3]], "int32")}
        | {"segments": np.array([[0, 0, 1, 1, 1], [0, 1, 1, 2, 2]], "int32")},
    ),
    "AttentionPooling": Case(lambda: layers.AttentionPooling(4), {"inputs": QUERY}),
    "ConditionalRandomField": Case(lambda: layers.ConditionalRandomField(D, [[0, 1]], [2], [3]), {"inputs": QUERY}),
    "PatchEmbedding": Case(lambda: layers.PatchEmbedding((2, 3), 5, (4, 6)), {"images": floats(B, 4, 6, 3)}),
    "PatchEmbedding of another size": Case(
        lambda: layers.PatchEmbedding(2, 5, 4, class_token=False), {"images": floats(B, 6, 10, 3)}
    ),
    "StochasticDepth": Case(lambda: layers.StochasticDepth(0.5), {"inputs": QUERY}),
    "SinusoidalEncoding": Case(layers.SinusoidalEncoding, {"inputs": QUERY}),
    "PositionalEmbedding": Case(
        lambda: layers.PositionalEmbedding(11, 6), {"token_ids": np.array([[3, 1, 0], [2, 0, 0]])}
    ),
    "PositionalEmbedding in halves": Case(
        lambda: layers.PositionalEmbedding(11, 6, interleaved=False), {"token_ids": np.array([[3, 1, 0]])}
    ),
    "PositionalEmbedding learned": Case(
        lambda: layers.PositionalEmbedding(11, 6, max_length=7, positions="learned"),
        {"token_ids": np.array([[3, 1, 0]])},
    ),
    **{
        f"TransformerEncoderBlock {'pre' if first else 'post'}-LN": attention(
            lambda first=first: layers.TransformerEncoderBlock(2, 16, normalize_first=first),
            lambda first=first: layers.TransformerEncoderBlock(2, 16, dropout=0.5, normalize_first=first),
            inputs=SELF,
            value_mask=False,
            zeros=False,
        )
        for first in (False, True)
    },
    "TransformerDecoderBlock": attention(
        lambda: layers.TransformerDecoderBlock(2, 16),
        lambda: layers.TransformerDecoderBlock(2, 16, dropout=0.5),
        zeros=False,
    ),
    "AttentiveDecoder attend_then_step": Case(recurrent, attends=True, zeros=False),
    "AttentiveDecoder that samples": Case(
        lambda: recurrent(attention=layers.HardAttention(4)), attends=True, zeros=False
    ),
    "AttentiveDecoder step_then_attend": Case(
        lambda: recurrent(order="step_then_attend", attention=layers.LuongAttention("general")),
        attends=True,
        zeros=False,
    ),
    "AttentiveDecoder input feeding": Case(
        lambda: recurrent(
            order="step_then_attend",
            attention=layers.LuongAttention("general", attentional_units=7),
            input_feeding=True,
        ),
        attends=True,
        zeros=False,
    ),
}
