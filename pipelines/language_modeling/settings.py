"""The settings of a language modeling run, importable without TensorFlow, so that `--help` answers at once."""

from dataclasses import dataclass, field
from typing import Literal

from attention_zoo.pipelines.engine.decoding.settings import WritingSettings
from attention_zoo.pipelines.engine.errors import UserError, check_ranges
from attention_zoo.pipelines.engine.settings import ExportSettings, TaskConfig, TrainingSettings


@dataclass
class DataSettings:
    """The text.

    Args:
        dataset: A TFDS dataset with a text, such as shakespeare, wiki40b/en, imdb_reviews or ag_news_subset.
        files: Your own UTF-8 text files instead; each line is a text, and no line sees another one. A twentieth of the
            lines is held out for validation, another one for test.
        dev: Your own text files of the validation split.
        test: Your own text files of the test split.
        strict: Whether faults in your files end the run; otherwise lines that have them are reported and skipped.
        train_split: Split of the dataset for training, in TFDS's notation.
        validation_split: Split whose loss decides which checkpoint is best.
        test_split: Split that the model is scored on.
        limit: Training texts to take, and a tenth as many of the other splits, for a quick look; 0 takes all.
        vocabulary_size: Byte pairs (GPT-2) to learn, the 256 bytes included; a preset's number is lowered to those that
            occur often enough. Of WordPieces (the others) about so many are learned.
    """

    dataset: str = "shakespeare"
    files: list[str] = field(default_factory=list)
    dev: list[str] = field(default_factory=list)
    test: list[str] = field(default_factory=list)
    strict: bool = False
    train_split: str = "train"
    validation_split: str = "validation"
    test_split: str = "test"
    limit: int = 0
    vocabulary_size: int = 4000

    def __post_init__(self):
        rules = {"limit": (self.limit >= 0, "at least 0")}
        rules["vocabulary_size"] = (self.vocabulary_size >= 256, "at least 256, one a byte")
        check_ranges(self, rules)


@dataclass
class TransformerSettings:
    """The options of every model.

    Args:
        name: The model; each has options of its own.
        context: Tokens that the model sees at once, special ones included.
        num_layers: Blocks.
        num_heads: Attention heads of a block.
        hidden_dim: Width of the model.
        intermediate_dim: Width of the blocks' inner layer.
        dropout: Share of activations set to zero in training.
        attention_dropout: Share of attention weights set to zero in training.
    """

    name: str = ""
    context: int = 128
    num_layers: int = 4
    num_heads: int = 4
    hidden_dim: int = 256
    intermediate_dim: int = 1024
    dropout: float = 0.1
    attention_dropout: float = 0.1

    def __post_init__(self):
        check_ranges(self, {"context": (self.context >= 3, "at least 3")})


@dataclass
class GPT2Settings(TransformerSettings):
    """GPT-2 (Radford et al. 2019)."""

    name: Literal["gpt2"] = "gpt2"


@dataclass
class MaskedSettings(TransformerSettings):
    """The options of every encoder that predicts hidden tokens.

    Args:
        masked_share: Share of the tokens that are to be predicted. Of these, 80% are hidden, 10% are replaced by random
            ones, and 10% stay.
        masks: Masks of a row of text, which take turns by epoch (static masking); 0 draws new ones each epoch
            (dynamic masking).
        whole_words: Choose all pieces of a word, or none.
        longest: Words, or tokens, of the longest n-gram that is chosen; n is drawn with p(n) ~ 1/n.
        pairs: What is learned of pairs of segments: nsp, next sentence prediction, whether the second one follows the
            first or is of another text; sop, sentence order prediction, whether the two are swapped; none, rows are one
            segment.
        short_seq_prob: Share of the pairs that are to be shorter than context, of a random length.
    """

    masked_share: float = 0.15
    masks: int = 0
    whole_words: bool = False
    longest: int = 1
    pairs: Literal["none", "nsp", "sop"] = "none"
    short_seq_prob: float = 0.1

    def __post_init__(self):
        super().__post_init__()
        rules = {"context": (self.pairs == "none" or self.context >= 5, "at least 5 for pairs")}
        rules["short_seq_prob"] = (0 <= self.short_seq_prob <= 1, "between 0 and 1")
        rules |= {"masks": (self.masks >= 0, "at least 0")}
        rules["masked_share"] = (0 < self.masked_share < 1, "above 0 and below 1")
        rules["longest"] = (self.longest >= 1, "at least 1")
        check_ranges(self, rules)


