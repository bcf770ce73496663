"""Intervals of means, by resampling."""

from collections.abc import Sequence

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
    if not len(values):
        return float("nan"), float("nan")
    generator = np.random.default_rng(seed)
    means = [values[generator.integers(len(values), size=len(values))].mean() for _ in range(RESAMPLES)]
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)
