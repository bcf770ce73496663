"""Asks an exported model, and returns the answers of a batch row by row."""

import functools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import tensorflow as tf

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.images.image_files import ImageFile
from attention_zoo.pipelines.engine.stages import counted
from attention_zoo.pipelines.engine.task import Task
from attention_zoo.pipelines.engine.text.excerpt import excerpt

TAB = "\t"  # between the two texts of a pair


def ask_rows(served: Any, attention: bool, **inputs: tf.Tensor) -> list[dict[str, Any]]:
    """Asks a model once for a batch.

    Args:
        served: The object that `load_saved_model` returns, or any other whose `signatures` has functions by name.
        attention: Whether to call the signature `attention` and not `serving_default`.
        **inputs: The tensors of the signature, each with B rows.

    Returns:
        List of B dicts with the rows of the outputs: a string as `str`, a number as `int`, `float` or `bool`, and a
        row with axes of its own as a NumPy array.

    Raises:
        UserError: The model has no attention.

    Example:

    >>> from types import SimpleNamespace
    >>> served = SimpleNamespace(signatures={"serving_default": lambda text: {"upper": tf.strings.upper(text)}})
    >>> ask_rows(served, False, text=tf.constant(["yes", "no"]))
    [{'upper': 'YES'}, {'upper': 'NO'}]
    """
    if attention and "attention" not in served.signatures:
        raise UserError("--attention: this model has no attention to draw; train another --preset")
    return rows_of(served.signatures["attention" if attention else "serving_default"](**inputs))


def ask_pairs(
    served: Any, attention: bool, lines: Sequence[str], names: tuple[str, str] = ("text", "pair")
) -> list[dict[str, Any]]:
    """Asks a model of pairs of texts, each pair a line with a tab between the two.

    Args:
        served: As in `ask_rows`.
        attention: As in `ask_rows`.
        lines: List of B strings.
        names: Names of the inputs. Defaults to `("text", "pair")`.

    Returns:
        List of B dicts, as of `ask_rows`; one of a line without a tab has an "error".

    Example:

    >>> from types import SimpleNamespace
    >>> join = lambda text, pair: {"both": tf.strings.join([text, pair], "+"), "error": tf.fill(tf.shape(text), "")}
    >>> ask_pairs(SimpleNamespace(signatures={"serving_default": join}), False, ["a\\tb", "c"])[0]
    {'both': 'a+b', 'error': ''}
    """
    parts = [line.partition(TAB) for line in lines]
    columns = zip(names, ([first for first, _, _ in parts], [second for *_, second in parts]))
    rows = ask_rows(served, attention, **{name: tf.constant(column) for name, column in columns})
    missing = {"error": "expected two texts with a tab between them, received one"}
    return [row | (missing if not tab and line.strip() else {}) for line, (_, tab, _), row in zip(lines, parts, rows)]


def line_of(texts: Iterable[str]) -> str:
    """Returns texts as a line of `ask_pairs`: white space is a single space, and a tab stands between them.

    Example:

    >>> line_of(["a  cat", "a\\tdog"])
    'a cat\\ta dog'
    """
    return TAB.join(" ".join(text.split()) for text in texts)


def noted(
    inputs: Sequence[str], rows: Sequence[dict[str, Any]], read: str = "the beginning was read"
) -> list[dict[str, Any]]:
    """Returns answers with their inputs, and with a note in those of texts that were too long to be read as a whole.

    Args:
        inputs: List of B texts, or names of texts.
        rows: List of B answers, each with a bool "truncated".
        read: The part that was read, in the words of the note. Defaults to "the beginning was read".

    Example:

    >>> noted(["cat", "a long\ttext"], [{"truncated": False}, {"truncated": True}])[0]
    {'input': 'cat', 'truncated': False}
    >>> noted(["a long\ttext"], [{"truncated": True}])[0]["note"]
    'only the beginning was read of: a long text'
    """
    return [
        {"input": text, **row} | ({"note": f"only {read} of: {excerpt(text)}"} if row.get("truncated") else {})
        for text, row in zip(inputs, rows)
    ]


def ask_n_best(served: Any, texts: Sequence[str], count: int) -> list[dict[str, Any]]:
    """Asks the signature `n_best`, whose answers to a text are one string output `(B, N)`, best first, and `scores`.

    Args:
        served: As in `ask_rows`.
        texts: List of B strings.
        count: Number of answers to each.

    Returns:
        List of B dicts: "input", "error", "answers", a list of strings, and "scores", a list of numbers. There are
        fewer than `count` if the search found no more.

    Raises:
        UserError: The model has no such signature, or offers fewer answers.

    Example:

    >>> from types import SimpleNamespace
    >>> def n_best(text):
    ...     return {"words": tf.stack([text, tf.strings.upper(text)], 1), "scores": tf.constant([[-0.5, -1.0]])}
    >>> served = SimpleNamespace(signatures={"n_best": n_best})
    >>> ask_n_best(served, ["yes"], 2)
    [{'input': 'yes', 'error': '', 'answers': ['yes', 'YES'], 'scores': [-0.5, -1.0]}]
    """
    if "n_best" not in served.signatures:
        raise UserError("--n-best: this model gives one answer; expected a model of translation")
    rows, answers = rows_of(served.signatures["n_best"](text=tf.constant(texts))), []
    for text, row in zip(texts, rows):
        scores = row.pop("scores").tolist()
        error = row.pop("error", "")
        (strings,) = (list(value) for value in row.values())
        if count > len(strings):
            raise UserError(
                f"--n-best: expected at most {len(strings)}, which this version offers, received {count}; "
                f"`attention-zoo export translation --decoding.beam_size {count} --decoding.n_best {count}` offers more"
            )
        found = [(string, score) for string, score in zip(strings[:count], scores) if math.isfinite(score)]
        answers.append(
            {"input": text, "error": error, "answers": [a for a, _ in found], "scores": [s for _, s in found]}
        )
    return answers


