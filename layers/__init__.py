"""Attention as Keras layers: a score says how well a query matches a key, an alignment turns scores into weights."""

from attention_zoo.layers.alignments import Alignment, LocalMonotonicAlignment, LocalPredictiveAlignment, SoftAlignment
from attention_zoo.layers.attention import Attention, BahdanauAttention, LuongAttention
from attention_zoo.layers.masks import causal_mask, combine_masks, masked_softmax
from attention_zoo.layers.multi_head import MultiHeadAttention, MultiHeadSelfAttention
from attention_zoo.layers.positions import PositionalEmbedding, SinusoidalEncoding
from attention_zoo.layers.recurrent import AttentiveDecoder
from attention_zoo.layers.scores import (
    AdditiveScore,
    ConcatScore,
    DotScore,
    GeneralScore,
    LocationScore,
    ScaledDotScore,
    Score,
)
from attention_zoo.layers.transformer import TransformerDecoderBlock, TransformerEncoderBlock

__all__ = [
    "AdditiveScore",
    "Alignment",
    "Attention",
    "AttentiveDecoder",
    "BahdanauAttention",
    "ConcatScore",
    "DotScore",
    "GeneralScore",
    "LocalMonotonicAlignment",
    "LocalPredictiveAlignment",
    "LocationScore",
    "LuongAttention",
    "MultiHeadAttention",
    "MultiHeadSelfAttention",
    "PositionalEmbedding",
    "ScaledDotScore",
    "Score",
    "SinusoidalEncoding",
    "SoftAlignment",
    "TransformerDecoderBlock",
    "TransformerEncoderBlock",
    "causal_mask",
    "combine_masks",
    "masked_softmax",
]
