"""The models of the papers, each built from attention_zoo.layers."""

from attention_zoo.pipelines.models.albert import AlbertEncoder
from attention_zoo.pipelines.models.attentive_driver import AttentiveDriver, UniformDriver
from attention_zoo.pipelines.models.bahdanau_translator import BahdanauTranslator
from attention_zoo.pipelines.models.bert import BertEncoder
from attention_zoo.pipelines.models.diet_classifier import DIETClassifier
from attention_zoo.pipelines.models.encoder_heads import (
    AnswerFinder,
    MaskedLanguageModel,
    SentenceEncoder,
    SequenceClassifier,
    TokenClassifier,
)
from attention_zoo.pipelines.models.gpt2 import GPT2Decoder
from attention_zoo.pipelines.models.hierarchical_attention import HierarchicalAttentionNetwork
from attention_zoo.pipelines.models.luong_translator import LuongTranslator
from attention_zoo.pipelines.models.marian import MarianTranslator
from attention_zoo.pipelines.models.pretraining_model import PretrainingModel
from attention_zoo.pipelines.models.recurrent_encoder_decoder import RecurrentEncoderDecoder
from attention_zoo.pipelines.models.roberta import RobertaEncoder
from attention_zoo.pipelines.models.show_attend_tell import ShowAttendTell
from attention_zoo.pipelines.models.skip_gram import SkipGram
from attention_zoo.pipelines.models.stacked_seq2seq import StackedSeq2Seq
from attention_zoo.pipelines.models.transformer_translator import TransformerTranslator
from attention_zoo.pipelines.models.vision_transformer import VisionTransformer
from attention_zoo.pipelines.models.xlnet import XLNetEncoder

__all__ = [
    "AlbertEncoder",
    "AnswerFinder",
    "AttentiveDriver",
    "BahdanauTranslator",
    "BertEncoder",
    "DIETClassifier",
    "GPT2Decoder",
    "HierarchicalAttentionNetwork",
    "LuongTranslator",
    "MarianTranslator",
    "MaskedLanguageModel",
    "PretrainingModel",
    "RecurrentEncoderDecoder",
    "RobertaEncoder",
    "SentenceEncoder",
    "SequenceClassifier",
    "ShowAttendTell",
    "SkipGram",
    "StackedSeq2Seq",
    "TokenClassifier",
    "TransformerTranslator",
    "UniformDriver",
    "VisionTransformer",
    "XLNetEncoder",
]
