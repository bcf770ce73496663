"""A user's labelled texts: CSV, TSV and JSON Lines with a text and a label a row, or a folder of text files a class."""

import csv
import io
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from attention_zoo.pipelines.datasets.dirt import Dirt
from attention_zoo.pipelines.datasets.utf8_files import read_utf8
from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.text.excerpt import excerpt

LARGEST = 3.4e38  # number in 32 bits
FORMATS = {".csv": ",", ".tsv": "\t", ".jsonl": None, ".ndjson": None}


def read_labelled(
    path: Path, columns: Sequence[str], dirt: Dirt, option: str, numbers: bool = False
) -> list[tuple[str, str]]:
    """Reads (text, label) pairs from a file, or from a folder with a folder for each class.

    Args:
        path: A CSV or TSV file with a head, a JSON Lines file, or a folder.
        columns: Names of the column, or key, of the text and of that of the label.
        dirt: `Dirt` that takes the rows and files that are skipped.
        option: The setting that errors begin with.
        numbers: Whether a label has to be a finite number, in a file. Defaults to `False`.

    Raises:
        UserError: The file cannot be read, has another format, or lacks a column.
    """
    if path.is_dir() and numbers:
        raise UserError(f"{option}: expected a file, since --data.labels is numbers; received the folder {path}")
    if path.is_dir():
        return list(_of_folders(path, dirt))
    if path.suffix.lower() not in FORMATS:
        raise UserError(f"{option}: expected a folder, or a file {', '.join(FORMATS)}; received {path}")
    try:
        text = read_utf8(path).decode("utf-8", "surrogateescape")  # one fault a row, not a file
    except UserError as error:
        raise UserError(f"{option}: {error}") from None
    delimiter = FORMATS[path.suffix.lower()]
    try:
        rows = _of_table(text, delimiter, columns) if delimiter else _of_json(text, columns)
        pairs = []
        for line, *pair, fault in rows:
            fault = fault or _fault_of(*pair) or (fault_of_number(pair[1]) if numbers else "")
            if fault:
                dirt.add(fault, f"{path}, line {line}", excerpt(pair[0]))
            else:
                pairs.append((pair[0], pair[1].strip()))
        return pairs
    except UserError as error:
        raise UserError(f"{option}: {error}; received {path}") from None


def _of_table(text: str, delimiter: str, columns: Sequence[str]) -> Iterator[tuple[int, str, str, str]]:
    """Yields (line, text, label, fault) of the rows after the head; a quoted field may have several lines."""
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))  # the default refuses documents of 128 kB
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    head = [name.strip() for name in next(reader, [])]
    if missing := [name for name in columns if name not in head]:
        raise UserError(
            f"expected a first line with the columns {' and '.join(columns)} (--data.columns names others), "
            f"found {', '.join(head)[:200]} without {' and '.join(missing)}"
        )
    places = [head.index(name) for name in columns]
    line = reader.line_num + 1
    for row in reader:
        if row and len(row) != len(head):
            yield line, delimiter.join(row), "", f"a number of columns other than the head's, {len(head)}"
        elif row:
            yield line, row[places[0]], row[places[1]], ""
        line = reader.line_num + 1


def _of_json(text: str, columns: Sequence[str]) -> Iterator[tuple[int, str, str, str]]:
    """Yields (line, text, label, fault) of the lines that are not empty."""
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row: Any = json.loads(line)
        except ValueError:
            yield number, line, "", "broken JSON"
            continue
        if not isinstance(row, dict) or any(name not in row for name in columns):
            yield number, line, "", f"no object with {' and '.join(columns)} (--data.columns names others)"
        elif not isinstance(row[columns[0]], str) or not isinstance(row[columns[1]], str | int | float):
            yield number, line, "", f"a {columns[0]} that is no string, or a {columns[1]} that is no string or number"
        else:
            label = row[columns[1]]
            yield number, row[columns[0]], json.dumps(label) if isinstance(label, bool) else str(label), ""


def _of_folders(root: Path, dirt: Dirt) -> Iterator[tuple[str, str]]:
    """Yields the texts of the files in the folders of the classes; hidden ones are ignored."""
    for folder in sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith((".", "__"))):
        for path in sorted(folder.iterdir()):
            if path.name.startswith("."):
                continue
            if path.is_dir():
                dirt.add("a folder inside of the folder of a class", path)
                continue
            text = path.read_bytes().removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")
            if fault := _fault_of(text, folder.name):
                dirt.add(fault, path)
            else:
                yield text, folder.name


def _fault_of(text: str, label: str) -> str:
    """Returns what is wrong with a row, "" where nothing is."""
    if any(0xDC80 <= ord(character) <= 0xDCFF for part in (text, label) for character in part if character > "\ud7ff"):
        return "text that is not UTF-8"
    if not text.strip():
        return "an empty text"
    return "" if label.strip() else "an empty label"


def fault_of_number(label: str) -> str:
    """Returns what is wrong with a label that has to be a number, "" where nothing is.

    Example:

    >>> fault_of_number(" -2.5e3"), fault_of_number("nan"), fault_of_number("3,5")
    ('', 'a label that is not a finite number', 'a label that is not a number (--data.labels classes learns words)')
    """
    try:
        return "" if abs(float(label)) <= LARGEST else "a label that is not a finite number"
    except ValueError:
        return "a label that is not a number (--data.labels classes learns words)"
