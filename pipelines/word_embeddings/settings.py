"""The settings of a word embeddings run, importable without TensorFlow, so that `--help` answers at once."""

from dataclasses import dataclass, field
from typing import Literal

from attention_zoo.pipelines.engine.errors import check_ranges
from attention_zoo.pipelines.engine.settings import ExportSettings, TaskConfig, TrainingSettings


@dataclass
class DataSettings:
    """The text.

    Args:
        dataset: A TFDS dataset with a text, such as newsgroups, wiki40b/en, imdb_reviews or ag_news_subset.
        files: Your own UTF-8 text files instead; each line is a text, and contexts do not cross lines. Separate the
            words of languages that are written without spaces.
        dev: Your own text files of the validation split; without them a twentieth of the lines is taken.
        from_run: A run of any task, such as runs/translation/bahdanau, whose embeddings are taken as they are: nothing
            is trained, and neighbours, files and maps are made of them.
        strict: Whether faults in your files end the run; otherwise lines that have them are reported and skipped.
        train_split: Split of the dataset for training, in TFDS's notation.
        validation_split: Split whose loss decides which checkpoint is best.
        limit: Training texts to take, and a tenth as many of the other split, for a quick look; 0 takes all.
        min_count: Rarer words are left out.
        vocabulary_size: Largest number of words, the most frequent ones; 0 is no limit.
        subsample: Frequency above which words are left out at random; 1e-5 for large text, 1e-3 for small, 0 never.
        similarities: Your own file of word pairs to score the vectors by: two words and a number a line, separated by
            tabs or spaces. Otherwise WordSim-353, which is English; none leaves the score out.
        analogies: Your own file of analogies, four words a line, in the format of questions-words.txt, which is the
            default; none leaves the score out.
    """

    dataset: str = "newsgroups"
    files: list[str] = field(default_factory=list)
    dev: list[str] = field(default_factory=list)
    from_run: str = ""
    strict: bool = False
    train_split: str = "train+test"
    validation_split: str = "validation"
    limit: int = 0
    min_count: int = 5
    vocabulary_size: int = 0
    subsample: float = 1e-3
    similarities: str = ""
    analogies: str = ""

    def __post_init__(self):
        rules = {name: (getattr(self, name) >= 0, "at least 0") for name in ("limit", "vocabulary_size", "subsample")}
        check_ranges(self, rules | {"min_count": (self.min_count >= 1, "at least 1")})


@dataclass
class ModelSettings:
    """Skip-gram with negative sampling.

    Args:
        embedding_dim: Size of a word vector.
        window: Largest distance of a word and its context; that of each word is drawn from 1 to this.
        negatives: Random words that a pair is compared with, 5 to 20.
        shared_negatives: Random words that are drawn for 32 words of text; together they weigh as much as `negatives`.
    """

    embedding_dim: int = 100
    window: int = 5
    negatives: int = 5
    shared_negatives: int = 32

    def __post_init__(self):
        names = ("embedding_dim", "window", "negatives", "shared_negatives")
        check_ranges(self, {name: (getattr(self, name) >= 1, "at least 1") for name in names})


@dataclass
class PictureSettings:
    """The map of words: t-SNE (van der Maaten and Hinton 2008) of the vectors, started from their principal components.

    Args:
        words: Words on the map, the most frequent ones.
        skip: The most frequent words that are left out, since they say little alone.
        perplexity: About how many neighbours of a word keep their places.
        groups: Number of colors, the groups that k-means finds.
    """

    words: int = 300
    skip: int = 150
    perplexity: float = 30.0
    groups: int = 8

    def __post_init__(self):
        rules = {"words": (self.words >= 4, "at least 4"), "groups": (self.groups >= 1, "at least 1")}
        rules |= {"skip": (self.skip >= 0, "at least 0"), "perplexity": (self.perplexity > 0, "above 0")}
        check_ranges(self, rules)


@dataclass
class BaselineSettings:
    """Other programs that are trained on the same text.

    Args:
        names: gensim, its skip-gram with negative sampling and the same settings; it needs the extra `vectors`.
    """

    names: list[Literal["gensim"]] = field(default_factory=lambda: ["gensim"])


@dataclass
class WordEmbeddingsConfig(TaskConfig):
    """Settings of a word embeddings run.

    Args:
        data: The text.
        model: The vectors.
        training: How they are learned. batch_tokens are the words of a batch. learning_rate is that of a pair, as in
            word2vec: the gradients of the pairs of a batch are summed.
        picture: The map of words.
        baselines: Other programs that are trained on the same text.
        export: Where the SavedModel goes.
    """

    data: DataSettings = field(default_factory=DataSettings)
    model: ModelSettings = field(default_factory=ModelSettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)
    picture: PictureSettings = field(default_factory=PictureSettings)
    baselines: BaselineSettings = field(default_factory=BaselineSettings)
    export: ExportSettings = field(default_factory=ExportSettings)
