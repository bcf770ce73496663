"""The settings of an image classification run, importable without TensorFlow, so that `--help` answers at once."""

from dataclasses import dataclass, field
from typing import Literal

from attention_zoo.pipelines.engine.settings import ExportSettings, TaskConfig, TrainingSettings


@dataclass
class DataSettings:
    """The labelled images.

    Args:
        dataset: A TFDS dataset of images with class labels, such as digits, cifar10 or imagenet2012; or sklearn_digits.
        folder: Your own images instead: FOLDER/CLASS/*, split by content, or FOLDER/{train,validation,test}/CLASS/*.
        dev: Your own images for the dev split, DEV/CLASS/*; otherwise a part of the others.
        test: Your own images for the test split, TEST/CLASS/*.
        strict: Whether faults in your data end the run; otherwise lines and files that have them are reported and
            skipped.
        train_split: Split of the dataset for training, in TFDS's notation, such as train[:90%].
        validation_split: Split that decides which checkpoint is best.
        test_split: Split for the final test.
        height: Height that every image is brought to, in pixels; a multiple of the patch. Height, width, color and
            patch of your own images are read from them unless you write them.
        width: Width that every image is brought to.
        color: Whether images have three channels; otherwise they have one, of grey.
        in_memory: Decode all images once and keep them; otherwise they are decoded anew each epoch.
        limit: Training images to take, and a tenth as many of the other splits, for a quick look; 0 takes all.
    """

    dataset: str = "digits"
    folder: str = ""
    dev: str = ""
    test: str = ""
    strict: bool = False
    train_split: str = "train"
    validation_split: str = "validation"
    test_split: str = "test"
    height: int = 28
    width: int = 28
    color: bool = False
    in_memory: bool = True
    limit: int = 0


@dataclass
class AugmentationSettings:
    """How training images are changed at random.

    Args:
        translation: Largest shift, as a share of the side.
        rotation: Largest turn to either side, in degrees.
        zoom: Largest change of size, as a share.
        flip: Mirror half of the images.
        rand_augment: Magnitude of RandAugment's two operations, from 0 to 1 (Cubuk et al. 2020); 0 leaves them out. All
            images of a batch get the same operations.
        mixup: Alpha of mixup (Zhang et al. 2018); 0 is none. With mixup and cutmix, each batch gets one of them.
        cutmix: Alpha of cutmix (Yun et al. 2019); 0 is none.
    """

    translation: float = 0.0
    rotation: float = 0.0
    zoom: float = 0.0
    flip: bool = False
    rand_augment: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0


@dataclass
class PooledSettings:
    """The options of every Vision Transformer.

    Args:
        name: vit with each size as an option, or vit_variant with the sizes of a paper.
        pooling: Input of the classifier: the class token, or the mean of the patches.
        dropout: Share of activations set to zero in training.
        stochastic_depth: Probability that the last block is left out for an example in training.
    """

    name: str = ""
    pooling: Literal["token", "mean"] = "token"
    dropout: float = 0.0
    stochastic_depth: float = 0.0


@dataclass
class ViTSettings(PooledSettings):
    """The Vision Transformer with each size as an option.

    Args:
        patch_size: Side of a patch, in pixels.
        num_layers: Number of blocks.
        hidden_dim: Width.
        intermediate_dim: Width of the blocks' inner layer.
        num_heads: Attention heads of a block.
    """

    name: Literal["vit"] = "vit"
    patch_size: int = 4
    num_layers: int = 4
    hidden_dim: int = 64
    intermediate_dim: int = 128
    num_heads: int = 4


@dataclass
class ViTVariantSettings(PooledSettings):
    """The Vision Transformer at the size of a paper.

    Args:
        variant: Ti, S, B, L or H, a slash and the patch.
    """

    name: Literal["vit_variant"] = "vit_variant"
    variant: str = "B/16"


ModelSettings = ViTSettings | ViTVariantSettings


@dataclass
class BaselineSettings:
    """Baselines to compare with, trained on the same split.

    Args:
        names: knn, the three nearest neighbours by pixels; svm, with an RBF kernel; cnn, three small convolutions. The
            first two take all images into memory.
        cnn_epochs: Passes of the CNN over the same augmented batches.
    """

    names: list[Literal["knn", "svm", "cnn"]] = field(default_factory=lambda: ["knn", "svm", "cnn"])
    cnn_epochs: int = 10


@dataclass
class ImageClassificationConfig(TaskConfig):
    """Settings of an image classification run.

    Args:
        data: The labelled images.
        augmentation: How training images are changed at random.
        model: The Vision Transformer.
        training: How the weights are learned; the tokens of batch_tokens are patches.
        baselines: Baselines to compare with.
        export: Where the SavedModel goes.
    """

    data: DataSettings = field(default_factory=DataSettings)
    augmentation: AugmentationSettings = field(default_factory=AugmentationSettings)
    model: ModelSettings = field(default_factory=ViTSettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)
    baselines: BaselineSettings = field(default_factory=BaselineSettings)
    export: ExportSettings = field(default_factory=ExportSettings)
