"""Documents as inputs, and the answers to a split: as scores of their attention, and as a view."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.scores.deletion import deletion_scores
from attention_zoo.pipelines.engine.stages import counted
from attention_zoo.pipelines.engine.text.excerpt import excerpt
from attention_zoo.pipelines.engine.views import ShadedText

TOGETHER = 32  # documents of like length that are answered together


@dataclass(frozen=True)
class Document:
    """A document with a name: that of its file, or its first characters.

    Args:
        name: The name.
        text: The text; invalid UTF-8 is replaced.
    """

    name: str
    text: str

    @staticmethod
    def read(argument):
        """Returns the text of the file of that name, or else the argument itself as a text."""
        if os.path.isfile(argument):  # `Path.is_file` refuses what is too long for the name of a file
            try:
                return Document(argument, Path(argument).read_bytes().decode("utf-8", "replace"))
            except OSError as error:
                raise UserError(f"{argument}: {error.strerror}") from error
        text = os.fsencode(argument).decode("utf-8", "replace")
        return Document(excerpt(text), text)


def answers_on(classifier, texts):
    """Returns the outputs of `DocumentClassifier.examine` on a split: arrays `(N,)`, lists where rows differ in length.

    The answers of a split are the same in every call: which sentences are left out at random is drawn from a seed.
    """
    chance = np.random.default_rng(0).random(len(texts)).astype("float32")
    specs = [tf.TensorSpec([None], dtype) for dtype in (tf.string, tf.int64, tf.float32)]
    examine = tf.function(classifier.examine, input_signature=specs, autograph=False)
    order = np.argsort([len(text) for text in texts.texts], kind="stable")
    rows = [{}] * len(texts)
    for start in counted(range(0, len(order), TOGETHER)):
        some = order[start : start + TOGETHER]
        found = examine([texts.texts[row] for row in some], texts.labels[some], chance[some])
        arrays = {name: value.numpy() for name, value in found.items()}
        for place, row in enumerate(some):
            rows[row] = {name: array[place] for name, array in arrays.items()}
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    return {name: np.array(column) if np.ndim(column[0]) == 0 else column for name, column in columns.items()}


def deletion(found):
    """Returns the `deletion_scores` of the documents of several sentences."""
    several = np.asarray(found["sentence_count"]) > 1
    return deletion_scores(*(np.asarray(found[name])[several] for name in ("without_heaviest", "without_random")))


def pointing(found, spans):
    """Returns the share of documents whose heaviest sentence overlaps a part that decides the class, in percent.

    Args:
        found: As `answers_on` returns it.
        spans: The deciding parts of each document, offsets in bytes, or `None` if they are not known.
    """
    hits = []
    for row, known in enumerate(spans or []):
        if not len(known) or not found["sentence_count"][row]:
            continue
        heaviest = int(np.argmax(found["sentence_weights"][row][: found["sentence_count"][row]]))
        start, end = (found[name][row][heaviest] for name in ("sentence_starts", "sentence_ends"))
        hits.append(bool(np.any((known[:, 0] < end) & (known[:, 1] > start))))
    return {"pointing": 100.0 * float(np.mean(hits))} if hits else {}


def view_of(answer):
    """Returns the `ShadedText` of an answer, `None` if the document has no words."""
    count, content = answer["word_count"], answer["text"].encode()
    if not count:
        return None
    starts, ends = answer["word_starts"][:count], answer["word_ends"][:count]
    places = np.searchsorted(answer["word_sentences"][:count], range(answer["sentence_count"] + 1))
    words = [
        content[start:end].decode("utf-8", "replace") + (" " if follows > end else "")
        for start, end, follows in zip(starts, ends, [*starts[1:], ends[-1]])
    ]
    spans = np.reshape(answer.get("spans", []), (-1, 2))
    number = answer["sentence_count"]
    begin, stop = answer["sentence_starts"][:number, None], answer["sentence_ends"][:number, None]
    known = np.any((spans[:, 0] < stop) & (spans[:, 1] > begin), axis=1)
    truth = f"; truth: {answer['truth']}" if "truth" in answer else ""
    return ShadedText(
        [words[one:other] for one, other in zip(places, places[1:])],
        [answer["word_weights"][one:other] for one, other in zip(places, places[1:])],
        answer["sentence_weights"][:number],
        f"{answer['label']} ({answer['probabilities'][0]:.0%}){truth}",
        known.tolist() if len(spans) else [],
    )
