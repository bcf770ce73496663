"""The settings of a named entities run, importable without TensorFlow, so that `--help` answers at once."""

from dataclasses import dataclass, field
from typing import Literal

from attention_zoo.pipelines.engine.errors import check_ranges
from attention_zoo.pipelines.engine.settings import ExportSettings, TaskConfig, TrainingSettings


@dataclass
class DataSettings:
    """The tagged sentences.

    Args:
        dataset: A TFDS dataset of tokens with entity tags, such as conll2003_english, conll2003 or wikiann/en.
        files: Your own files instead, in CoNLL's format: a word and its tag on each line, or four columns, and an empty
            line after each sentence; BIO1, BIO2 and BILOU are recognised.
        dev: Your own files of the validation split; without them a tenth of the sentences is taken.
        test: Your own files of the test split; without them a tenth of the sentences is taken.
        strict: Whether faults in your files end the run; otherwise sentences that have them are reported and skipped.
        vocabulary_size: Words to keep at most, the most frequent ones; digits count as 0, and casing does not count.
        max_words: Longest text in words; longer ones are cut.
        limit: Training sentences to take, and a tenth as many of the other splits, for a quick look; 0 takes all.
    """

    dataset: str = "conll2003_english"
    files: list[str] = field(default_factory=list)
    dev: list[str] = field(default_factory=list)
    test: list[str] = field(default_factory=list)
    strict: bool = False
    vocabulary_size: int = 50_000
    max_words: int = 256
    limit: int = 0


@dataclass
class TaggerSettings:
    """The options of every tagger.

    Args:
        name: lstm, a bidirectional LSTM (Lample et al. 2016); or attention, Transformer blocks.
        encoder: What reads the words in place of their embeddings: a folder of the Hugging Face Hub with BERT, RoBERTa,
            ALBERT, DistilBERT or XLNet, or the folder of a run that has such an encoder. Its weights are learned on.
        embedding_dim: Size of a word's embedding.
        character_dim: Size of a character's embedding.
        filters: Features of the characters of a word.
        hidden_dim: Units of each direction of the LSTM, or width of the blocks.
        num_layers: LSTMs or blocks.
        dropout: Share of the features dropped before and after the encoder in training.
        word_dropout: Probability that a word that occurs once in the training data is read as unknown.
        head: crf, a conditional random field; or softmax, each tag by itself.
        tagging: The scheme that the model writes. bilou tells the last words of entities and single ones apart.
    """

    name: str = ""
    encoder: str = ""
    embedding_dim: int = 100
    character_dim: int = 25
    filters: int = 50
    hidden_dim: int = 100
    num_layers: int = 1
    dropout: float = 0.5
    word_dropout: float = 0.5
    head: Literal["crf", "softmax"] = "crf"
    tagging: Literal["bio", "bilou"] = "bilou"


@dataclass
class LSTMSettings(TaggerSettings):
    """The tagger with a bidirectional LSTM."""

    name: Literal["lstm"] = "lstm"


@dataclass
class AttentionSettings(TaggerSettings):
    """The tagger with Transformer blocks.

    Args:
        num_heads: Attention heads of a block.
    """

    name: Literal["attention"] = "attention"
    num_heads: int = 4


ModelSettings = LSTMSettings | AttentionSettings


@dataclass
class TaggingTrainingSettings(TrainingSettings):
    """How the weights are learned; the tokens of batch_tokens are words.

    Args:
        encoder_rate: Factor of the learning rate for the weights of `model.encoder`; 0 keeps them as they are.
    """

    encoder_rate: float = 0.02

    def __post_init__(self):
        super().__post_init__()
        check_ranges(self, {"encoder_rate": (0 <= self.encoder_rate <= 1, "from 0 to 1")})


@dataclass
class BaselineSettings:
    """Baselines to compare with, trained on the same split.

    Args:
        names: crf, python-crfsuite on words, shapes and affixes (extra `entities`); softmax, the same model without the
            conditional random field, which takes about as long as the model.
    """

    names: list[Literal["crf", "softmax"]] = field(default_factory=lambda: ["crf", "softmax"])


@dataclass
class NamedEntitiesConfig(TaskConfig):
    """Settings of a named entities run.

    Args:
        data: The tagged sentences.
        model: The tagger.
        training: How the weights are learned; the tokens of batch_tokens are words.
        baselines: Baselines to compare with.
        export: Where the SavedModel goes.
    """

    data: DataSettings = field(default_factory=DataSettings)
    model: ModelSettings = field(default_factory=LSTMSettings)
    training: TaggingTrainingSettings = field(default_factory=TaggingTrainingSettings)
    baselines: BaselineSettings = field(default_factory=BaselineSettings)
    export: ExportSettings = field(default_factory=ExportSettings)
