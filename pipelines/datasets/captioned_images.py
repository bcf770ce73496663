"""Images with captions in memory, still encoded, from a TFDS dataset or from one's own folder."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf
import tensorflow_datasets as tfds

from attention_zoo.pipelines.datasets.tfds import SPLITS, check_splits, limit_of, prepared
from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.images.image_files import decode_image, read_image_file
from attention_zoo.pipelines.engine.storage.files import digest

SPLIT_NAMES = {"coco_captions": {"validation": "val"}}  # where a dataset calls a split otherwise
LARGE = 32_768  # bytes; a larger file is brought to the model's size once, so that a whole data set fits into memory
QUALITY = 95  # of the JPEG that it becomes


@dataclass
class CaptionedImages:
    """One split. `objects` holds for each image (names, boxes) of what is seen, or is None where the data does not say.

    Boxes are (top, left, bottom, right), from 0 to 1. `version` says which data it is.
    """

    images: list[bytes]
    captions: list[list[str]]
    objects: list | None = None
    version: str = ""

    def __len__(self):
        return len(self.images)


def read_captioned_images(dataset, size, folder="", limit=0):
    """Reads all splits.

    Args:
        dataset: Name of a TFDS dataset with features `image` and `captions`: strings, or a sequence with `text`.
        size: (height, width) that the model will see; see `LARGE`.
        folder: One's own data that stands in for the dataset, see `read_folder`.
        limit: Takes so many training images at most, and a tenth as many of each other split; 0 takes all.

    Returns:
        A dict of "train", "validation" and "test" to `CaptionedImages`.

    Raises:
        UserError: the dataset has other features, or the folder is not as it should be.
    """
    if folder:
        splits = split_folder(*read_folder(folder))
        version = f"{folder}/captions.jsonl SHA-256 {digest(Path(folder) / 'captions.jsonl')}"
    else:
        builder = prepared(dataset)
        features, version = builder.info.features, builder.info.full_name
        missing = {"image", "captions"} - set(features)
        if missing:
            raise UserError(
                f"data.dataset: expected features image and captions; {dataset} has no {sorted(missing)[0]}"
            )
        names = SPLIT_NAMES.get(dataset.partition("/")[0], {})
        check_splits(builder, dataset, [names.get(split, split) for split in SPLITS])
        splits = {
            split: builder.as_dataset(split=names.get(split, split), decoders=needed(features)) for split in SPLITS
        }
    return {split: read_split(data, split, size, limit, version) for split, data in splits.items()}


def needed(features):
    """What tells TFDS to read the features that are needed here alone, and not to decode images."""
    wanted = {name: True for name in ("image", "captions", "names", "boxes") if name in features}
    if "text" in getattr(features["captions"], "keys", dict)():
        wanted["captions"] = {"text": True}
    return tfds.decode.PartialDecoding(wanted, decoders={"image": tfds.decode.SkipDecoding()})


def read_split(data, split, size, limit, version):
    """Reads examples with an encoded image each, and makes large files small."""
    if limit:
        data = data.take(limit_of(split, limit))

    def small(example):
        image = tf.cond(
            tf.strings.length(example["image"]) > LARGE,
            lambda: tf.io.encode_jpeg(decode_image(example["image"], size), quality=QUALITY),
            lambda: example["image"],
        )
        return {**example, "image": image}

    read = CaptionedImages([], [], [] if "boxes" in data.element_spec else None, version)
    for example in data.map(small, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True).as_numpy_iterator():
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
        raise UserError(f"data: expected images with captions in the {split} split, received none")
    return read


def read_folder(folder):
    """Reads one's own data: `images/`, and `captions.jsonl` with a line for each image, `{"image": NAME, "captions":
    [...]}`.

    Returns:
        The names, contents and captions of the images, each a list.

    Raises:
        UserError: a file can't be read, a line is not as above, or an image is none; the message names the line.
    """
    path = Path(folder) / "captions.jsonl"
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"data.folder: expected {path}, UTF-8 text; received: {error}") from None
    names, images, captions = [], [], []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
            name, texts = entry["image"], entry["captions"]
            if (
                not isinstance(name, str)
                or not texts
                or not all(isinstance(text, str) and text.strip() for text in texts)
            ):
                raise ValueError
        except (ValueError, KeyError, TypeError):
            expected = '{"image": NAME, "captions": [TEXT, ...]}'
            raise UserError(f"{path}, line {number}: expected {expected}, received {line[:80]}") from None
        names.append(name)
        images.append(read_image_file(Path(folder) / "images" / name).image_bytes)
        captions.append(list(texts))
    return names, images, captions


def split_folder(names, images, captions):
    """Splits one's own images by a hash of their names: a tenth each for validation and test.

    Returns:
        A dict of splits to `tf.data.Dataset`s.

    Raises:
        UserError: there are fewer than three images.
    """
    order = sorted(range(len(names)), key=lambda row: hashlib.blake2b(names[row].encode()).digest())
    if len(set(names)) < max(3, len(names)):
        received = f"{len(set(names))} on {len(names)} lines"
        raise UserError(f"data.folder: expected at least 3 images, each on one line; received {received}")
    held_out = max(1, len(order) // 10)
    rows = {"test": order[:held_out], "validation": order[held_out : 2 * held_out], "train": order[2 * held_out :]}

    def examples(rows):
        ragged = tf.ragged.constant([captions[row] for row in rows])
        data = {"image": tf.constant([images[row] for row in rows]), "captions": ragged}
        return tf.data.Dataset.from_tensor_slices(data)

    return {split: examples(sorted(rows[split])) for split in SPLITS}
