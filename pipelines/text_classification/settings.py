"""The settings of a text classification run, importable without TensorFlow, so that `--help` answers at once."""

from dataclasses import dataclass, field
from typing import Literal

from attention_zoo.pipelines.engine.errors import UserError, check_ranges
from attention_zoo.pipelines.engine.settings import EncoderSettings, ExportSettings, TaskConfig, TrainingSettings


@dataclass
class DataSettings:
    """The labelled texts.

    Args:
        dataset: A TFDS dataset of texts, or pairs of texts, with class labels, such as bbc_news, bbc_news/split2,
            imdb_reviews, ag_news_subset, glue/sst2 or glue/mrpc; or with numbers, such as glue/stsb.
        labels: What a text, or a pair, is labelled with: classes; or numbers, such as how strong a sentiment is or how
            alike two texts are, which the model learns to predict.
        labels_per_class: Labelled training texts of each class to learn from, drawn by training.seed; 0 takes all.
        max_length: Tokens of a text that are read, the special ones included; the answer says so if there are more.
        vocabulary_size: Pieces of words that a model without `encoder` learns, about.
        files: Your own texts instead: a CSV or TSV file with a head, a JSON Lines file, or a folder FILES/CLASS/*,
            split by content; or FILES/{train,validation,test}/CLASS/*.
        columns: Names of the column of the text and of that of the label in your files.
        dev: Your own texts for the dev split, in a form of `files`; otherwise a part of the others.
        test: Your own texts for the test split, in a form of `files`.
        limit: Training texts to take, and a tenth as many of the other splits, for a quick look; 0 takes all.
        strict: Whether faults in your data end the run; otherwise lines and files that have them are reported and
            skipped.
    """

    dataset: str = "bbc_news"
    labels: Literal["classes", "numbers"] = "classes"
    labels_per_class: int = 0
    max_length: int = 128
    vocabulary_size: int = 8_000
    files: str = ""
    columns: list[str] = field(default_factory=lambda: ["text", "label"])
    dev: str = ""
    test: str = ""
    limit: int = 0
    strict: bool = False

    def __post_init__(self):
        check_ranges(
            self,
            {
                "labels_per_class": (self.labels_per_class >= 0, "at least 0"),
                "max_length": (self.max_length >= 3, "at least 3"),
                "vocabulary_size": (self.vocabulary_size >= 10, "at least 10"),
                "columns": (len(self.columns) == 2, "two names, that of the text and that of the label"),
            },
        )
        if self.labels == "numbers" and self.labels_per_class:
            raise UserError(
                "--data.labels_per_class: expected 0 with --data.labels numbers, which have no classes; "
                f"received {self.labels_per_class}"
            )


@dataclass
class ModelSettings(EncoderSettings):
    """A Transformer encoder with a layer for the classes, or for the number.

    Args:
        pooling: What stands for the text: mean, the mean of its tokens; first, the first token, as in BERT's paper, or
            that of XLNet that its vocabulary has for this, <cls>, which comes last.
        frozen: Whether the encoder keeps the weights that it begins with, and only the classes are learned.
        lora_rank: Rank of the matrices that are learned in place of the encoder's weights, one pair for each projection
            of queries, keys, values and outputs (Hu et al. 2022); 0 learns the weights themselves.
    """

    pooling: Literal["mean", "first"] = "mean"
    frozen: bool = False
    lora_rank: int = 0

    def __post_init__(self):
        check_ranges(self, {"lora_rank": (self.lora_rank >= 0, "at least 0")})


@dataclass
class FineTuningSettings(TrainingSettings):
    """How the weights are learned.

    Args:
        layer_decay: Factor of the learning rate from each block of the encoder to the one below it; the embeddings come
            below the first block, and the layers above the last one have the full rate.
        linear_probe: Whether the layer of the classes begins as a linear probe of the given encoder, a logistic
            regression on its features of the training texts, and not at random (Kumar et al. 2022). That of a number
            begins as a ridge regression.
    """

    layer_decay: float = 1.0
    linear_probe: bool = False

    def __post_init__(self):
        super().__post_init__()
        check_ranges(self, {"layer_decay": (0 < self.layer_decay <= 1, "above 0 and at most 1")})


@dataclass
class BaselineSettings:
    """Baselines to compare with, trained on the same labelled texts.

    Args:
        names: tfidf, a logistic regression, or for numbers a ridge regression, on TF-IDF of words and pairs of words;
            from_scratch, the same model without the weights of the encoder that it begins with.
    """

    names: list[Literal["tfidf", "from_scratch"]] = field(default_factory=lambda: ["tfidf", "from_scratch"])


@dataclass
class TextClassificationConfig(TaskConfig):
    """Settings of a text classification run.

    Args:
        data: The labelled texts.
        model: A Transformer encoder with a layer for the classes, or for the number.
        training: How the weights are learned; a batch has texts times tokens of batch_tokens.
        baselines: Baselines to compare with.
        export: Where the SavedModel goes.
    """

    data: DataSettings = field(default_factory=DataSettings)
    model: ModelSettings = field(default_factory=ModelSettings)
    training: FineTuningSettings = field(default_factory=FineTuningSettings)
    baselines: BaselineSettings = field(default_factory=BaselineSettings)
    export: ExportSettings = field(default_factory=ExportSettings)

    def __post_init__(self):
        super().__post_init__()
        if self.data.labels == "numbers" and self.training.label_smoothing:
            raise UserError(
                "--training.label_smoothing: expected 0 with --data.labels numbers, which have no classes; "
                f"received {self.training.label_smoothing}"
            )
