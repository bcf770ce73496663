"""Reads sentences with an intent and entities: a TFDS dataset, or a user's own nlu.yml, JSONL and CSV files."""

import csv
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds

from attention_zoo.pipelines.datasets.dirt import Dirt
from attention_zoo.pipelines.datasets.rasa_nlu import read_nlu
from attention_zoo.pipelines.datasets.tfds import FILE_OPTIONS, SPLITS, check_splits, examples_of, limit_of, prepared
from attention_zoo.pipelines.datasets.utf8_files import read_utf8
from attention_zoo.pipelines.datasets.utterances import NOT_UTF8, Entity, Utterance, Utterances, utterance_of
from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.storage.files import digest

FORMATS = (".yml", ".yaml", ".jsonl", ".csv")


def read_utterances(
    dataset: str,
    files: Sequence[str] = (),
    dev: Sequence[str] = (),
    test: Sequence[str] = (),
    strict: bool = False,
    limit: int = 0,
) -> Utterances:
    """Reads all splits.

    Args:
        dataset: A TFDS dataset with the features text, intent and entities, such as "home_intents/en".
        files: A user's files, which stand in for the dataset: see `read_file`.
        dev: A user's files of the validation split. Defaults to none: a tenth of the sentences of each intent.
        test: A user's files of the test split. Defaults to none: a tenth of the sentences of each intent.
        strict: Whether faults in the files are an error; otherwise what has them is skipped and reported.
        limit: Training sentences to take, and a tenth as many of the other splits; 0 takes all.

    Raises:
        UserError: The dataset has other features, a file cannot be read, there are too few sentences, or there are
            faults and `strict` is true.
    """
    dirt, found = Dirt(strict), Utterances()
    own = {split: paths for split, paths in (("train", files), ("validation", dev), ("test", test)) if paths}
    rows = {split: _distinct(_read_files(paths, FILE_OPTIONS[split], dirt, found)) for split, paths in own.items()}
    dirt.report()
    versions = [f"{Path(path).name} SHA-256 {digest(Path(path))}" for paths in own.values() for path in paths]
    if files:
        rows = _split(rows["train"], [split for split in SPLITS if split not in own]) | {
            split: rows[split] for split in own if split != "train"
        }
    else:
        known, version = _read_dataset(dataset)
        rows, versions = known | rows, [version, *versions]
    for split in SPLITS:
        if not rows[split]:
            flag = FILE_OPTIONS[split] if split in own else "--data.files" if files else "--data.dataset"
            raise UserError(f"{flag}: expected sentences for the {split} split, received none")
        found.splits[split] = rows[split][: limit_of(split, limit) if limit else None]
    found.version = ", ".join(versions) + (dirt.version() if own else "")
    return found


def _read_files(paths: Sequence[str], flag: str, dirt: Dirt, found: Utterances) -> list[Utterance]:
    rows = []
    for path in paths:
        suffix = Path(path).suffix.lower()
        if suffix not in FORMATS:
            raise UserError(f"{flag}: expected files that end in {', '.join(FORMATS)}, received {path}")
        try:
            rows += read_file(path, dirt, found)
        except UserError as error:
            raise UserError(f"{flag}: {error}") from None
    return rows


