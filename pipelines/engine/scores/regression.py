"""Scores of a regression: correlations of answers and truths, times 100, as GLUE gives them."""

from collections.abc import Sequence

import numpy as np

from attention_zoo.pipelines.engine.scores.intervals import bootstrap_interval, gap_line


def regression_scores(truths: Sequence[float] | np.ndarray, answers: Sequence[float] | np.ndarray) -> dict[str, float]:
    """Scores the answers of a regression.

    Args:
        truths: The true numbers of N examples, of which at least two differ.
        answers: The answered numbers, in the same order.

    Returns:
        A dict of "pearson", the linear correlation, and "spearman", that of the ranks, each from -100 to 100. Answers
        that are all the same have no correlation, and count as 0.

    Raises:
        ValueError: No two truths differ, or the numbers of truths and answers differ.

    Example:

    >>> scores = regression_scores([1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 9.0])
    >>> {name: round(score, 1) for name, score in scores.items()}
    {'pearson': 89.8, 'spearman': 100.0}
    """
    from scipy.stats import rankdata

    truths, answers = np.asarray(truths, "float64"), np.asarray(answers, "float64")
    if truths.shape != answers.shape or not len(truths) or not np.ptp(truths):
        raise ValueError(
            f"expected at least two different truths, and as many answers; received {len(set(truths.tolist()))} "
            f"different ones among {len(truths)}, and {len(answers)} answers"
        )
    return {"pearson": pearson(truths, answers), "spearman": pearson(rankdata(truths), rankdata(answers))}


def pearson(truths: np.ndarray, answers: np.ndarray) -> float:
    """Returns the linear correlation of two arrays `(N,)`, times 100; 0 if one of them is constant.

    Example:

    >>> round(pearson(np.array([1.0, 2.0, 3.0]), np.array([5.0, 4.0, 3.0]))), pearson(np.array([1.0, 2.0]), np.zeros(2))
    (-100, 0.0)
    """
    from scipy.stats import pearsonr

    constant = not np.ptp(truths) or not np.ptp(answers)
    return 0.0 if constant else 100.0 * float(pearsonr(truths, answers).statistic)


def correlation_line(name: str, truths: np.ndarray, answers: np.ndarray, others: np.ndarray) -> str:
    """Returns the line that compares the run with a baseline on the same texts, by Pearson's correlation.

    Args:
        name: Of the baseline.
        truths: The true numbers `(N,)`.
        answers: Those of the run.
        others: Those of the baseline.

    Example:

    >>> truths = np.arange(20.0)
    >>> correlation_line("ridge", truths, truths, truths)
    'ridge: Pearson 100.0; this run is +0.0 points from it (95% interval +0.0 to +0.0)'
    """

    def gap(truths: np.ndarray, answers: np.ndarray, others: np.ndarray) -> float:
        return pearson(truths, answers) - pearson(truths, others)

    columns = (truths, answers, others)
    distance = gap_line(gap(*columns), bootstrap_interval(gap, *columns))
    return f"{name}: Pearson {pearson(truths, others):.1f}; {distance}"
