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
    """Returns the `Spans` of an answer, whose first word is `__CLS__`, tagged with the intent; `None` without words."""
    count, words = answer["counts"], answer["word_counts"]
    if not words:
        return None
    tags, used, marginals = list(answer["tag_names"]), {"O", *answer["tags"][:words]}, answer["marginals"][:words]
    rows = [row for row, name in enumerate(tags) if name in used or marginals[:, row].max() > 0.05]
    intent = answer["intent"]
    lattice = np.pad(marginals[:, rows].T, [[1, 0], [1, 0]])  # (1 + C, 1 + T)
    lattice[0, 0] = answer["confidence"]
    names = ("code_point_starts", "code_point_ends", "labels", "entity_confidences")
    return Spans(
        text=answer["input"],
        spans=list(zip(*(answer[name][:count] for name in names))),
        words=[CLS, *answer["words"][:words]],
        tags=[intent, *answer["tags"][:words]],
        tag_names=[intent, *(tags[row] for row in rows)],
        lattice=lattice,
        weights=answer["attention"][: words + 1, : words + 1],
        whole=CLS,
        title=line_of(answer),
    )
