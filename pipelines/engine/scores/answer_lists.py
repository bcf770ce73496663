"""The answers of a classifier of texts to a split, as a file that later steps read."""

import csv
import io
from collections.abc import Iterable, Sequence
from os import PathLike

import numpy as np

from attention_zoo.pipelines.engine.scores.intervals import mean_interval
from attention_zoo.pipelines.engine.storage.files import atomic_write


def keep_answers(
    path: PathLike[str] | str, truths: Iterable[str], answers: Iterable[str], probabilities: Iterable[float]
) -> None:
    """Writes a line for each text, TSV with a head: its number from 1, truth, answer, probability.

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
    lines.writerow(["text", "truth", "answer", "probability"])
    for number, (truth, answer, share) in enumerate(zip(truths, answers, probabilities), 1):
        lines.writerow([number, truth, answer, f"{share:.4f}"])
    atomic_write(path, table.getvalue())


def answered(path: PathLike[str] | str) -> list[tuple[str, str]]:
    """Returns the (truth, answer) pairs of a file of answers."""
    with open(path, encoding="utf-8", newline="") as file:
        return [(row["truth"], row["answer"]) for row in csv.DictReader(file, dialect="excel-tab")]


def right_answers(path: PathLike[str] | str) -> np.ndarray:
    """Returns which answers of a file are right, bool `(N,)`."""
    return np.array([truth == answer for truth, answer in answered(path)])


def confusion_of(path: PathLike[str] | str, labels: Sequence[str]) -> np.ndarray:
    """Returns how many texts of a class (row) got which answer (column), int `(K, K)`."""
    counts = np.zeros((len(labels), len(labels)), int)
    for truth, answer in answered(path):
        counts[labels.index(truth), labels.index(answer)] += 1
    return counts


def spread_line(name: str, right: np.ndarray, other: np.ndarray) -> str:
    """Returns the line that compares the run with a baseline on the same texts.

    Example:

    >>> spread_line("svm", np.array([True] * 90 + [False] * 10), np.array([True] * 90 + [False] * 10))
    'svm: accuracy 90.0; this run is +0.0 points from it (95% interval +0.0 to +0.0)'
    """
    gaps = 100.0 * (right.astype(float) - other)
    low, high = mean_interval(gaps)
    return (
        f"{name}: accuracy {100 * other.mean():.1f}; this run is {gaps.mean():+.1f} points from it "
        f"(95% interval {low:+.1f} to {high:+.1f})"
    )
