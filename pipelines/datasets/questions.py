"""Questions about texts, from any TFDS dataset with SQuAD's features or from a user's files in SQuAD's form."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow_datasets as tfds

from attention_zoo.pipelines.datasets.dirt import Dirt
from attention_zoo.pipelines.datasets.held_out import part_of, split_of
from attention_zoo.pipelines.datasets.squad_files import Question, fault_of, question_of, read_squad
from attention_zoo.pipelines.datasets.tfds import FILE_OPTIONS, SPLITS, check_splits, examples_of, limit_of, prepared
from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.storage.files import digest
from attention_zoo.pipelines.engine.text.excerpt import excerpt

HELD_OUT = 10  # one of so many parts of the contexts is for validation, where a dataset has two splits


@dataclass(frozen=True)
class Questions:
    """One split.

    Args:
        rows: The questions, each with an answer.
        version: Name and version of the TFDS dataset, or the digests of the files.
    """

    rows: list[Question]
    version: str = ""

    def __len__(self) -> int:
        return len(self.rows)


def read_questions(
    dataset: str,
    files: Sequence[str] = (),
    dev: Sequence[str] = (),
    test: Sequence[str] = (),
    limit: int = 0,
    strict: bool = False,
) -> dict[str, Questions]:
    """Reads all splits of questions. Those that their text does not answer, as in SQuAD 2, are left out and counted.

    Args:
        dataset: Name of a TFDS dataset with the features of SQuAD, such as squad11 or squad/v1.1. If it has no test
            split, its validation split takes the place, and a tenth of the training split, by context, that one's.
        files: Files in SQuAD's JSON form, see `read_squad`, that stand in for the dataset.
        dev: Files of the validation split; where there are none, a tenth of `files` is taken, by context, or the
            validation split of the dataset.
        test: Files of the test split, likewise.
        limit: Takes so many training questions at most, and a tenth as many of each other split; 0 takes all.
        strict: Whether faults in the data are an error; otherwise the questions that have them are skipped.

    Returns:
        A dict of "train", "validation" and "test" to `Questions`.

    Raises:
        UserError: There is no such dataset, or it is not one of questions; a file cannot be read, or the data has
            faults and `strict` is true; a split has no question with an answer.
    """
    dirt = Dirt(strict)
    found, version = ({}, "") if files else _read_dataset(dataset, limit, dirt)
    found |= _read_files(files, dev, test, dirt)
    dirt.report()
    digests = [f"{path} SHA-256 {digest(path)}" for path in (*files, *dev, *test)]
    version = ", ".join(filter(None, (version, *digests))) + dirt.version()
    answered = {split: [row for row in found[split] if row.answers] for split in SPLITS}
    if left := sum(len(found[split]) - len(answered[split]) for split in SPLITS):
        print(f"left out {left:,} question{'s' * (left > 1)} that the text does not answer")
    for split, rows in answered.items():
        if not rows:
            setting = FILE_OPTIONS[split] if files else "--data.dataset"
            raise UserError(f"{setting}: expected questions with answers for every split, received none for {split}")
    counts = {split: limit_of(split, limit) if limit else None for split in SPLITS}
    return {split: Questions(rows[: counts[split]], version) for split, rows in answered.items()}


def _read_files(files: Sequence[str], dev: Sequence[str], test: Sequence[str], dirt: Dirt) -> dict[str, list[Question]]:
    """Returns the questions of the splits that a user gave files for, of all splits if `files` are given."""
    found: dict[str, list[Question]] = {}
    for split, paths in (("train", files), ("validation", dev), ("test", test)):
        for path in paths:
            try:
                found[split] = found.get(split, []) + read_squad(path, dirt)
            except UserError as error:
                raise UserError(f"{FILE_OPTIONS[split]}: {error}") from None
    for split in ("test", "validation") if files else ():
        if split not in found:
            places = [split_of(row.context.encode()) == split for row in found["train"]]
            found[split] = [row for row, held in zip(found["train"], places) if held]
            found["train"] = [row for row, held in zip(found["train"], places) if not held]
    return found


def _read_dataset(dataset: str, limit: int, dirt: Dirt) -> tuple[dict[str, list[Question]], str]:
    """Returns the questions of a TFDS dataset by split, and its version."""
    builder = prepared(dataset)
    features: Any = builder.info.features
    if not {"question", "context", "answers"} <= set(features):
        raise UserError(
            "--data.dataset: expected a dataset with the features question, context and answers, such as squad11; "
            f"received {dataset} with {', '.join(features)}"
        )
    check_splits(builder, dataset, ("train", "validation"))
    if "test" in (builder.info.splits or SPLITS):
        return {split: _read_split(builder, split, split, limit, dirt) for split in SPLITS}, builder.info.full_name
    train = _read_split(builder, "train", "train", 2 * limit, dirt)  # a tenth of it becomes the validation split
    found = {"test": _read_split(builder, "validation", "test", limit, dirt)}
    held = [part_of(row.context.encode(), HELD_OUT) == 0 for row in train]
    for split, wanted in (("train", False), ("validation", True)):
        found[split] = [row for row, one in zip(train, held) if one == wanted]
    return found, builder.info.full_name


def _read_split(builder: tfds.core.DatasetBuilder, name: str, split: str, limit: int, dirt: Dirt) -> list[Question]:
    rows: Any = tfds.as_numpy(examples_of(builder, name))
    count, found, contexts = limit_of(split, limit) if limit else None, [], {}
    for number, row in enumerate(rows, 1):
        if count is not None and len(found) >= count:
            break
        question, context = (row[key].decode("utf-8", "surrogateescape") for key in ("question", "context"))
        context = contexts.setdefault(context, context)  # which several questions share
        texts = [text.decode("utf-8", "surrogateescape") for text in row["answers"]["text"]]
        starts = row["answers"]["answer_start"].tolist()
        if fault := fault_of(question, context, texts, starts):
            dirt.add(fault, f"{builder.info.full_name}, {name}, question {number}", excerpt(question))
        else:
            found.append(question_of(question, context, texts, starts))
    return found