def alternative_views(task: type[Task], served: Any, answer: Mapping[str, Any], count: int) -> list[Any]:
    """Returns the views of the other answers that the beam found to an input, best first.

    The signature `n_best_attention` gives them: its outputs are those of `attention`, with an axis of N answers after
    the first, and its `score` is -inf where the search found no more.

    Args:
        task: The `Task` class.
        served: As in `ask_rows`.
        answer: The answer that is not repeated; its "input" is a text.
        count: Number of answers, the given one included.

    Returns:
        List of at most `count - 1` views, whose titles are the answers and their scores.

    Raises:
        UserError: The model has no such signature.
    """
    if "n_best_attention" not in served.signatures:
        raise UserError("--n-best: this model shows one answer; expected one of translation, of this release")
    outputs = served.signatures["n_best_attention"](text=tf.constant([answer["input"]]))
    row, views = rows_of(outputs)[0], []
    for place in np.flatnonzero(np.isfinite(row["score"])):
        other = {name: value[place] for name, value in row.items() if name != "error"} | {"input": answer["input"]}
        view = task.view(other)
        if view is not None and task.say(other) != task.say(dict(answer)):
            views.append(replace(view, title=f"{task.say(other)} ({other['score']:.2f})"))
    return views[: count - 1]


def answer_in_batches(
    answer: Callable[[tf.Tensor], dict[str, tf.Tensor]], inputs: Sequence[str] | Sequence[bytes], batch_size: int
) -> Iterator[dict[str, Any]]:
    """Answers many inputs with the function of a signature, compiled once, so that evaluation does what serving does.

    Args:
        answer: Function of a string Tensor `(B,)` to a dict of Tensors, each with B rows. The same function, or method
            of the same object, is traced once, however many epochs are evaluated.
        inputs: List of strings or bytes.
        batch_size: Number of inputs that are answered together.

    Yields:
        The answer to each input, in their order, as in `ask_rows`.

    Example:

    >>> answers = answer_in_batches(lambda text: {"length": tf.strings.length(text)}, ["yes", "no", ""], batch_size=2)
    >>> [answer["length"] for answer in answers]
    [3, 2, 0]
    """
    compiled = _compiled(answer)
    answers = (
        answer
        for start in range(0, len(inputs), batch_size)
        for answer in rows_of(compiled(tf.constant(inputs[start : start + batch_size])))
    )
    return counted(answers, len(inputs))


@functools.lru_cache(maxsize=16)
def _compiled(answer):
    return tf.function(answer, input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)


def answer_by_length(
    answer: Callable[[tf.Tensor], dict[str, tf.Tensor]], texts: Sequence[str], batch_size: int
) -> list[dict[str, Any]]:
    """Returns the answers of `answer_in_batches` in the order of the texts, of which like lengths share a batch.

    Example:

    >>> answers = answer_by_length(lambda text: {"length": tf.strings.length(text)}, ["yes", "", "no"], batch_size=2)
    >>> [answer["length"] for answer in answers]
    [3, 0, 2]
    """
    order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
    answers = list(answer_in_batches(answer, [texts[row] for row in order], batch_size))
    return [answers[place] for place in np.argsort(order)]


def rows_of(outputs: Mapping[str, tf.Tensor]) -> list[dict[str, Any]]:
    """Returns the B rows of outputs `(B, ...)` by name, as `ask_rows` does."""
    arrays = {name: _texts(value.numpy()) for name, value in outputs.items()}
    count = len(next(iter(arrays.values())))
    return [{name: array[row] for name, array in arrays.items()} for row in range(count)]


def ask_image_files(served: Any, inputs: Sequence[ImageFile], attention: bool = False) -> list[dict[str, Any]]:
    """Implements `Task.ask` of a task whose signatures take `image_bytes` `(B,)`.

    Args:
        served: As in `ask_rows`.
        inputs: List of B `ImageFile`s.
        attention: Whether to call the signature `attention` and not `serving_default`. Defaults to `False`.

    Returns:
        List of B dicts: "input", the name of the file, its "image_bytes", and the outputs as `ask_rows` returns them.
    """
    rows = ask_rows(served, attention, image_bytes=tf.constant([file.image_bytes for file in inputs]))
    return [{"input": file.name, "image_bytes": file.image_bytes, **row} for file, row in zip(inputs, rows)]


def _texts(array):
    """Returns an array `(B, ...)` of `str` or numbers, and a list of Python's own objects for one `(B,)`."""
    if array.dtype == object:
        array = np.array([text.decode("utf-8", "replace") for text in array.ravel()], object).reshape(array.shape)
    return array.tolist() if array.ndim == 1 else array
