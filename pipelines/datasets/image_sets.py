"""Labelled images as encoded files: a TFDS image set, scikit-learn's digits, or a user's folder for each class."""

import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
from PIL import ExifTags, Image

from attention_zoo.pipelines.datasets.dirt import Dirt
from attention_zoo.pipelines.datasets.held_out import split_of
from attention_zoo.pipelines.datasets.tfds import OPTIONS, SPLITS, examples_of, prepared
from attention_zoo.pipelines.datasets.user_images import read_images
from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.untuned import untuned

SUFFIXES = (".jpg", ".jpeg", ".png", ".gif", ".bmp")
OTHER_IMAGES = (".webp", ".tif", ".tiff", ".heic", ".heif", ".avif")  # formats that TensorFlow does not decode
COLORED = 16  # difference between two channels; grey photos that were saved as color JPEGs stay below
TURNED = (5, 6, 7, 8)  # EXIF orientations that exchange height and width


@dataclass(frozen=True)
class Look:
    """What a user's images have in common.

    Args:
        height: Median height, in pixels.
        width: Median width.
        colored: Number of images with color.
        count: Number of images.
    """

    height: int
    width: int
    colored: int
    count: int


@dataclass
class ImageSet:
    """One split.

    Args:
        examples: `tf.data.Dataset` of `{"image": the encoded file, "label": int64}`, in a fixed order.
        count: Number of examples.
        labels: Names of the classes.
        version: Name and version of the dataset, or the digest of the files.
        files: Names of the image files, in the order of the examples; empty for a dataset.
        look: `Look` of a user's images, those of all splits; `None` for a dataset.
    """

    examples: tf.data.Dataset
    count: int
    labels: list[str]
    version: str
    files: list[str] = field(default_factory=list)
    look: Look | None = None


def read_image_sets(
    dataset: str,
    splits: Sequence[str] = SPLITS,
    folder: str = "",
    strict: bool = False,
    dev: str = "",
    test: str = "",
) -> dict[str, ImageSet]:
    """Reads the three splits of an image set.

    Args:
        dataset: Name of a TFDS dataset whose `supervised_keys` are an image and a class label; or sklearn_digits.
        splits: Splits of the dataset for training, validation and test, as TFDS names them, such as "train[:90%]".
        folder: A user's images that stand in for the dataset: `FOLDER/CLASS/*`, then split by content, or
            `FOLDER/{train,validation,test}/CLASS/*`.
        strict: Whether faults in the folders are an error; otherwise the files that have them are skipped and reported.
        dev: A user's images of the validation split, `DEV/CLASS/*`. Defaults to `""`: a part of the others.
        test: A user's images of the test split, `TEST/CLASS/*`.

    Returns:
        A dict of "train", "validation" and "test" to `ImageSet`.

    Raises:
        UserError: The dataset is not one of labelled images or lacks a split, the folders hold fewer than two classes,
            or they have faults and `strict` is true.
    """
    own = {split: Path(path) for split, path in (("validation", dev), ("test", test)) if path}
    if folder:
        return read_folders(roots_in(Path(folder), own) | own, Dirt(strict))
    sets = read_dataset(dataset, splits)
    if own:
        own_sets = read_folders(own, Dirt(strict), sets["train"].labels)
        version = ", ".join([sets["train"].version, own_sets["test" if test else "validation"].version])
        sets = {split: replace(one, version=version) for split, one in (sets | own_sets).items()}
    return sets


def read_dataset(dataset: str, splits: Sequence[str]) -> dict[str, ImageSet]:
    """Reads the three splits of scikit-learn's digits or a TFDS dataset, see `read_image_sets`."""
    if dataset == "sklearn_digits":
        return read_sklearn_digits()
    builder = prepared(dataset)
    keys, features = builder.info.supervised_keys, builder.info.features
    if (
        not keys
        or len(keys) != 2
        or not hasattr(features[keys[0]], "encode_example")
        or not hasattr(features[keys[1]], "names")
    ):
        raise UserError(
            f"--data.dataset: expected a dataset of images with class labels; received {dataset} with keys {keys}"
        )
    return {
        name: read_tfds(builder, split, *keys, f"--data.{name}_split")  # pyright: ignore[reportArgumentType]
        for name, split in zip(SPLITS, splits, strict=True)
    }