def read_file(path: str | Path, dirt: Dirt, found: Utterances) -> list[Utterance]:
    """Reads one file.

    - nlu.yml as Rasa reads it, see `datasets.rasa_nlu`.
    - JSONL: {"text": ..., "intent": ..., "entities": [{"start", "end", "entity", "value", "role"}]} a line; places
      count code points, and entities, value and role may be missing.
    - CSV: text and intent; a first line of "text,intent" is a heading.

    Args:
        path: The file.
        dirt: Gets the faults, with the line.
        found: Gets the synonyms and patterns.

    Returns:
        The sentences without faults.

    Raises:
        UserError: The file cannot be read, or is no nlu.yml although its name ends so.
    """
    if Path(path).suffix.lower() in (".yml", ".yaml"):
        return read_nlu(path, dirt, found)
    text = read_utf8(path).decode("utf-8", "replace")
    rows = []
    for number, record in _records(path, text):
        place = f"{path}, line {number}"
        if not isinstance(record, dict):
            dirt.add(
                "a line that is no JSON object" if Path(path).suffix == ".jsonl" else "a wrong number of columns", place
            )
        elif not all(isinstance(record.get(name), str) and record[name].strip() for name in ("text", "intent")):
            dirt.add("no text or no intent", place)
        elif NOT_UTF8 in record["text"] + record["intent"]:
            dirt.add("text that is not UTF-8", place, record["text"])
        else:
            try:
                rows.append(utterance_of(record["text"], record["intent"].strip(), record.get("entities") or []))
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                dirt.add("an entity that is not in the text", place, str(error))
    return rows


def _records(path: str | Path, text: str) -> list[tuple[int, Any]]:
    """Returns (line number, record); the record is no dict where the line is faulty."""
    records = []
    if Path(path).suffix.lower() == ".jsonl":
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                try:
                    records.append((number, json.loads(line)))
                except json.JSONDecodeError:
                    records.append((number, None))
        return records
    reader = csv.reader(text.splitlines(keepends=True))
    for row in reader:
        if not row or (reader.line_num == 1 and [cell.strip().lower() for cell in row] == ["text", "intent"]):
            continue
        records.append((reader.line_num, dict(zip(("text", "intent"), row)) if len(row) == 2 else None))
    return records


def _read_dataset(dataset: str) -> tuple[dict[str, list[Utterance]], str]:
    builder = prepared(dataset)
    missing = {"text", "intent", "entities"} - set(builder.info.features)  # pyright: ignore[reportArgumentType]
    if missing:
        raise UserError(
            f"--data.dataset: expected features text, intent and entities; {dataset} has no {sorted(missing)[0]}"
        )
    check_splits(builder, dataset)
    splits = {}
    for split in SPLITS:
        rows = tfds.as_numpy(examples_of(builder, split))
        splits[split] = [_from_record(row) for row in rows]  # pyright: ignore[reportGeneralTypeIssues]
    return splits, builder.info.full_name


def _from_record(row: Any) -> Utterance:
    entities, text = row["entities"], row["text"].decode()
    made = [
        Entity(int(start), int(end), entity.decode(), value.decode())
        for start, end, entity, value in zip(*(entities[name] for name in ("start", "end", "entity", "value")))
        if 0 <= start < end <= len(text)
    ]
    return Utterance(text, row["intent"].decode(), tuple(made))


def _distinct(rows: list[Utterance]) -> list[Utterance]:
    """Keeps the first of the sentences that differ in case or white space alone, and says how many it drops."""
    distinct = list({" ".join(row.text.lower().split()): row for row in reversed(rows)}.values())[::-1]
    if dropped := len(rows) - len(distinct):
        print(f"dropped {dropped:,} sentence{'s' * (dropped > 1)} that occur{'s' * (dropped == 1)} again")
    return distinct


def _split(rows: list[Utterance], splits: Sequence[str]) -> dict[str, list[Utterance]]:
    """Takes a tenth of the sentences of each intent, by a hash of the text, for each of `splits`; the rest is "train".

    An intent of fewer than five sentences is for training alone, but the first intents give one where nobody else does.
    """

    def key(row: Utterance) -> str:
        return hashlib.blake2b(row.text.encode(), digest_size=8).hexdigest()

    result: dict[str, list[Utterance]] = {"train": [], **{split: [] for split in splits}}
    for intent in dict.fromkeys(row.intent for row in rows):
        ordered = sorted((row for row in rows if row.intent == intent), key=key)
        count, start = (len(ordered) + 5) // 10, 0
        for split in splits:
            taken = count or int(not result[split] and len(ordered) - start > 1)
            result[split] += ordered[start : start + taken]
            start += taken
        result["train"] += ordered[start:]
    return result
