"""The settings of a captioning run, importable without TensorFlow, so that `--help` answers at once."""

from dataclasses import dataclass, field
from typing import Literal

from attention_zoo.pipelines.engine.decoding.settings import DecodingSettings
from attention_zoo.pipelines.engine.errors import check_ranges
from attention_zoo.pipelines.engine.settings import ExportSettings, TaskConfig, TrainingSettings


@dataclass
class DataSettings:
    """The images and their captions.

    Args:
        dataset: A TFDS dataset of images with captions, such as emoji_scenes or coco_captions.
        folder: Your own data instead of a dataset: images/, and captions.jsonl with a line such as
            {"image": "cat.jpg", "captions": ["a cat"]} for each image; or three such folders, train, validation and
            test.
        dev: Your own data for the dev split, as FOLDER; otherwise a part of the others.
        test: Your own data for the test split, as FOLDER.
        strict: Whether faults in your data end the run; otherwise lines and files that have them are reported and
            skipped.
        limit: Training images to take, and a tenth as many of the other splits, for a quick look; 0 takes all.
        max_words: Training captions with more words are left out, and no longer ones are written.
        vocabulary_size: Words to know, the most frequent ones.
    """

    dataset: str = "emoji_scenes"
    folder: str = ""
    dev: str = ""
    test: str = ""
    strict: bool = False
    limit: int = 0
    max_words: int = 30
    vocabulary_size: int = 10000


@dataclass
class ModelSettings:
    """The model.

    Args:
        attention: soft (the weighted sum of all locations), hard (one sampled location), mean (the same weight
            everywhere: no attention).
        image_size: Height and width that images are brought to.
        backbone: small (four convolutions), or a class of keras.applications, such as VGG19.
        weights: Weights of a backbone of keras.applications: none (random), imagenet, or a file.
        frozen: Whether the backbone keeps its weights.
        embedding_dim: Size of a word vector, and of the output's hidden layer.
        units: Size of the LSTM's state.
        attention_units: Width of the score's hidden layer.
        dropout: Share of the output's hidden features set to zero in training.
        doubly_stochastic: Weight of the penalty on locations that get no attention.
        reward_scale: hard: weight of REINFORCE.
        entropy_scale: hard: weight of the attention's entropy.
        inference: hard: locations that are read when a caption is written: all of them, weighted by their
            probability, or the most probable one.
    """

    attention: Literal["soft", "hard", "mean"] = "soft"
    image_size: int = 96
    backbone: str = "small"
    weights: str = "none"
    frozen: bool = False
    embedding_dim: int = 128
    units: int = 256
    attention_units: int = 128
    dropout: float = 0.5
    doubly_stochastic: float = 1.0
    reward_scale: float = 0.1
    entropy_scale: float = 0.002
    inference: Literal["expectation", "argmax"] = "expectation"


@dataclass
class AugmentationSettings:
    """How training images are changed at random; few images of your own get both, since they leave captions true.

    Args:
        translation: Largest shift, as a share of the side.
        zoom: Largest change of size, as a share.
    """

    translation: float = 0.0
    zoom: float = 0.0

    def __post_init__(self):
        names = ("translation", "zoom")
        check_ranges(self, {name: (0 <= getattr(self, name) < 1, "at least 0 and below 1") for name in names})


@dataclass
class BaselineSettings:
    """The same model without attention, trained after the run to compare with.

    Args:
        epochs: Passes over the training data; 0 trains none.
    """

    epochs: int = 0


@dataclass
class CaptioningConfig(TaskConfig):
    """Settings of a captioning run.

    Args:
        data: The images and their captions.
        model: The model.
        augmentation: How training images are changed.
        training: How the weights are learned; an epoch shows every image once, with one of its captions.
        baseline: The model without attention to compare with.
        decoding: How a caption is searched for.
        export: Where the SavedModel goes.
    """

    data: DataSettings = field(default_factory=DataSettings)
    model: ModelSettings = field(default_factory=ModelSettings)
    augmentation: AugmentationSettings = field(default_factory=AugmentationSettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)
    baseline: BaselineSettings = field(default_factory=BaselineSettings)
    decoding: DecodingSettings = field(default_factory=DecodingSettings)
    export: ExportSettings = field(default_factory=ExportSettings)
