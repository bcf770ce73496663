"""The answers of a classifier, or of a regression, to a split, as a file that later steps read."""

import csv
import io
from collections.abc import Iterable, Sequence
from itertools import count
from os import PathLike

import numpy as np

from attention_zoo.pipelines.engine.scores.intervals import gap_line, mean_interval
from attention_zoo.pipelines.engine.storage.files import atomic_write


def keep_answers(
    path: PathLike[str] | str,
    truths: Iterable[object],
    answers: Iterable[object],
    probabilities: Iterable[float] | None = None,
    kind: str = "text",
    names: Sequence[object] = (),
) -> None:
    """Writes a line for each example, TSV with a head: its name, truth, answer, and probability.

    Args:
        path: The file.
        truths: Names of the true classes, or numbers.
        answers: Names of the answered classes, or numbers.
        probabilities: Of the answered classes. Defaults to `None`, no such column.
        kind: Head of the first column. Defaults to `"text"`.
        names: Names of the examples. Defaults to none: their numbers from 1.

    Example:

    >>> import tempfile
    >>> keep_answers(path := f"{tempfile.mkdtemp()}/answers.tsv", ["tea", "milk"], ["tea", "tea"], [0.9, 0.6])
    >>> answered(path)
    [('tea', 'tea'), ('milk', 'tea')]
    >>> right_answers(path).tolist(), confusion_of(path, ["milk", "tea"]).tolist()
    ([True, False], [[0, 1], [0, 1]])
    """
    table = io.StringIO()
    lines = csv.writer(table, "excel-tab", lineterminator="\n")
    columns = {kind: names or count(1), "truth": truths, "answer": answers}
    if probabilities is not None:
        columns["probability"] = (f"{share:.4f}" for share in probabilities)
    lines.writerow(columns)
    lines.writerows(zip(*columns.values()))
    atomic_write(path, table.getvalue())


def answered(path: PathLike[str] | str) -> list[tuple[str, str]]:
    """Returns the (truth, answer) pairs of a file of answers."""
    with open(path, encoding="utf-8", newline="") as file:
        return [(row["truth"], row["answer"]) for row in csv.DictReader(file, dialect="excel-tab")]


def right_answers(path: PathLike[str] | str) -> np.ndarray:
    """Returns which answers of a file are right, bool `(N,)`."""
    return np.array([truth == answer for truth, answer in answered(path)])


def confusion_of(path: PathLike[str] | str, labels: Sequence[str]) -> np.ndarray:
    """Returns how many examples of a class (row) got which answer (column), int `(K, K)`."""
    numbers = {label: number for number, label in enumerate(labels)}
    counts = np.zeros((len(labels), len(labels)), int)
    for truth, answer in answered(path):
        counts[numbers[truth], numbers[answer]] += 1
    return counts


def spread_line(name: str, right: np.ndarray, other: np.ndarray) -> str:
    """Returns the line that compares the run with a baseline on the same texts.

    Example:

    >>> spread_line("svm", np.array([True] * 90 + [False] * 10), np.array([True] * 90 + [False] * 10))
    'svm: accuracy 90.0; this run is +0.0 points from it (95% interval +0.0 to +0.0)'
    """
    gaps = 100.0 * (right.astype(float) - other)
    return f"{name}: accuracy {100 * other.mean():.1f}; {gap_line(gaps.mean(), mean_interval(gaps))}"
