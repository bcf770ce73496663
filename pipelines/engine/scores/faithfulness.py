"""Faithfulness of an explanation: whether the parts of an input that it names change the answer most.

Deletion leaves out the parts of an input one after the other, those of the highest attribution first; insertion begins
with none and adds them in this order. A faithful explanation makes the probability of the answer fall, or rise, early.

Shapes: N examples, P parts of an input, K shares of them.
"""

from collections.abc import Callable, Sequence

import numpy as np
from scipy.stats import spearmanr

from attention_zoo.pipelines.engine.scores.intervals import mean_interval

SHARES = tuple(number / 10 for number in range(11))


def kept_parts(
    attributions: np.ndarray, mask: np.ndarray, shares: Sequence[float] = SHARES, insertion: bool = False
) -> np.ndarray:
    """Returns which parts are left after each share of them was deleted, or inserted.

    Args:
        attributions: `(N, P)`; the highest one is deleted, or inserted, first.
        mask: Bool `(N, P)`: the parts of each row; others are never kept.
        shares: K numbers from 0 to 1, rounded to whole parts of a row. Defaults to 0, 0.1, ..., 1.
        insertion: Whether to insert. Defaults to `False`.

    Returns:
        Bool `(K, N, P)`.

    Example:

    >>> kept_parts(np.array([[0.2, 0.5, 0.3]]), np.ones((1, 3), bool), (0, 1 / 3, 1))[:, 0].astype(int).tolist()
    [[1, 1, 1], [1, 0, 1], [0, 0, 0]]
    """
    order = np.argsort(np.where(mask, -np.asarray(attributions, "float64"), np.inf), axis=1, kind="stable")
    ranks = np.argsort(order, axis=1, kind="stable")  # 0 = the highest attribution
    counts = np.rint(np.asarray(shares)[:, None] * mask.sum(axis=1)).astype(int)  # (K, N)
    named = ranks[None] < counts[..., None]  # (K, N, P)
    return (named if insertion else ~named) & mask


def curves(
    predict: Callable[[np.ndarray], np.ndarray],
    attributions: np.ndarray,
    mask: np.ndarray,
    shares: Sequence[float] = SHARES,
    insertion: bool = False,
) -> np.ndarray:
    """Returns the answer after each share of the parts was deleted, or inserted.

    Args:
        predict: `predict(kept) -> (N,)`, the probabilities of the explained answers with the parts of bool `(N, P)`.
        attributions, mask, shares, insertion: As in `kept_parts`.

    Returns:
        Float array `(N, K)`.

    Example:

    >>> weights = np.array([[0.2, 0.5, 0.3]])
    >>> curves(lambda kept: (kept * weights).sum(axis=1), weights, weights > 0, (0, 1 / 3, 2 / 3, 1)).round(1).tolist()
    [[1.0, 0.5, 0.2, 0.0]]
    """
    kept = kept_parts(attributions, mask, shares, insertion)
    return np.stack([np.asarray(predict(parts), "float64") for parts in kept], axis=1)


def over_perturbation(deletions: np.ndarray) -> np.ndarray:
    """Returns the area over the perturbation curve of each example, in percent points: higher is more faithful.

    The mean of f(x) - f(x_k) over the shares (Samek et al. 2017, "Evaluating the Visualization of What a Deep Neural
    Network Has Learned", eq. 12), also called comprehensiveness (DeYoung et al. 2020).

    Args:
        deletions: Probabilities `(N, K)` as `curves` returns them; the first column is of the whole input.

    Returns:
        Float array `(N,)`.

    Example:

    >>> over_perturbation(np.array([[1.0, 0.5, 0.0]])).tolist()
    [50.0]
    """
    return 100.0 * (deletions[:, :1] - deletions).mean(axis=1)


def under_insertion(insertions: np.ndarray) -> np.ndarray:
    """Returns the area under the insertion curve of each example, in percent: higher is more faithful.

    The mean of f(x_k) over the shares (Petsiuk et al. 2018, "RISE", section 4.1).

    Args:
        insertions: Probabilities `(N, K)` as `curves` returns them with `insertion`.

    Returns:
        Float array `(N,)`.

    Example:

    >>> under_insertion(np.array([[0.0, 0.5, 1.0]])).tolist()
    [50.0]
    """
    return 100.0 * insertions.mean(axis=1)


def paired(areas: np.ndarray, others: np.ndarray) -> dict[str, float]:
    """Returns by how much an explanation is more faithful than another one of the same examples.

    Args:
        areas, others: `(N,)` each, of `over_perturbation` or `under_insertion`.

    Returns:
        A dict: "gap", the mean difference, and "low" and "high", its 95% interval (paired bootstrap).

    Example:

    >>> paired(np.array([50.0, 60.0]), np.array([40.0, 50.0]))
    {'gap': 10.0, 'low': 10.0, 'high': 10.0}
    """
    gaps = np.asarray(areas) - np.asarray(others)
    low, high = mean_interval(gaps)
    return {"gap": float(gaps.mean()), "low": low, "high": high}


def rank_correlations(attributions: np.ndarray, others: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Returns how alike two explanations rank the parts of each example: Spearman's correlation.

    The check of Adebayo et al. 2018, "Sanity Checks for Saliency Maps", section 3: the maps of a trained model and
    those of the same model with random weights must not be alike.

    Args:
        attributions, others: `(N, P)` each.
        mask: Bool `(N, P)`: the parts of each row.

    Returns:
        Float array `(N,)`, NaN where a row has fewer than two parts or all attributions are equal.

    Example:

    >>> rank_correlations(np.array([[1.0, 2.0, 3.0]]), np.array([[1.0, 9.0, 10.0]]), np.ones((1, 3), bool)).tolist()
    [1.0]
    """
    found = []
    for first, second, kept in zip(attributions, others, mask):
        first, second = first[kept], second[kept]
        varied = len(first) > 1 and np.ptp(first) > 0 and np.ptp(second) > 0
        found.append(float(spearmanr(first, second).statistic) if varied else float("nan"))
    return np.array(found)