def read_tfds(builder: tfds.core.DatasetBuilder, split: str, image_key: str, label_key: str, setting: str) -> ImageSet:
    """Returns one split of a TFDS dataset; its images stay encoded. An error about the split begins with `setting`."""
    try:
        data = examples_of(builder, split, decoders={image_key: tfds.decode.SkipDecoding()})
    except ValueError as error:
        there = ", ".join(builder.info.splits)
        raise UserError(
            f"{setting}: {builder.name} has no split {split}; it has {there} ({str(error).splitlines()[0]})"
        ) from None
    count = int(data.cardinality())
    examples = data.map(lambda row: {"image": row[image_key], "label": tf.cast(row[label_key], tf.int64)})
    return ImageSet(examples, count, list(builder.info.features[label_key].names), f"{builder.info.full_name} {split}")


def read_sklearn_digits() -> dict[str, ImageSet]:
    """Reads the 1,797 digits of scikit-learn, 8 x 8 pixels. A hash of the pixels decides the split."""
    from sklearn import __version__
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = np.minimum(digits.images * 16, 255).astype("uint8")[..., None]  # 0 to 16 become 0 to 255
    encoded = [tf.io.encode_png(image).numpy() for image in images]
    splits = [split_of(content) for content in encoded]
    names = [str(name) for name in digits.target_names]
    return in_splits(encoded, digits.target, splits, names, f"scikit-learn {__version__} digits")


def roots_in(directory: Path, own: Mapping[str, Path]) -> dict[str, Path]:
    """Returns the folders of a user's images by split; "" is the split of those that are to be split by content.

    Splits with a folder of their own elsewhere (`own`) are left out.
    """
    if not directory.is_dir():
        raise UserError(f"--data.folder: expected a folder with a folder for each class; received {directory}")
    if all((directory / split).is_dir() for split in SPLITS):
        return {split: directory / split for split in SPLITS if split not in own}
    return {"": directory}


def read_folders(roots: Mapping[str, Path], dirt: Dirt, labels: Sequence[str] = ()) -> dict[str, ImageSet]:
    """Reads a user's images, a folder for each class.

    A folder without a single image that can be decoded is no class.

    Args:
        roots: The folders with the folders of the classes, by split, see `roots_in`.
        dirt: `Dirt` that takes the faults.
        labels: Classes of the training images, if those are elsewhere. Defaults to `()`.

    Returns:
        A dict of splits to `ImageSet`; without `labels` of all three.
    """
    for split, root in roots.items():
        if not root.is_dir():
            raise UserError(f"{OPTIONS[split]}: expected a folder with a folder for each class; received {root}")
    files = [(path, name, split) for split, root in roots.items() for path, name in image_files(root, dirt)]
    kept, sizes, colored = [], [], 0
    for number, content, pixels in read_images([(path, path) for path, _, _ in files], dirt):
        kept.append((hashlib.sha256(content).hexdigest(), *files[number]))
        sizes += size_of(content)
        colored += is_colored(pixels)
    kept.sort()  # by content: classes are mixed, so that the first ones are a fair sample
    dirt.report()
    folders = ", ".join(map(str, roots.values()))
    names = list(labels) or sorted({name for _, _, name, split in kept if split in ("", "train")})
    found = {folder.name for root in roots.values() for folder in folders_in(root)}
    if empty := sorted(found - {name for _, _, name, _ in kept}):
        print(f"no classes, because no image is in them: {', '.join(empty)}")
    if len(names) < 2:
        raise UserError(
            f"--data.folder: expected folders of at least two classes with {', '.join(SUFFIXES)} files in "
            f"{folders}; received {len(kept)} images in {len(names)} folders"
        )
    if new := sorted({name for _, _, name, _ in kept} - set(names)):
        raise UserError(
            f"--data.folder, --data.dev, --data.test: expected images of the classes {', '.join(names)}, which have "
            f"training images; received images of {', '.join(new)}"
        )
    splits = []
    for content, _, _, split in kept:
        drawn = split or split_of(bytes.fromhex(content))
        splits.append("train" if not split and drawn in roots else drawn)  # that split has a folder of its own
    version = f"{folders} SHA-256 {hashlib.sha256(''.join(content for content, *_ in kept).encode()).hexdigest()}"
    sets = in_splits(
        [str(path) for _, path, _, _ in kept],
        [names.index(name) for _, _, name, _ in kept],
        splits,
        names,
        version,
        list(roots) if labels else SPLITS,
    )
    for one in sets.values():
        one.examples = one.examples.map(lambda row: {**row, "image": tf.io.read_file(row["image"])})
        if sizes:
            one.look = Look(*np.median(sizes, axis=0).astype(int).tolist(), colored, len(kept))
    return sets


