"""Scores of word vectors: agreement with people about similar words, and analogies."""

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.stats import spearmanr

TOGETHER = 512  # analogies whose cosines with all words are computed at once


def unit_vectors(vectors: np.ndarray) -> np.ndarray:
    """Returns vectors `(V, D)` brought to length 1; zeros stay zeros."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def similarity_scores(
    ids: Mapping[str, int], vectors: np.ndarray, pairs: Sequence[tuple[str, str, float]]
) -> dict[str, float]:
    """Compares the cosines of word pairs with how similar people find them.

    Args:
        ids: Row of each word.
        vectors: Array `(V, D)`.
        pairs: (word, word, similarity).

    Returns:
        Dict: "wordsim", Spearman's correlation of ranks, times 100, of the pairs whose words are known, and
        "wordsim_known", their share in percent; only the latter where fewer than two are known.

    Example:

    >>> ids, vectors = {"cat": 0, "dog": 1, "sun": 2}, np.array([[1.0, 0.1], [1.0, 0.3], [0.0, 1.0]])
    >>> pairs = [("cat", "dog", 7.0), ("dog", "sun", 1.0), ("cat", "sun", 0.5), ("cat", "moon", 0.5)]
    >>> similarity_scores(ids, vectors, pairs)
    {'wordsim': 100.0, 'wordsim_known': 75.0}
    """
    known = [(ids[a], ids[b], score) for a, b, score in pairs if a in ids and b in ids]
    share = 100.0 * len(known) / max(1, len(pairs))
    if len(known) < 2:
        return {"wordsim_known": share}
    first, second, scores = map(np.array, zip(*known))
    unit = unit_vectors(vectors)
    cosines = np.sum(unit[first.astype(int)] * unit[second.astype(int)], axis=1)
    correlation = spearmanr(cosines, scores).statistic  # pyright: ignore[reportAttributeAccessIssue]
    return {"wordsim": 100.0 * float(np.nan_to_num(correlation)), "wordsim_known": share}


def analogy_scores(
    ids: Mapping[str, int], vectors: np.ndarray, analogies: Sequence[tuple[str, str, str, str]], most: int = 30_000
) -> dict[str, float]:
    """Counts the analogies "a is to b as c is to d" whose d has the largest cosine with b - a + c (3CosAdd).

    Args:
        ids: Row of each word, the more frequent words first.
        vectors: Array `(V, D)`.
        analogies: Four words each.
        most: Words that can be an answer, and without which an analogy counts as unknown. Defaults to 30,000, as is
            usual.

    Returns:
        Dict: "analogies", the share of the analogies with known words that are right, in percent, and
        "analogies_known", the share with known words; only the latter where none is known.

    Example:

    >>> ids, vectors = {"king": 0, "man": 1, "woman": 2, "queen": 3}, np.array([[1, 1], [0, 1], [0, 2], [1, 2.0]])
    >>> analogy_scores(ids, vectors, [("man", "king", "woman", "queen"), ("man", "king", "boy", "prince")])
    {'analogies': 100.0, 'analogies_known': 50.0}
    """
    rows = [[ids.get(word, most) for word in words] for words in analogies]
    known = np.array([row for row in rows if max(row) < most], int).reshape(-1, 4)
    unit, right = unit_vectors(vectors[:most]), 0
    for start in range(0, len(known), TOGETHER):
        some = known[start : start + TOGETHER]
        a, b, c = (unit[some[:, place]] for place in range(3))
        cosines = (b - a + c) @ unit.T
        np.put_along_axis(cosines, some[:, :3], -np.inf, axis=1)
        right += int(np.sum(cosines.argmax(axis=1) == some[:, 3]))
    share = 100.0 * len(known) / max(1, len(analogies))
    return ({"analogies": 100.0 * right / len(known)} if len(known) else {}) | {"analogies_known": share}