@dataclass
class BertSettings(MaskedSettings):
    """BERT (Devlin et al. 2019), with ten static masks and next sentence prediction."""

    name: Literal["bert"] = "bert"
    masks: int = 10
    pairs: Literal["none", "nsp", "sop"] = "nsp"


@dataclass
class RobertaSettings(MaskedSettings):
    """RoBERTa (Liu et al. 2019), with dynamic masks."""

    name: Literal["roberta"] = "roberta"


@dataclass
class AlbertSettings(MaskedSettings):
    """ALBERT (Lan et al. 2020), whose layers share their weights, with n-grams of words and sentence order prediction.

    Args:
        embedding_dim: Width of the embeddings.
    """

    name: Literal["albert"] = "albert"
    embedding_dim: int = 128
    dropout: float = 0.0
    attention_dropout: float = 0.0
    whole_words: bool = True
    longest: int = 3
    pairs: Literal["none", "nsp", "sop"] = "sop"


@dataclass
class XLNetSettings(TransformerSettings):
    """XLNet (Yang et al. 2019), which predicts tokens in random orders.

    Args:
        tokens_per_target: About one token of so many is predicted.
        longest: Tokens of the longest span that is predicted; a length n is drawn with p(n) ~ 1/n.
        other_share: Share of the rows whose second half is that of another row.
    """

    name: Literal["xlnet"] = "xlnet"
    tokens_per_target: int = 6
    longest: int = 5
    other_share: float = 0.5

    def __post_init__(self):
        super().__post_init__()
        rules = {"context": (self.context >= 5, "at least 5")}
        rules["tokens_per_target"] = (self.tokens_per_target >= 1, "at least 1")
        rules["longest"] = (self.longest >= 1, "at least 1")
        rules["other_share"] = (0 <= self.other_share <= 1, "between 0 and 1")
        check_ranges(self, rules)


ModelSettings = GPT2Settings | BertSettings | RobertaSettings | AlbertSettings | XLNetSettings


@dataclass
class BaselineSettings:
    """What the model has to beat on the test split, in bits per byte or, of models of hidden tokens, perplexity.

    Args:
        names: unigram, the frequencies of the same tokens in training; lzma, a compressor that has read the training
            split, for GPT-2.
    """

    names: list[Literal["unigram", "lzma"]] = field(default_factory=lambda: ["unigram", "lzma"])


@dataclass
class LanguageModelingConfig(TaskConfig):
    """Settings of a language modeling run.

    Args:
        data: The text.
        model: The model.
        training: How the weights are learned.
        decoding: How a text is continued; models of hidden tokens do not.
        baselines: What the model has to beat.
        export: Where the SavedModel goes.
    """

    data: DataSettings = field(default_factory=DataSettings)
    model: ModelSettings = field(default_factory=GPT2Settings)
    training: TrainingSettings = field(default_factory=TrainingSettings)
    decoding: WritingSettings = field(default_factory=WritingSettings)
    baselines: BaselineSettings = field(default_factory=BaselineSettings)
    export: ExportSettings = field(default_factory=ExportSettings)

    def __post_init__(self):
        super().__post_init__()
        if self.model.name != "gpt2":
            return
        most = self.model.context - 2  # a prompt has two tokens at least, one of which begins it
        try:
            check_ranges(
                self.decoding,
                {"max_tokens": (self.decoding.max_tokens <= most, f"at most {most}, two less than --model.context")},
            )
        except UserError as error:
            raise UserError(f"decoding.{error}") from None
