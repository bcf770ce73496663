"""The settings of an intents run, importable without TensorFlow, so that `--help` answers at once."""

from dataclasses import dataclass, field
from typing import Literal

from attention_zoo.pipelines.engine.errors import check_ranges
from attention_zoo.pipelines.engine.settings import ExportSettings, TaskConfig, TrainingSettings


@dataclass
class DataSettings:
    """The sentences.

    Args:
        dataset: A TFDS dataset with the features text, intent and entities, such as home_intents/de.
        files: Your own files instead: nlu.yml of Rasa; JSONL with text, intent and entities; or CSV of text and intent.
        dev: Your own files of the validation split; without them a tenth of the sentences of each intent is taken.
        test: Your own files of the test split; without them a tenth of the sentences of each intent is taken.
        strict: Whether faults in your files end the run; otherwise lines that have them are reported and skipped.
        out_of_scope: Texts that belong to no intent, to choose the threshold of in_scope on and to test it: .txt files
            with a text a line, or TFDS datasets with the name of a feature, such as bible_translation/en-fr:source.
            Without them every text is in scope.
        buckets: Rows of the table into which the n-grams of words are hashed.
        largest_ngram: Longest n-gram of characters within a word; 0 takes words alone.
        max_words: Longest text in words; longer ones are cut.
        limit: Training sentences to take, and a tenth as many of the other splits, for a quick look; 0 takes all.
    """

    dataset: str = "home_intents/en"
    files: list[str] = field(default_factory=list)
    dev: list[str] = field(default_factory=list)
    test: list[str] = field(default_factory=list)
    strict: bool = False
    out_of_scope: list[str] = field(default_factory=list)
    buckets: int = 16_384
    largest_ngram: int = 4
    max_words: int = 64
    limit: int = 0

    def __post_init__(self):
        rules = {"buckets": (self.buckets >= 3, "at least 3"), "max_words": (self.max_words >= 1, "at least 1")}
        check_ranges(self, rules | {"largest_ngram": (0 <= self.largest_ngram <= 8, "0 to 8")})


@dataclass
class ModelSettings:
    """DIET.

    Args:
        hidden_dim: Width of the encoder.
        num_layers: Blocks of the encoder.
        num_heads: Attention heads of a block.
        intermediate_dim: Width of the blocks' inner layer.
        embedding_dim: Width of the embeddings of labels and hidden words.
        negatives: Wrong labels, and wrong words, that a loss compares with.
        relative_positions: Whether attention sees how far apart words are; otherwise sinusoids are added.
        max_distance: Distance in words from which on all are alike.
        feature_dropout: Share of the features of words that are dropped in training.
        dropout: Share of the encoder's features that are dropped in training.
        intent_loss: Whether intents are learned.
        entity_loss: Whether entities are learned.
        mask_loss: Whether hidden words are predicted in training.
    """

    hidden_dim: int = 256
    num_layers: int = 2
    num_heads: int = 4
    intermediate_dim: int = 512
    embedding_dim: int = 20
    negatives: int = 20
    relative_positions: bool = True
    max_distance: int = 5
    feature_dropout: float = 0.3
    dropout: float = 0.2
    intent_loss: bool = True
    entity_loss: bool = True
    mask_loss: bool = True

    def __post_init__(self):
        names = ("negatives", "max_distance")
        rules = {name: (getattr(self, name) >= 1, "at least 1") for name in names}
        check_ranges(self, rules | {"intent_loss": (self.intent_loss or self.entity_loss, "this or entity_loss")})


@dataclass
class BaselineSettings:
    """Baselines to compare with, trained on the same split.

    Args:
        names: intent_accuracy, a logistic regression on TF-IDF of characters; entity_f1, a conditional random field of
            python-crfsuite, which comes with the extra `entities`.
    """

    names: list[Literal["intent_accuracy", "entity_f1"]] = field(
        default_factory=lambda: ["intent_accuracy", "entity_f1"]
    )


@dataclass
class IntentsConfig(TaskConfig):
    """Settings of an intents run.

    Args:
        data: The sentences.
        model: DIET.
        baselines: Baselines to compare with.
        training: How the weights are learned; the tokens of batch_tokens are words.
        export: Where the SavedModel goes.
    """

    data: DataSettings = field(default_factory=DataSettings)
    model: ModelSettings = field(default_factory=ModelSettings)
    baselines: BaselineSettings = field(default_factory=BaselineSettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)
    export: ExportSettings = field(default_factory=ExportSettings)
