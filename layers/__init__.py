"""Attention as Keras layers: a score says how well a query matches a key, an alignment turns scores into weights."""

from attention_zoo.layers.alignments import Alignment, LocalMonotonicAlignment, LocalPredictiveAlignment, SoftAlignment
from attention_zoo.layers.attention import Attention
from attention_zoo.layers.bahdanau import BahdanauAttention
from attention_zoo.layers.crf import ConditionalRandomField
from attention_zoo.layers.dot_product import dot_product_attention
from attention_zoo.layers.gated import GatedAttention
from attention_zoo.layers.grouped_query import GroupedQueryAttention
from attention_zoo.layers.hard import HardAlignment, HardAttention, sample_locations
from attention_zoo.layers.location import LocationScore
from attention_zoo.layers.luong import LuongAttention
from attention_zoo.layers.masks import causal_mask, combine_masks, masked_softmax
from attention_zoo.layers.multi_head import MultiHeadAttention
from attention_zoo.layers.patches import PatchEmbedding, StochasticDepth
from attention_zoo.layers.pooling import AttentionPooling
from attention_zoo.layers.positions import PositionalEmbedding, SinusoidalEncoding
from attention_zoo.layers.record import record_attention
from attention_zoo.layers.recurrent import AttentiveDecoder
from attention_zoo.layers.reinforce import reinforce_loss
from attention_zoo.layers.relative import RelativeSelfAttention
from attention_zoo.layers.replace import replace_attention
from attention_zoo.layers.rollout import attention_rollout
from attention_zoo.layers.scores import (
    AdditiveScore,
    ConcatScore,
    DotScore,
    GeneralScore,
    ScaledDotScore,
    Score,
)
from attention_zoo.layers.self_attention import MultiHeadSelfAttention
from attention_zoo.layers.spatial import SpatialAttention
from attention_zoo.layers.transformer_decoder import TransformerDecoderBlock
from attention_zoo.layers.transformer_encoder import TransformerEncoderBlock
from attention_zoo.layers.transformer_xl import TransformerXLAttention
from attention_zoo.layers.two_stream import TwoStreamAttention
from attention_zoo.layers.uniform import UniformAlignment, ZeroScore

__all__ = [
    "AdditiveScore",
    "Alignment",
    "Attention",
    "AttentionPooling",
    "AttentiveDecoder",
    "BahdanauAttention",
    "ConcatScore",
    "ConditionalRandomField",
    "DotScore",
    "GatedAttention",
    "GeneralScore",
    "GroupedQueryAttention",
    "HardAlignment",
    "HardAttention",
    "LocalMonotonicAlignment",
    "LocalPredictiveAlignment",
    "LocationScore",
    "LuongAttention",
    "MultiHeadAttention",
    "MultiHeadSelfAttention",
    "PatchEmbedding",
    "PositionalEmbedding",
    "RelativeSelfAttention",
    "ScaledDotScore",
    "Score",
    "SinusoidalEncoding",
    "SoftAlignment",
    "SpatialAttention",
    "StochasticDepth",
    "TransformerDecoderBlock",
    "TransformerEncoderBlock",
    "TransformerXLAttention",
    "TwoStreamAttention",
    "UniformAlignment",
    "ZeroScore",
    "attention_rollout",
    "causal_mask",
    "combine_masks",
    "dot_product_attention",
    "masked_softmax",
    "record_attention",
    "reinforce_loss",
    "replace_attention",
    "sample_locations",
]
