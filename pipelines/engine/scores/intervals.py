"""Intervals of means and other statistics, by resampling."""

from collections.abc import Callable, Sequence

import numpy as np

RESAMPLES = 2000


def mean_interval(values: Sequence[float] | np.ndarray, seed: int = 0) -> tuple[float, float]:
    """Returns the 95% bootstrap interval of a mean, the same in every call.

    For two systems that answered the same examples, pass the differences of their scores: the interval is then paired.

    Args:
        values: N numbers, one for each example.
        seed: Seed of the resampling. Defaults to `0`.

    Returns:
        (low, high); NaN for both if there are no values.

    Example:

    >>> low, high = mean_interval([1.0] * 90 + [0.0] * 10)
    >>> round(low, 2), round(high, 2)
    (0.84, 0.96)
    """
    values = np.asarray(values, "float64")
    return bootstrap_interval(np.mean, values, seed=seed) if len(values) else (float("nan"), float("nan"))


def bootstrap_interval(
    statistic: Callable[..., float | np.floating], *columns: np.ndarray, seed: int = 0
) -> tuple[float, float]:
    """Returns the 95% bootstrap interval of a statistic of examples, the same in every call.

    For two systems that answered the same examples, pass the answers of both, and a statistic that is the difference of
    their scores: the interval is then paired.

    Args:
        statistic: Function of the columns of resampled examples to a number.
        *columns: Arrays with N rows, one for each example.
        seed: Seed of the resampling. Defaults to `0`.

    Returns:
        (low, high).

    Example:

    >>> ours, theirs = np.array([3.0, 5.0, 4.0]), np.array([1.0, 3.0, 2.0])
    >>> bootstrap_interval(lambda ours, theirs: np.sum(ours) - np.sum(theirs), ours, theirs)
    (6.0, 6.0)
    """
    count, generator = len(columns[0]), np.random.default_rng(seed)
    draws = (generator.integers(count, size=count) for _ in range(RESAMPLES))
    values = [float(statistic(*(column[rows] for column in columns))) for rows in draws]
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


def gap_line(gap: float, interval: tuple[float, float]) -> str:
    """Returns the words that say how far a run is from a baseline, in points, with the 95% interval.

    Example:

    >>> gap_line(1.25, (-0.5, 3.0))
    'this run is +1.2 points from it (95% interval -0.5 to +3.0)'
    """
    low, high = interval
    return f"this run is {gap:+.1f} points from it (95% interval {low:+.1f} to {high:+.1f})"
