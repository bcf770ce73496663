"""Plain texts: those of any TFDS dataset, or the lines of a user's files."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf
import tensorflow_datasets as tfds

from attention_zoo.pipelines.datasets.dirt import Dirt
from attention_zoo.pipelines.datasets.held_out import part_of
from attention_zoo.pipelines.datasets.tfds import FILE_OPTIONS, SPLITS, examples_of, limit_of, prepared
from attention_zoo.pipelines.datasets.utf8_files import read_utf8
from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.storage.files import digest
from attention_zoo.pipelines.engine.untuned import untuned

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
    dataset: str,
    splits: Sequence[str],
    files: Sequence[str] = (),
    limit: int = 0,
    strict: bool = False,
    dev: Sequence[str] = (),
    test: Sequence[str] = (),
) -> dict[str, Texts]:
    """Reads the texts for training and for validation, and for test if that is asked for.

    Args:
        dataset: Name of a TFDS dataset with a text: the first of its `supervised_keys`, or its only text, or "text".
        splits: Splits for training, validation and, where there are three, test, as TFDS names them, such as
            "train+test".
        files: A user's UTF-8 text files instead, of which each line is a text. One line in twenty, by its hash, is for
            validation, and another one for test, unless these have files of their own.
        limit: Takes so many training texts at most, and a tenth as many of the other splits; 0 takes all.
        strict: Whether faults in the files are an error; otherwise the lines that have them are skipped and reported.
        dev: A user's files of the validation split. Defaults to none: a part of `files` or of the dataset.
        test: A user's files of the test split, likewise.

    Returns:
        A dict of "train", "validation" and, where three splits are asked for, "test" to `Texts`.

    Raises:
        UserError: There is no such dataset or split, the dataset has no text, or a file cannot be read.
    """
    names = SPLITS[: len(splits)]
    paths = {split: own for split, own in zip(names, (files, dev, test)) if own}
    lines, version = read_lines(paths, strict)
    if files:
        lines = split_lines(lines.pop("train"), names, given=lines) | lines
        found = {}
    else:
        found = read_dataset(dataset, splits)
        version = ", ".join(filter(None, (found["train"].version, version)))
    for split, rows in lines.items():
        if not rows:
            raise UserError(f"{FILE_OPTIONS[split]}: expected lines of text, received none in {' '.join(paths[split])}")
    if paths:
        own = {split: untuned(tf.data.Dataset.from_tensor_slices(rows)) for split, rows in lines.items()}
        found = {split: Texts(own[split] if split in own else found[split].texts, version) for split in names}
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
            data = examples_of(builder, split, decoders=tfds.decode.PartialDecoding({key: True}))
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


def read_lines(paths: Mapping[str, Sequence[str]], strict: bool) -> tuple[dict[str, list[bytes]], str]:
    """Returns the lines with text of a user's files by split, and the digests of the files."""
    dirt, lines = Dirt(strict), {}
    for split, files in paths.items():
        lines[split] = []
        for file in files:
            try:
                content = read_utf8(file)
            except UserError as error:
                raise UserError(f"{FILE_OPTIONS[split]}: {error}") from None
            for number, line in enumerate(content.split(b"\n"), 1):
                try:
                    line.decode()
                except UnicodeDecodeError:
                    dirt.add("a line that is not UTF-8", f"{file}, line {number}", line.decode("utf-8", "replace")[:60])
                    continue
                if line.strip():
                    lines[split].append(line.strip())
    dirt.report()
    version = ", ".join(f"{file} SHA-256 {digest(file)}" for files in paths.values() for file in files)
    return lines, version + dirt.version()


def split_lines(lines: Sequence[bytes], names: Sequence[str], given: Container[str] = ()) -> dict[str, list[bytes]]:
    """Splits lines by a hash of their content, so that equal lines are in one split.

    Args:
        lines: The lines.
        names: Splits to make, the training split first.
        given: Those that the user has files of; they get no line here.

    Raises:
        UserError: There are fewer lines than splits.
    """
    split_of = {share: name for share, name in enumerate(names[1:]) if name not in given}  # by the rest of the hash
    found = {name: [] for name in names if name not in given}
    for line in lines:
        found[split_of.get(part_of(line, HELD_OUT), "train")].append(line)
    for name in split_of.values():
        if not found[name]:
            found[name] = found["train"][::HELD_OUT]
            found["train"] = [line for place, line in enumerate(found["train"]) if place % HELD_OUT]
    if not all(found.values()):
        raise UserError(f"--data.files: expected at least {len(found)} lines of text, received {len(lines)}")
    return found
