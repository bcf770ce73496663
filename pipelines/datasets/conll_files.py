"""Tagged sentences in the users' files: a word and its tag on each line, an empty line after each sentence."""

from collections.abc import Sequence
from pathlib import Path

from attention_zoo.pipelines.datasets.dirt import Dirt
from attention_zoo.pipelines.datasets.utf8_files import read_utf8
from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.text.tags import fault_of, is_tag, scheme_of, spans_of, tags_of

COLUMNS = (2, 4)  # word and tag; in CoNLL-2003's files part of speech and chunk are between them

Sentence = tuple[list[str], list[str]]  # words, and their tags in BIO2
Numbered = tuple[list[str], list[str], list[int]]  # words, tags as they are, numbers of the lines


def read_conll(path: str | Path, dirt: Dirt) -> tuple[list[Sentence], str]:
    """Reads a file of tagged words.

    Lines have two columns, word and tag, or four, of which the first and the last are used. Columns are separated by a
    tab or by spaces. Lines that begin with -DOCSTART- are left out. The tags are in BIO1, BIO2 or BILOU; which scheme
    it is, is recognised from all of them.

    Args:
        path: The file, UTF-8.
        dirt: Collects the faults: a sentence that has one is left out.

    Returns:
        The sentences with their tags in BIO2, and the name of the scheme of the file.

    Raises:
        UserError: The file cannot be read, or its first line has neither two nor four columns.
    """
    sentences = _read_lines(Path(path), dirt)
    scheme = scheme_of(tags for _, tags, _ in sentences)
    kept = []
    for words, tags, lines in sentences:
        if fault := fault_of(tags, scheme):
            dirt.add(f"tags in an order that {scheme} does not have", f"{path}, line {lines[fault[0]]}", fault[1])
        else:
            kept.append((words, tags_of(spans_of(tags), len(tags))))
    return kept, scheme


def _read_lines(path: Path, dirt: Dirt) -> list[Numbered]:
    lines = read_utf8(path, "a file of words and tags").split(b"\n")
    sentences, columns = [], 0
    words, tags, numbers, faulty = [], [], [], False
    for number, raw in enumerate([*lines, b""], 1):
        line = raw.decode("utf-8", "replace").strip("\r \t")
        if line and not line.startswith("-DOCSTART-"):
            fields = [field.strip() for field in line.split("\t")] if "\t" in line else line.split(" ")
            fields = [field for field in fields if field]
            if not columns:
                columns = _columns_of(fields, path, number)
            fault = _fault_of_line(raw, fields, columns)
            if fault:
                dirt.add(fault, f"{path}, line {number}", line[:60])
            faulty |= bool(fault)
            words, tags, numbers = [*words, fields[0]], [*tags, fields[-1]], [*numbers, number]
            continue
        if words and not faulty:
            sentences.append((words, tags, numbers))
        words, tags, numbers, faulty = [], [], [], False
    return sentences


def _columns_of(fields: Sequence[str], path: Path, number: int) -> int:
    if len(fields) not in COLUMNS:
        raise UserError(
            f"expected 2 columns, word and tag, or 4 as in CoNLL-2003; received {len(fields)} in {path}, line {number}"
        )
    return len(fields)


def _fault_of_line(raw: bytes, fields: Sequence[str], columns: int) -> str:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return "bytes that are not UTF-8"
    if len(fields) != columns:
        return f"another number of columns than {columns}"
    if not is_tag(fields[-1]):
        return "a tag that is none of BIO or BILOU"
    return ""
