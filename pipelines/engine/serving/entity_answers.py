"""Answers with entities, as text and as a view."""

from collections.abc import Mapping
from typing import Any

from attention_zoo.pipelines.engine.views import Spans


def marked(answer: Mapping[str, Any]) -> str:
    """Returns the text with its entities in brackets, each followed by its label.

    Example:

    >>> answer = {"input": "in Rome", "counts": 1, "labels": ["LOC"], "code_point_starts": [3], "code_point_ends": [7]}
    >>> marked(answer)
    'in [Rome](LOC)'
    """
    text, parts, done = answer["input"], [], 0
    for number in range(answer["counts"]):
        start, end = answer["code_point_starts"][number], answer["code_point_ends"][number]
        parts += [text[done:start], f"[{text[start:end]}]({answer['labels'][number]})"]
        done = end
    return " ".join("".join([*parts, text[done:]]).split())


def spans_view(answer: Mapping[str, Any]) -> Spans | None:
    """Returns the `Spans` of an answer; `None` if the text has no words.

    Args:
        answer: Dict with `input`, `counts`, `code_point_starts`, `code_point_ends`, `labels` and `confidences` of the
            entities, `words`, `word_counts`, `tags`, `tag_names` and `marginals` `(T, K)`, and `attention` `(T, T)`
            between words, if the model attends.

    Example:

    >>> import numpy as np
    >>> answer = {"input": "in Rome", "counts": 0, "word_counts": 2, "words": ["in", "Rome"], "tags": ["O", "O"]}
    >>> empty = {name: [] for name in ("code_point_starts", "code_point_ends", "labels", "confidences")}
    >>> spans_view(answer | empty | {"tag_names": ["O"], "marginals": np.ones((2, 1))}).words
    ['in', 'Rome']
    """
    count, words = answer["counts"], answer["word_counts"]
    if not words:
        return None
    columns = ("code_point_starts", "code_point_ends", "labels", "confidences")
    return Spans(
        text=answer["input"],
        spans=list(zip(*(answer[name][:count] for name in columns))),
        words=list(answer["words"][:words]),
        tags=list(answer["tags"][:words]),
        tag_names=list(answer["tag_names"]),
        lattice=answer["marginals"][:words].T,
        weights=answer["attention"][:words, :words] if "attention" in answer else None,
    )
