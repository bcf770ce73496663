"""Answers as a line of text and as a view."""

import numpy as np

from attention_zoo.pipelines.engine.views import Spans

CLS = "__CLS__"


def line_of(answer):
    """Returns intent, confidence and entities as a line.

    Example:

    >>> answer = {"intent": "fly", "confidence": 0.9, "in_scope": True, "counts": 1, "labels": ["city"]}
    >>> line_of(answer | {"roles": ["to"], "values": ["New York"], "entities": ["NYC"]})
    'fly (0.90) city:to=New York'
    """
    if not answer["intent"]:
        return ""
    count = answer["counts"]
    rows = zip(*(answer[name][:count] for name in ("labels", "roles", "values")))
    entities = [f"{label}{':' * bool(role)}{role}={value}" for label, role, value in rows]
    scope = [] if answer["in_scope"] else ["out of scope?"]
    return " ".join([answer["intent"], f"({answer['confidence']:.2f})", *scope, *entities])


def spans_view(answer):
    """Returns the `Spans` of an answer, with `__CLS__` as its first word; `None` if the text has no words."""
    count, words = answer["counts"], answer["word_counts"]
    if not words:
        return None
    names = ("code_point_starts", "code_point_ends", "labels", "entity_confidences")
    tags, used = list(answer["tag_names"]), {"O", *answer["tags"][:words]}
    rows = [row for row, name in enumerate(tags) if name in used or answer["marginals"][:words, row].max() > 0.05]
    lattice = np.concatenate([np.eye(1, len(tags)), answer["marginals"][:words]])[:, rows].T  # (C, T + 1)
    return Spans(
        text=answer["input"],
        spans=list(zip(*(answer[name][:count] for name in names))),
        words=[CLS, *answer["words"][:words]],
        tags=["O", *answer["tags"][:words]],
        tag_names=[tags[row] for row in rows],
        lattice=lattice,
        weights=answer["attention"][: words + 1, : words + 1],
        title=line_of(answer),
    )
