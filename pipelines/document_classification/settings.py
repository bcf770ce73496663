"""The settings of a document classification run, importable without TensorFlow, so that `--help` answers at once."""

from dataclasses import dataclass, field
from typing import Literal

from attention_zoo.pipelines.engine.errors import check_ranges
from attention_zoo.pipelines.engine.settings import ExportSettings, TaskConfig, TrainingSettings


@dataclass
class DataSettings:
    """The labelled documents.

    Args:
        dataset: A TFDS dataset of texts with class labels, such as bbc_news, bbc_news/split2, needles, imdb_reviews,
            ag_news_subset or yelp_polarity_reviews.
        files: Your own texts instead: a CSV or TSV file with a head, a JSON Lines file, or a folder FILES/CLASS/*,
            split by content; or FILES/{train,validation,test}/CLASS/*.
        columns: Names of the column of the text and of that of the class in your files.
        dev: Your own texts for the dev split, in a form of `files`; otherwise a part of the others.
        test: Your own texts for the test split, in a form of `files`.
        strict: Whether faults in your data end the run; otherwise lines and files that have them are reported and
            skipped.
        vocabulary_size: Words that are known at most, the most frequent ones.
        min_count: Least number of times that a known word occurs in the training split.
        max_words: Longest sentence, in words; a longer one is read as several.
        max_sentences: Sentences of a document that are read; the answer says so if there are more.
        limit: Training texts to take, and a tenth as many of the other splits, for a quick look; 0 takes all.
    """

    dataset: str = "bbc_news"
    files: str = ""
    columns: list[str] = field(default_factory=lambda: ["text", "label"])
    dev: str = ""
    test: str = ""
    strict: bool = False
    vocabulary_size: int = 20_000
    min_count: int = 2
    max_words: int = 40
    max_sentences: int = 2_000
    limit: int = 0

    def __post_init__(self):
        names = ("vocabulary_size", "min_count", "max_words", "max_sentences")
        rules = {name: (getattr(self, name) >= 1, "at least 1") for name in names}
        rules["columns"] = (len(self.columns) == 2, "two names, that of the text and that of the class")
        check_ranges(self, rules)


@dataclass
class ModelSettings:
    """The hierarchical attention network of Yang et al. 2016.

    Args:
        embedding_dim: Size of a word vector; with `vectors` it is the size of theirs.
        units: Size of each direction's GRU.
        attention_units: Width of the attention's hidden layer.
        pooling: attention; or mean, the same without attention.
        dropout: Share of the words, and of the features of sentences and documents, that are dropped in training.
        vectors: Text file of word2vec or GloVe with vectors that the embeddings begin with, such as the vectors.txt of
            a run of word_embeddings.
    """

    embedding_dim: int = 100
    units: int = 50
    attention_units: int = 100
    pooling: Literal["attention", "mean"] = "attention"
    dropout: float = 0.2
    vectors: str = ""


@dataclass
class BaselineSettings:
    """Baselines to compare with, trained on the same split.

    Args:
        names: svm, a linear support vector machine on TF-IDF of words and pairs of words; mean_pooling, the same
            network with the mean in place of attention.
    """

    names: list[Literal["svm", "mean_pooling"]] = field(default_factory=lambda: ["svm", "mean_pooling"])


@dataclass
class DocumentClassificationConfig(TaskConfig):
    """Settings of a document classification run.

    Args:
        data: The labelled documents.
        model: The hierarchical attention network.
        training: How the weights are learned; a batch has documents times sentences times words of batch_tokens.
        baselines: Baselines to compare with.
        export: Where the SavedModel goes.
    """

    data: DataSettings = field(default_factory=DataSettings)
    model: ModelSettings = field(default_factory=ModelSettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)
    baselines: BaselineSettings = field(default_factory=BaselineSettings)
    export: ExportSettings = field(default_factory=ExportSettings)
