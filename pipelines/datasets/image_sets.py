"""Labelled images as encoded files: any TFDS image set, scikit-learn's digits, or one's own folders, a class each."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf

from attention_zoo.pipelines.datasets.tfds import SPLITS, prepared
from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.images.image_files import read_image_file

SUFFIXES = (".jpg", ".jpeg", ".png", ".gif", ".bmp")


@dataclass
class ImageSet:
    """One split.

    Args:
        examples: `tf.data.Dataset` of `{"image": the encoded file, "label": int64}`, in a fixed order.
        count: How many there are.
        labels: Names of the classes.
        version: Which data it is, for the record.
    """

    examples: tf.data.Dataset
    count: int
    labels: list[str]
    version: str


def read_image_sets(dataset, splits=SPLITS, directory=""):
    """Reads the three splits of an image set.

    Args:
        dataset: Name of a TFDS dataset whose `supervised_keys` are an image and a class label; or sklearn_digits.
        splits: What to take for training, validation and test, in TFDS's words, such as "train[:90%]".
        directory: Own images that stand in for the dataset: `DIRECTORY/CLASS/*`, then split by content, or
            `DIRECTORY/{train,validation,test}/CLASS/*`.

    Returns:
        A dict of "train", "validation" and "test" to `ImageSet`.

    Raises:
        UserError: the dataset is not one of labelled images or lacks a split, or the folders hold no classes or what
            is no image.
    """
    if directory:
        return read_folders(Path(directory))
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
            f"data.dataset: expected a dataset of images with class labels; received {dataset} with keys {keys}"
        )
    return {name: read_tfds(builder, split, *keys) for name, split in zip(SPLITS, splits, strict=True)}


def read_tfds(builder, split, image_key, label_key):
    """Returns one split of a TFDS dataset; its images stay encoded."""
    import tensorflow_datasets as tfds

    try:
        data = builder.as_dataset(split=split, decoders={image_key: tfds.decode.SkipDecoding()})
    except ValueError as error:
        there = ", ".join(builder.info.splits)
        raise UserError(
            f"data: {builder.name} has no split {split}; it has {there} ({str(error).splitlines()[0]})"
        ) from None
    count = int(data.cardinality())
    examples = data.map(lambda row: {"image": row[image_key], "label": tf.cast(row[label_key], tf.int64)})
    return ImageSet(examples, count, list(builder.info.features[label_key].names), f"{builder.info.full_name} {split}")


def read_sklearn_digits():
    """The 1,797 digits of scikit-learn, 8 x 8 pixels; a hash of the pixels decides the split."""
    from sklearn import __version__
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = np.minimum(digits.images * 16, 255).astype("uint8")[..., None]  # 0 to 16 become 0 to 255
    encoded = [tf.io.encode_png(image).numpy() for image in images]
    splits = [split_of(content) for content in encoded]
    names = [str(name) for name in digits.target_names]
    return in_splits(encoded, digits.target, splits, names, f"scikit-learn {__version__} digits")


def read_folders(directory):
    """Own images, a folder a class."""
    if not directory.is_dir():
        raise UserError(
            f"data.directory: expected a folder of folders, one a class; received {directory}, which is none"
        )
    given = all((directory / split).is_dir() for split in SPLITS)
    roots = [directory / split for split in SPLITS] if given else [directory]
    names = sorted({path.name for root in roots for path in root.iterdir() if path.is_dir()})
    paths = [
        (path, names.index(name), root.name)
        for root in roots
        for name in names
        for path in sorted((root / name).glob("*"))
        if path.suffix.lower() in SUFFIXES
    ]
    if len(names) < 2 or not paths:
        raise UserError(
            f"data.directory: expected folders of at least two classes with {', '.join(SUFFIXES)} files in {directory}; "
            f"received {len(paths)} files in {len(names)} folders"
        )
    contents = [hashlib.sha256(read_image_file(path).image_bytes).hexdigest() for path, _, _ in paths]
    contents, paths = zip(*sorted(zip(contents, paths)))  # classes mixed, so that the first ones are a fair sample
    splits = [root if given else split_of(bytes.fromhex(content)) for (_, _, root), content in zip(paths, contents)]
    version = f"{directory} SHA-256 {hashlib.sha256(''.join(contents).encode()).hexdigest()}"
    sets = in_splits([str(path) for path, _, _ in paths], [label for _, label, _ in paths], splits, names, version)
    for one in sets.values():
        one.examples = one.examples.map(lambda row: {**row, "image": tf.io.read_file(row["image"])})
    return sets


def split_of(content):
    """The split that an image belongs to, by its content: copies of it go there too.

    Example:

    >>> split_of(b"a cat") == split_of(b"a cat")
    True
    """
    number = int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "big") % 10
    return {0: "test", 1: "validation"}.get(number, "train")


def in_splits(images, labels, splits, names, version):
    """Sorts examples in memory into an `ImageSet` for each split."""
    sets = {}
    for split in SPLITS:
        rows = [row for row, name in enumerate(splits) if name == split]
        if not rows:
            raise UserError(
                f"data: expected images for training, validation and test, received none for {split} of {version}"
            )
        columns = {"image": [images[row] for row in rows], "label": np.array([labels[row] for row in rows], "int64")}
        sets[split] = ImageSet(tf.data.Dataset.from_tensor_slices(columns), len(rows), names, version)
    return sets
