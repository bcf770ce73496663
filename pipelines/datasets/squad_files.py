"""Questions about texts in the users' files, in SQuAD's JSON form, of version 1.1 or 2.

{"data": [{"paragraphs": [{"context": TEXT, "qas": [{"question": TEXT, "answers": [
    {"text": PART OF THE CONTEXT, "answer_start": ITS PLACE IN CODE POINTS}]}]}]}]}
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from attention_zoo.pipelines.datasets.dirt import Dirt
from attention_zoo.pipelines.datasets.utf8_files import read_utf8
from attention_zoo.pipelines.engine.text.excerpt import excerpt


class Question(NamedTuple):
    """A question about a text.

    Args:
        question: The question.
        context: The text that answers it.
        answers: Its answers, parts of the text, of which each is right; none if the text does not answer it.
        start: Place of the first one in the text, in code points.
    """

    question: str
    context: str
    answers: tuple[str, ...]
    start: int


def read_squad(path: str | Path, dirt: Dirt) -> list[Question]:
    """Reads a file.

    Args:
        path: The file.
        dirt: Gets the faults: JSON that is broken, fields that are missing, texts that are empty or not UTF-8, answers
            that do not stand at their places. A question that has one is left out.

    Returns:
        The questions without faults, those without answers included.

    Raises:
        UserError: The file cannot be read.
    """
    text = read_utf8(path, "a file of SQuAD's JSON form").decode("utf-8", "surrogateescape")
    try:
        root = json.loads(text)
    except (ValueError, RecursionError) as error:
        dirt.add("broken JSON", path, str(error))
        return []
    found = []
    for place, context, row in _rows(root, str(path), dirt):
        texts, starts = _answers_of(row)
        question: Any = row.get("question") if isinstance(row, dict) else None
        if fault := fault_of(question, context, texts, starts):
            dirt.add(fault, place, excerpt(question) if isinstance(question, str) else "")
        else:
            found.append(question_of(question, context, texts, starts))
    return found


def _rows(root: Any, path: str, dirt: Dirt) -> Iterator[tuple[str, Any, Any]]:
    """Yields (place, context, question) of the questions of a file; they may be of any kind."""
    for number, article in _numbered(root, "data", path, dirt):
        article_place = f"{path}, article {number}"
        for number, paragraph in _numbered(article, "paragraphs", article_place, dirt):
            place = f"{article_place}, paragraph {number}"
            for number, row in _numbered(paragraph, "qas", place, dirt):
                yield f"{place}, question {number}", paragraph.get("context"), row


def _numbered(table: Any, key: str, place: str, dirt: Dirt) -> Iterator[tuple[int, Any]]:
    """Returns the numbered members of a list in a table; its absence is a fault."""
    rows = table.get(key) if isinstance(table, dict) else None
    if not isinstance(rows, list):
        dirt.add(f"no list `{key}`", place)
        rows = []
    return enumerate(rows, 1)


def _answers_of(row: Any) -> tuple[Any, Any]:
    """Returns the texts and the places of the answers of a question, `None` if it has no list of answers."""
    answers = row.get("answers") if isinstance(row, dict) else None
    if isinstance(row, dict) and row.get("is_impossible") is True:
        answers = []
    if not isinstance(answers, list) or not all(isinstance(one, dict) for one in answers):
        return None, None
    return [one.get("text") for one in answers], [one.get("answer_start") for one in answers]


def fault_of(question: Any, context: Any, texts: Any, starts: Any) -> str:
    """Returns what is wrong with a question, "" where nothing is.

    Args:
        question: Should be a string that is not empty.
        context: Likewise.
        texts: Should be a list of the answers.
        starts: Should be a list of their places in the context, in code points.

    Example:

    >>> fault_of("What sat?", "a cat sat", ["cat"], [2]), fault_of("What sat?", "a cat sat", ["cat"], [3])
    ('', 'an answer that does not stand at its answer_start')
    """
    for name, value in (("question", question), ("context", context)):
        if not isinstance(value, str):
            return f"no `{name}`"
        if not value.strip():
            return f"an empty `{name}`"
        if any("\ud800" <= character <= "\udfff" for character in value):
            return "text that is not UTF-8"
    if texts is None:
        return "no list `answers`"
    for text, start in zip(texts, starts):
        if not isinstance(text, str) or not isinstance(start, int):
            return "an answer without `text` and `answer_start`"
        if not text.strip():
            return "an empty answer"
        if start < 0 or context[start : start + len(text)] != text:
            return "an answer that does not stand at its answer_start"
    return ""


def question_of(question: str, context: str, texts: list[str], starts: list[int]) -> Question:
    """Returns a question of which `fault_of` finds nothing. White space around its first answer does not count.

    Example:

    >>> question_of("What sat?", "a cat sat", [" cat ", "a cat"], [1, 0])
    Question(question='What sat?', context='a cat sat', answers=('cat', 'a cat'), start=2)
    """
    if not texts:
        return Question(question, context, (), 0)
    start = starts[0] + len(texts[0]) - len(texts[0].lstrip())
    return Question(question, context, tuple(text.strip() for text in texts), start)
