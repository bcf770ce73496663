"""Images with captions in memory, still encoded, from a TFDS dataset or from a user's folder."""

import hashlib
import json
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from attention_zoo.pipelines.datasets.dirt import Dirt
from attention_zoo.pipelines.datasets.tfds import OPTIONS, SPLITS, check_splits, examples_of, limit_of, prepared
from attention_zoo.pipelines.datasets.user_images import ahead, read_images
from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.images.image_files import decode_image
from attention_zoo.pipelines.engine.storage.files import digest
from attention_zoo.pipelines.engine.untuned import untuned

SPLIT_NAMES = {"coco_captions": {"validation": "val"}}  # splits that have another name in a dataset
LARGE = 32_768  # bytes; larger files are resized once to the size of the model, so that a dataset fits into memory
QUALITY = 95  # of the JPEG that a resized image is kept as


@dataclass
class CaptionedImages:
    """One split.

    Args:
        images: The encoded images.
        captions: The captions of each image.
        objects: For each image the (names, boxes) of its objects, or None where the data has none. Boxes are
            (top, left, bottom, right), from 0 to 1.
        version: Name and version of the TFDS dataset, or the digest of the captions.
    """

    images: list[bytes]
    captions: list[list[str]]
    objects: list[tuple[list[str], np.ndarray]] | None = None
    version: str = ""

    def __len__(self) -> int:
        return len(self.images)


def read_captioned_images(
    dataset: str,
    size: tuple[int, int],
    folder: str = "",
    limit: int = 0,
    strict: bool = False,
    dev: str = "",
    test: str = "",
) -> dict[str, CaptionedImages]:
    """Reads all splits.

    Args:
        dataset: Name of a TFDS dataset with features `image` and `captions`: strings, or a sequence with `text`.
        size: (height, width) that the model will see; see `LARGE`.
        folder: A user's data that stands in for the dataset, see `read_folder`; or a folder with three such folders,
            train, validation and test.
        limit: Takes so many training images at most, and a tenth as many of each other split; 0 takes all.
        strict: Whether faults in the folders are an error; otherwise the lines and images that have them are skipped
            and reported.
        dev: A user's data of the validation split, as `folder`. Defaults to `""`: a part of the others.
        test: A user's data of the test split.

    Returns:
        A dict of "train", "validation" and "test" to `CaptionedImages`.

    Raises:
        UserError: The dataset has other features, the folder has too few images with captions, or it has faults and
            `strict` is true.
    """
    own = {split: path for split, path in (("validation", dev), ("test", test)) if path}
    roots = (roots_in(folder, own) if folder else {}) | own
    dirt = Dirt(strict)
    options = {split: OPTIONS[split] if split in own else "--data.folder" for split in roots}
    read = {split: read_folder(path, dirt, options[split]) for split, path in roots.items()}
    dirt.report()
    for split, path in roots.items():
        if split and not read[split][0]:
            raise UserError(f"{options[split]}: expected images with captions in {path}, received none")
    splits = {split: in_memory(images, texts) for split, (_, images, texts) in read.items() if split}
    if "" in read:
        splits = split_folder(*read[""], own=own) | splits
    files = [Path(path) / "captions.jsonl" for path in roots.values()]
    versions = [f"{file} SHA-256 {digest(file)}" for file in files]
    if not folder:
        data, version = read_dataset(dataset)
        splits, versions = data | splits, [version, *versions]
    version = ", ".join(versions) + (dirt.version() if roots else "")
    return {split: read_split(splits[split], split, size, limit, version) for split in SPLITS}


def roots_in(folder: str, own: Mapping[str, str]) -> dict[str, str]:
    """Returns a user's folders by split; "" is the split of one that is to be split by the names of the images.

    Splits with a folder of their own elsewhere (`own`) are left out.
    """
    if all((Path(folder) / split).is_dir() for split in SPLITS):
        return {split: f"{folder}/{split}" for split in SPLITS if split not in own}
    return {"": folder}


def read_dataset(dataset: str) -> tuple[dict[str, tf.data.Dataset], str]:
    """Returns the three splits of a TFDS dataset, and its version."""
    builder = prepared(dataset)
    features, version = builder.info.features, builder.info.full_name
    missing = {"image", "captions"} - set(features)  # pyright: ignore[reportArgumentType]
    if missing:
        raise UserError(f"--data.dataset: expected features image and captions; {dataset} has no {sorted(missing)[0]}")
    names = SPLIT_NAMES.get(dataset.partition("/")[0], {})
    check_splits(builder, dataset, [names.get(split, split) for split in SPLITS])
    decoders = needed(features)  # pyright: ignore[reportArgumentType]
    splits = {split: examples_of(builder, names.get(split, split), decoders=decoders) for split in SPLITS}
    return splits, version


def needed(features: Mapping[str, tfds.features.FeatureConnector]) -> tfds.decode.PartialDecoding:
    """Returns the decoders that make TFDS read only the features that are needed, with images still encoded."""
    wanted: dict[str, Any] = {name: True for name in ("image", "captions", "names", "boxes") if name in features}
    if "text" in getattr(features["captions"], "keys", dict)():
        wanted["captions"] = {"text": True}
    return tfds.decode.PartialDecoding(wanted, decoders={"image": tfds.decode.SkipDecoding()})


