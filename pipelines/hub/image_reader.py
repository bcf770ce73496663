"""Image files to the pixels that a model of the Hub reads, as its preprocessor_config.json says, in the graph."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import tensorflow as tf

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.images.image_files import decode_each_image
from attention_zoo.pipelines.engine.images.resampling import KERNELS, resample
from attention_zoo.pipelines.hub.folder import read_json

FILE = "preprocessor_config.json"
OF_ALL = {
    "do_resize": True,
    "do_center_crop": False,
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": 0.5,
    "image_std": 0.5,
}
DEFAULTS = {
    "ViT": OF_ALL | {"size": 224, "resample": 2},
    "DeiT": OF_ALL | {"size": 256, "resample": 3, "do_center_crop": True, "crop_size": 224},
}
"""Settings that a file can leave out, by what the name of its processor begins with."""
KINDS = ("ImageProcessor", "ImageProcessorFast", "FeatureExtractor")
LONGEST = 2**30  # of an image that is one pixel high
KNOWN = {"do_resize", "do_center_crop", "do_rescale", "do_normalize", "do_convert_rgb"}


class ImageReader(NamedTuple):
    """Decodes image files, resizes and crops them, and scales their pixels.

    Args:
        size: `(height, width)` that an image is resized to, before it is cropped; `None` if its shorter side decides.
        shorter: What the shorter side becomes, where the proportions of an image are kept.
        crop: `(height, width)` of the centre that is kept.
        kernel: One of `resampling.KERNELS`.
        factor: What the pixels, 0 to 255, are multiplied by.
        mean: Is subtracted then, one number a channel.
        deviation: Divides them then, one number a channel.
    """

    size: tuple[int, int] | None
    shorter: int
    crop: tuple[int, int]
    kernel: str
    factor: float
    mean: Sequence[float]
    deviation: Sequence[float]

    def read(self, image_bytes: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns images, float32 `(B, height, width, 3)`, and the `error` of each `(B,)`.

        A file that cannot be decoded gives black pixels. Pixels before the scaling are within 1 of 255 of those that
        transformers' processors compute with Pillow.
        """
        images, error = decode_each_image(image_bytes, self.crop, self.resized)
        return (tf.cast(images, tf.float32) * self.factor - self.mean) / self.deviation, error

    def resized(self, image: tf.Tensor) -> tf.Tensor:
        """Returns the centre of a resized image, uint8 `(H, W, 3)` to `(*crop, 3)`."""
        size = self.size
        if size is None:
            sides = tf.shape(image)[:2]
            exact = self.shorter * tf.cast(sides, tf.int64) // tf.cast(tf.reduce_min(sides), tf.int64)
            size = tf.cast(tf.minimum(exact, LONGEST), tf.int32)
        return resample(image, size, self.crop, self.kernel)


def image_reader_of(folder: Path, model_type: str, image_size: tuple[int, int]) -> ImageReader:
    """Returns what turns image files into the inputs of the model of a folder.

    Args:
        folder: Has preprocessor_config.json.
        model_type: "model_type" of its config.json, "vit" or "deit".
        image_size: `(height, width)` of the images that the model reads.

    Raises:
        UserError: The file is missing, or asks for something that is not done here.
    """
    given = read_json(folder / FILE)
    settings = defaults_for(given, model_type) | {name: value for name, value in given.items() if value is not None}
    unknown = [name for name, value in settings.items() if name.startswith("do_") and value and name not in KNOWN]
    if unknown:
        raise UserError(f"{FILE}: expected {unknown[0]} false, received {settings[unknown[0]]}")
    if not settings["do_resize"]:
        raise UserError(f"{FILE}: expected do_resize true, as files have images of any size; received false")
    if settings["resample"] not in KERNELS:
        expected = f"resample {', '.join(map(str, KERNELS))} (Lanczos, bilinear, bicubic)"
        raise UserError(f"{FILE}: expected {expected}; received {settings['resample']}")
    size, shorter = resized_size(settings["size"])
    if settings["do_center_crop"]:
        crop = pair_of("crop_size", settings["crop_size"])
    elif size is not None:
        crop = size
    else:
        raise UserError(f"{FILE}: expected a size of height and width, or do_center_crop; received {settings['size']}")
    if crop != image_size:
        raise UserError(f"{FILE}: expected images of {by(image_size)}, as the model reads; received {by(crop)}")
    if any(kept > side for kept, side in zip(crop, size or (shorter, shorter))):
        raise UserError(f"{FILE}: expected a size of at least crop_size, {by(crop)}; received {settings['size']}")
    mean, deviation = channels_of("image_mean", settings), channels_of("image_std", settings)
    if 0 in deviation:
        raise UserError(f"{FILE}: expected image_std above 0, received {settings['image_std']}")
    if not settings["do_normalize"]:
        mean, deviation = (0.0,) * 3, (1.0,) * 3
    factor = float(settings["rescale_factor"]) if settings["do_rescale"] else 1.0
    return ImageReader(size, shorter, crop, KERNELS[settings["resample"]], factor, mean, deviation)


def defaults_for(settings: Mapping[str, Any], model_type: str) -> dict[str, Any]:
    """Returns the defaults of the processor that a file names, or else of that of the model.

    Raises:
        UserError: The processor is of another kind.
    """
    name = settings.get("image_processor_type") or settings.get("feature_extractor_type")
    for family, defaults in DEFAULTS.items():
        if name in [family + kind for kind in KINDS] or (not name and family.lower() == model_type):
            return defaults
    expected = " or ".join(f"{family}ImageProcessor" for family in DEFAULTS)
    raise UserError(f"{FILE}: expected an image_processor_type of {expected}; received {name}")


def resized_size(size: Any) -> tuple[tuple[int, int] | None, int]:
    """Returns what "size" says: (height, width) or `None`, and the length of the shorter side or 0.

    Example:

    >>> resized_size(224), resized_size({"height": 8, "width": 6}), resized_size({"shortest_edge": 256})
    (((224, 224), 0), ((8, 6), 0), (None, 256))
    """
    if isinstance(size, Mapping) and set(size) == {"shortest_edge"}:
        return None, int(size["shortest_edge"])
    return pair_of("size", size), 0


def pair_of(name: str, size: Any) -> tuple[int, int]:
    """Returns (height, width) of a setting that has both, or is one number.

    Raises:
        UserError: It is neither.
    """
    if isinstance(size, int) and size > 0:
        return size, size
    if isinstance(size, Mapping) and {"height", "width"} <= set(size):
        return int(size["height"]), int(size["width"])
    raise UserError(f"{FILE}: expected {name} to be a number, or height and width; received {size}")


def channels_of(name: str, settings: Mapping[str, Any]) -> tuple[float, float, float]:
    """Returns the three numbers of a setting, which may be one for all channels.

    Raises:
        UserError: It has another number of them.
    """
    value = settings[name]
    values = tuple(map(float, value)) if isinstance(value, list | tuple) else (float(value),) * 3
    if len(values) != 3:
        raise UserError(f"{FILE}: expected {name} of 3 channels, received {len(values)}")
    return values


def by(size: tuple[int, int]) -> str:
    """Returns a size in words.

    Example:

    >>> by((224, 160))
    '224 x 160'
    """
    return f"{size[0]} x {size[1]}"
