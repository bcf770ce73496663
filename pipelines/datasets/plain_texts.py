"""Plain texts: those of any TFDS dataset, or the lines of a user's files."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf
import tensorflow_datasets as tfds

from attention_zoo.pipelines.datasets.dirt import Dirt
from attention_zoo.pipelines.datasets.tfds import SPLITS, limit_of, prepared
from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.storage.files import digest

HELD_OUT = 20  # one line of so many goes to the validation split of a user's files
MARKERS = r"_[A-Z]+_[A-Z]+_|_NEWLINE_"  # of wiki40b: _START_ARTICLE_, _START_SECTION_, _START_PARAGRAPH_


@dataclass(frozen=True)
class Texts:
    """One split.

    Args:
        texts: `tf.data.Dataset` of strings, in a fixed order.
        version: Name and version of the dataset, or the digests of the files.
    """

    texts: tf.data.Dataset
    version: str


def read_texts(
    dataset: str, splits: Sequence[str], files: Sequence[str] = (), limit: int = 0, strict: bool = False
) -> dict[str, Texts]:
    """Reads the texts for training and for validation, and for test if that is asked for.

    Args:
        dataset: Name of a TFDS dataset with a text: the first of its `supervised_keys`, or its only text, or "text".
        splits: Splits for training, validation and, where there are three, test, as TFDS names them, such as
            "train+test".
        files: A user's UTF-8 text files instead, of which each line is a text. One line in twenty, by its hash, is for
            validation, and another one for test.
        limit: Takes so many training texts at most, and a tenth as many of the other splits; 0 takes all.
        strict: Whether faults in the files are an error; otherwise the lines that have them are skipped and reported.

    Returns:
        A dict of "train", "validation" and, where three splits are asked for, "test" to `Texts`.

    Raises:
        UserError: There is no such dataset or split, the dataset has no text, or a file cannot be read.
    """
    found = read_lines(files, strict, SPLITS[: len(splits)]) if files else read_dataset(dataset, splits)
    if not limit:
        return found
    return {split: Texts(one.texts.take(limit_of(split, limit)), one.version) for split, one in found.items()}


def read_dataset(dataset: str, splits: Sequence[str]) -> dict[str, Texts]:
    """Reads the texts of a TFDS dataset, see `read_texts`."""
    builder = prepared(dataset)
    key = text_feature(builder.info, dataset)
    found = {}
    for name, split in zip(SPLITS, splits, strict=False):
        try:
            data = builder.as_dataset(split=split, decoders=tfds.decode.PartialDecoding({key: True}))
        except (ValueError, KeyError, AssertionError) as error:
            raise UserError(f"--data.{name}_split: expected splits of {dataset}, received {split}: {error}") from None
        texts = data.map(lambda row: row[key])
        if dataset.startswith("wiki40b"):
            texts = texts.map(lambda text: tf.strings.regex_replace(text, MARKERS, " "))
        found[name] = Texts(texts, f"{builder.info.full_name} {split}")
    return found


def text_feature(info: tfds.core.DatasetInfo, dataset: str) -> str:
    """Returns the name of the feature that holds the text.

    Raises:
        UserError: There is none, or it is not clear which.
    """
    features: Any = info.features
    names = [name for name, feature in features.items() if isinstance(feature, tfds.features.Text)]
    first = str((info.supervised_keys or [""])[0])
    for name in (first, names[0] if len(names) == 1 else "", "text"):
        if name in names:
            return name
    raise UserError(f"--data.dataset: expected a dataset with a text, received {dataset} with {', '.join(features)}")


def read_lines(files: Sequence[str], strict: bool, names: Sequence[str] = SPLITS[:2]) -> dict[str, Texts]:
    """Reads the lines of a user's files into splits of these names, see `read_texts`."""
    dirt, lines = Dirt(strict), {name: [] for name in names}
    split_of = dict(enumerate(names[1:]))  # by the rest of the hash
    for file in files:
        try:
            content = Path(file).read_bytes()
        except OSError as error:
            raise UserError(f"--data.files: expected text files, received {file}: {error.strerror}") from None
        for number, line in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
            try:
                line.decode()
            except UnicodeDecodeError:
                dirt.add("a line that is not UTF-8", f"{file}, line {number}")
                continue
            if line.strip():
                share = int.from_bytes(hashlib.blake2b(line.strip(), digest_size=8).digest()) % HELD_OUT
                lines[split_of.get(share, "train")].append(line.strip())
    dirt.report()
    for name in names[1:]:
        if not lines[name]:
            lines[name] = lines["train"][::HELD_OUT]
            lines["train"] = [line for place, line in enumerate(lines["train"]) if place % HELD_OUT]
    if not lines["train"]:
        raise UserError(
            f"--data.files: expected at least {len(names)} lines of text in {' '.join(files)}, received fewer"
        )
    version = ", ".join(f"{file} SHA-256 {digest(file)}" for file in files) + dirt.version()
    return {split: Texts(tf.data.Dataset.from_tensor_slices(texts), version) for split, texts in lines.items()}
