"""The settings of a translation run, importable without TensorFlow, so that `--help` answers at once."""

from dataclasses import dataclass, field
from typing import Literal

from attention_zoo.pipelines.engine.decoding.settings import DecodingSettings
from attention_zoo.pipelines.engine.settings import ExportSettings, TaskConfig, TrainingSettings


@dataclass
class DataSettings:
    """The parallel text.

    Args:
        dataset: A TFDS dataset of sentence pairs, such as cldr_phrases, dates, bible_translation/en-fr,
            ted_hrlr_translate/pt_to_en or wmt14_translate/de-en.
        locale: The language on the other side of cldr_phrases (target) and dates (source); any locale that Babel knows.
        reverse: Translate from the dataset's second language into its first, such as wmt14_translate/de-en from
            English.
        files: Your own text instead of a dataset: two files with a sentence a line, source and target, or one file
            of pairs, source, tab, target (--data-files works too).
        dev: Your own text to choose the checkpoint by, in the form of `files`; otherwise a twentieth of the text
            is taken.
        test: Your own text to score the model on, in the form of `files`.
        strict: Whether faults in your data end the run; otherwise lines and files that have them are reported and
            skipped.
        alignment_files: Sentences that people aligned word by word, to score the attention against: source, target,
            and links such as 0-0 or 2?3 (Pharaoh's format), a line a pair.
        max_words: Pairs with more words on either side are left out; 0 keeps all.
        max_tokens: Training pairs with more tokens on either side are left out; a longer source is cut when it is
            translated, and the answer says so.
        limit: Training pairs to take, and a tenth as many of the other splits, for a quick look; 0 takes all.
        vocabulary_size: Subwords shared by both languages. A preset's number is changed to what the text gives or
            needs.
        subwords: Kind of the SentencePiece model.
        cache: Keep the tokenised text in the run's folder: a large corpus is then tokenised once, and not at each
            restart.
        service: Address (grpc://HOST:PORT) of a tf.data service that makes the training batches; none by default. With
            one worker of the service the order stays exact.
    """

    dataset: str = "cldr_phrases"
    locale: str = "fr"
    reverse: bool = False
    files: list[str] = field(default_factory=list)
    dev: list[str] = field(default_factory=list)
    test: list[str] = field(default_factory=list)
    strict: bool = False
    alignment_files: list[str] = field(default_factory=list)
    max_words: int = 0
    max_tokens: int = 128
    limit: int = 0
    vocabulary_size: int = 4000
    subwords: Literal["unigram", "bpe", "char"] = "unigram"
    cache: bool = False
    service: str = ""


@dataclass
class RecurrentSettings:
    """The options of every recurrent translator.

    Args:
        name: The model; each has options of its own.
        embedding_dim: Size of a word vector.
        units: Size of a recurrent state.
        dropout: Share of activations set to zero in training.
    """

    name: str = ""
    embedding_dim: int = 256
    units: int = 256
    dropout: float = 0.1


@dataclass
class RNNSettings(RecurrentSettings):
    """Encoder and decoder of Cho et al. 2014: one vector holds the sentence."""

    name: Literal["rnn"] = "rnn"


@dataclass
class Seq2SeqSettings(RecurrentSettings):
    """Stacked LSTMs of Sutskever et al. 2014, without attention.

    Args:
        num_layers: Stacked layers of the encoder, and again of the decoder.
    """

    name: Literal["seq2seq"] = "seq2seq"
    num_layers: int = 1


@dataclass
class BahdanauSettings(RecurrentSettings):
    """The additive attention of Bahdanau et al. 2015."""

    name: Literal["bahdanau"] = "bahdanau"


@dataclass
class LuongSettings(RecurrentSettings):
    """The multiplicative and local attention of Luong et al. 2015.

    Args:
        num_layers: Stacked layers of the encoder, and again of the decoder.
        score: How a query is compared with a key.
        window: Attend everywhere (none), around the step (monotonic), or around a predicted position (predictive).
        window_size: D, half the width of the window.
        input_feeding: Feed the attentional state to the next step.
    """

    name: Literal["luong"] = "luong"
    num_layers: int = 1
    score: Literal["dot", "general", "concat", "location"] = "general"
    window: Literal["none", "monotonic", "predictive"] = "none"
    window_size: int = 10
    input_feeding: bool = True


@dataclass
class TransformerSettings:
    """The Transformer of Vaswani et al. 2017.

    Args:
        name: The model; each has options of its own.
        embedding_dim: Width of the model, d_model.
        num_layers: Blocks of the encoder, and again of the decoder.
        num_heads: Attention heads of a block.
        intermediate_dim: Width of the blocks' inner layer.
        dropout: Share of activations set to zero in training.
        attention_dropout: Share of attention weights set to zero in training.
    """

    name: Literal["transformer"] = "transformer"
    embedding_dim: int = 256
    num_layers: int = 1
    num_heads: int = 4
    intermediate_dim: int = 1024
    dropout: float = 0.1
    attention_dropout: float = 0.0


ModelSettings = RNNSettings | Seq2SeqSettings | BahdanauSettings | LuongSettings | TransformerSettings


@dataclass
class TranslationConfig(TaskConfig):
    """Settings of a translation run.

    Args:
        data: The parallel text.
        model: The model.
        training: How the weights are learned.
        decoding: How a translation is searched for.
        export: Where the SavedModel goes.
    """

    data: DataSettings = field(default_factory=DataSettings)
    model: ModelSettings = field(default_factory=BahdanauSettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)
    decoding: DecodingSettings = field(default_factory=DecodingSettings)
    export: ExportSettings = field(default_factory=ExportSettings)
