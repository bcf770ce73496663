"""The models of the papers, each built from attention_zoo.layers."""

from attention_zoo.pipelines.models.bahdanau_translator import BahdanauTranslator
from attention_zoo.pipelines.models.luong_translator import LuongTranslator
from attention_zoo.pipelines.models.recurrent_encoder_decoder import RecurrentEncoderDecoder
from attention_zoo.pipelines.models.stacked_seq2seq import StackedSeq2Seq
from attention_zoo.pipelines.models.transformer_translator import TransformerTranslator

__all__ = [
    "BahdanauTranslator",
    "LuongTranslator",
    "RecurrentEncoderDecoder",
    "StackedSeq2Seq",
    "TransformerTranslator",
]