def read_split(data: tf.data.Dataset, split: str, size: tuple[int, int], limit: int, version: str) -> CaptionedImages:
    """Reads the examples of one split, and resizes large images."""
    if limit:
        data = data.take(limit_of(split, limit))

    def small(example: Mapping[str, Any]) -> dict[str, Any]:
        if len(example["image"]) <= LARGE:
            return dict(example)
        return {**example, "image": resized(tf.constant(example["image"]), size).numpy()}

    read = CaptionedImages([], [], [] if "boxes" in data.element_spec else None, version)
    for example in ahead(small, data.as_numpy_iterator()):
        captions = example["captions"]
        captions = captions["text"] if isinstance(captions, dict) else captions
        captions = [text.decode() for text in captions if text.strip()]
        if not captions:
            continue
        read.images.append(example["image"])
        read.captions.append(captions)
        if read.objects is not None:
            read.objects.append(([name.decode() for name in example["names"]], example["boxes"]))
    if not read.images:
        raise UserError(f"--data.dataset, --data.folder: expected captions in the {split} split, received none")
    return read


@tf.function(autograph=False)
def resized(image_bytes: tf.Tensor, size: tuple[int, int]) -> tf.Tensor:
    """Returns an image file of another size, a JPEG."""
    return tf.io.encode_jpeg(decode_image(image_bytes, size), quality=QUALITY)


def read_folder(
    folder: str | Path, dirt: Dirt, option: str = "--data.folder"
) -> tuple[list[str], list[bytes], list[list[str]]]:
    """Reads a user's data: `images/`, and `captions.jsonl`, which has a line for each image.

    A line is `{"image": NAME, "captions": [TEXT, ...]}`.

    Args:
        folder: Its path.
        dirt: `Dirt` that takes the lines and images that are skipped.
        option: The option that names the folder, for the message. Defaults to `"--data.folder"`.

    Returns:
        The names, contents and captions of the images, each a list.

    Raises:
        UserError: `captions.jsonl` cannot be read.
    """
    path = Path(folder) / "captions.jsonl"
    try:
        lines = path.read_bytes().removeprefix(b"\xef\xbb\xbf").split(b"\n")
    except OSError as error:
        raise UserError(f"{option}: expected {path}; received: {error.strerror}") from None
    captions, files = {}, []
    for number, line in enumerate(lines, 1):
        place = f"{path}, line {number}"
        entry = read_entry(line, place, dirt) if line.strip() else None
        if entry and entry[0] in captions:
            dirt.add("an image that an earlier line names", place, entry[0])
        elif entry:
            image = Path(folder) / "images" / entry[0]
            captions[entry[0]] = entry[1]
            files.append((f"{place}, {image}", image))
    read = [(number, content) for number, content, _ in read_images(files, dirt)]
    names = list(captions)
    return (
        [names[number] for number, _ in read],
        [content for _, content in read],
        [captions[names[number]] for number, _ in read],
    )


def read_entry(line: bytes, place: str, dirt: Dirt) -> tuple[str, list[str]] | None:
    """Returns the name of the image and the captions of one line; None if it has neither."""
    shown = line[:80].decode(errors="replace")
    try:
        entry = json.loads(line.decode())
        json.dumps(entry, ensure_ascii=False).encode()  # fails where one half of a surrogate pair is escaped
    except UnicodeDecodeError:
        return dirt.add("a line that is not UTF-8", place, shown)
    except ValueError:
        return dirt.add("broken JSON", place, shown)
    name, captions = (entry.get("image"), entry.get("captions")) if isinstance(entry, dict) else (None, None)
    if (
        not isinstance(name, str)
        or not isinstance(captions, list)
        or not all(isinstance(text, str) for text in captions)
    ):
        return dirt.add('a line other than {"image": NAME, "captions": [TEXT, ...]}', place, shown)
    if not any(text.strip() for text in captions):
        return dirt.add("no captions", place, shown)
    if not all(text.strip() for text in captions):
        dirt.add("an empty caption", place, shown)
    return name, [text for text in captions if text.strip()]


def split_folder(
    names: Sequence[str],
    images: Sequence[bytes],
    captions: Sequence[Sequence[str]],
    own: Container[str] = (),
) -> dict[str, tf.data.Dataset]:
    """Splits a user's images by a hash of their names: a tenth each for validation and test.

    Args:
        names: Names of the images.
        images: Their contents.
        captions: Their captions.
        own: Splits that have data of their own, and take nothing from these. Defaults to `()`.

    Returns:
        A dict of splits to `tf.data.Dataset`s.

    Raises:
        UserError: There are fewer than three images.
    """
    order = sorted(range(len(names)), key=lambda row: hashlib.blake2b(names[row].encode()).digest())
    if len(names) < 3:
        raise UserError(f"--data.folder: expected at least 3 images with captions, received {len(names)}")
    held_out, rows = max(1, len(order) // 10), {}
    for split in ("test", "validation"):
        if split not in own:
            rows[split], order = order[:held_out], order[held_out:]
    rows["train"] = order

    def examples(rows: list[int]) -> tf.data.Dataset:
        return in_memory([images[row] for row in rows], [captions[row] for row in rows])

    return {split: examples(sorted(of_split)) for split, of_split in rows.items()}


def in_memory(images: Sequence[bytes], captions: Sequence[Sequence[str]]) -> tf.data.Dataset:
    """Returns a user's images and captions as a `tf.data.Dataset`."""
    data = {"image": tf.constant(images), "captions": tf.ragged.constant(captions)}
    return untuned(tf.data.Dataset.from_tensor_slices(data))  # pyright: ignore[reportArgumentType]
