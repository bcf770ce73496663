"""Scores of a classifier: accuracy and macro F1, in percent."""

from collections.abc import Sequence

import numpy as np


def classification_scores(truths: Sequence | np.ndarray, answers: Sequence | np.ndarray) -> dict[str, float]:
    """Scores the answers of a classifier.

    Args:
        truths: The true classes of N examples, at least one: names or numbers.
        answers: The answered classes, in the same order.

    Returns:
        A dict of percents: "accuracy", and "macro_f1", the mean of the F1 of the classes that occur in `truths`. A
        class that is never answered has an F1 of 0.

    Raises:
        ValueError: There are no examples, or the numbers of truths and answers differ.

    Example:

    >>> scores = classification_scores(["tea", "tea", "milk", "milk"], ["tea", "milk", "milk", "milk"])
    >>> {name: round(score, 1) for name, score in scores.items()}
    {'accuracy': 75.0, 'macro_f1': 73.3}
    """
    from sklearn.metrics import accuracy_score, f1_score

    if not len(truths) or len(truths) != len(answers):
        raise ValueError(f"expected as many answers as truths, at least one; received {len(answers)} and {len(truths)}")
    options = {"labels": sorted(set(truths)), "average": "macro", "zero_division": 0}
    return {
        "accuracy": 100.0 * float(accuracy_score(truths, answers)),
        "macro_f1": 100.0 * float(f1_score(truths, answers, **options)),
    }