def size_of(content: bytes) -> list[tuple[int, int]]:
    """Returns (height, width) of an image file as it is shown, in a list; none where Pillow does not read its head."""
    try:
        with Image.open(io.BytesIO(content)) as image:
            turned = image.getexif().get(ExifTags.Base.Orientation) in TURNED
            return [(image.width, image.height) if turned else (image.height, image.width)]
    except (OSError, SyntaxError, ValueError):  # TensorFlow has decoded it: its size is not known, but it is used
        return []


def is_colored(pixels: np.ndarray) -> bool:
    """Returns whether the channels of an image differ, by more than compression makes of grey.

    Example:

    >>> is_colored(np.full((8, 8, 3), 90, "uint8")), is_colored(np.tile(np.uint8([200, 90, 90]), (8, 8, 1)))
    (False, True)
    """
    return bool(np.ptp(pixels.astype(int), axis=-1).max() > COLORED)


def folders_in(root: Path) -> list[Path]:
    """Returns the folders of the classes, sorted. Hidden folders and those that macOS packs into archives are none."""
    return sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith((".", "__MACOSX")))


def image_files(root: Path, dirt: Dirt) -> Iterator[tuple[Path, str]]:
    """Yields (path, class) of the image files in the folders of the classes; images elsewhere are faults.

    Files that are no images by their names, such as notes.txt, are ignored.
    """
    for path in sorted(root.iterdir()):
        if path.is_file() and path.suffix.lower() in (*SUFFIXES, *OTHER_IMAGES):
            dirt.add("an image outside of the folders of the classes", path)
    for folder in folders_in(root):
        for path in sorted(folder.glob("*")):
            if path.is_dir():
                dirt.add("a folder inside of the folder of a class", path)
            elif path.suffix.lower() in OTHER_IMAGES:
                dirt.add(f"a format other than {', '.join(SUFFIXES)}", path)
            elif path.suffix.lower() in SUFFIXES:
                yield path, folder.name


def in_splits(
    images: Sequence[bytes | str],
    labels: Sequence[int] | np.ndarray,
    splits: Sequence[str],
    names: list[str],
    version: str,
    wanted: Sequence[str] = SPLITS,
) -> dict[str, ImageSet]:
    """Sorts examples in memory, images or the names of their files, into an `ImageSet` for each wanted split."""
    sets = {}
    for split in wanted:
        rows = [row for row, name in enumerate(splits) if name == split]
        if not rows:
            raise UserError(f"--data.folder: expected images for every split, received none for {split} of {version}")
        columns = {"image": [images[row] for row in rows], "label": np.array([labels[row] for row in rows], "int64")}
        examples = untuned(tf.data.Dataset.from_tensor_slices(columns))  # pyright: ignore[reportArgumentType]
        files = [name for name in columns["image"] if isinstance(name, str)]
        sets[split] = ImageSet(examples, len(rows), names, version, files)
    return sets
