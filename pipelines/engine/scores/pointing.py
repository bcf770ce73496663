"""Scores attention to an image: whether a word that names a thing attends to the box of that thing.

The peak of a map is the middle of its heaviest cell.
"""

import math
from collections.abc import Iterable, Sequence

import numpy as np

from attention_zoo.pipelines.engine.text.words import split_words


def find_mentions(words: Sequence[str], names: Sequence[str]) -> list[tuple[int, int, int]]:
    """Finds the names of things in an answer.

    Args:
        words: Words of the answer, as `split_words` returns them.
        names: Names of the things.

    Returns:
        A list of (first word, last word + 1, number of the thing), in the order of the words. None lies inside another.

    Example:

    >>> find_mentions("a green apple left of a dog".split(), ["dog", "apple", "green apple"])
    [(1, 3, 2), (6, 7, 0)]
    """
    parts = [split_words(name) for name in names]
    mentions, start = [], 0
    while start < len(words):
        fits = [number for number, part in enumerate(parts) if part and words[start : start + len(part)] == part]
        if fits:
            number = max(fits, key=lambda number: len(parts[number]))
            mentions.append((start, start + len(parts[number]), number))
        start = mentions[-1][1] if fits else start + 1
    return mentions


def peak(weights: np.ndarray) -> tuple[int, int]:
    """Returns row and column of the heaviest cell of a map `(h, w)`, the first if there are several."""
    return divmod(int(np.argmax(weights)), np.shape(weights)[1])


def lies_in(cell: tuple[int, int], grid: tuple[int, ...], box: Sequence[float]) -> bool:
    """Returns whether the middle of a cell lies in a box (top, left, bottom, right), from 0 to 1.

    Example:

    >>> lies_in((0, 3), (4, 4), (0.0, 0.5, 0.5, 1.0)), lies_in((2, 3), (4, 4), (0.0, 0.5, 0.5, 1.0))
    (True, False)
    """
    down, across = ((place + 0.5) / size for place, size in zip(cell, grid))
    top, left, bottom, right = box
    return bool(top <= down <= bottom and left <= across <= right)


def pointing_scores(
    answers: Iterable[tuple[Sequence[str], np.ndarray, tuple[Sequence[str], Sequence[Sequence[float]]] | None]],
) -> dict[str, float]:
    """Scores the attention of words.

    Args:
        answers: Iterable of (words, weights, objects): the T words of an answer, their maps `(T, h, w)`, and the
            (names, boxes) of the things in the image, or `None` if they are not known.

    Returns:
        A dict. "pointing" is the share (0 to 100) of the words that name a thing whose peak lies in the box of that
        thing. "movement" is the mean number of cells that the peak moves from one named thing to the next; the maps of
        the words of a name are added. If the things are not known, there is no "pointing", and "movement" is from word
        to word. A score without any values is left out.

    Example:

    >>> maps = np.zeros((2, 2, 2)); maps[0, 0, 0] = maps[1, 1, 1] = 1.0
    >>> things = (["dog", "cat"], [(0.0, 0.0, 0.5, 0.5), (0.0, 0.0, 0.5, 0.5)])
    >>> scores = pointing_scores([(["dog", "cat"], maps, things)])
    >>> scores["pointing"], round(scores["movement"], 3)
    (50.0, 1.414)
    """
    hits, moves = [], []
    for words, weights, objects in answers:
        weights = np.asarray(weights)
        spans = [(place, place + 1, None) for place in range(len(words))]
        if objects is not None:
            names, boxes = objects
            spans = find_mentions(words, names)
            for start, end, number in spans:
                hits += [lies_in(peak(weights[place]), weights.shape[1:], boxes[number]) for place in range(start, end)]
        peaks = [peak(weights[start:end].sum(axis=0)) for start, end, _ in spans]
        moves += [math.dist(one, other) for one, other in zip(peaks, peaks[1:])]
    scores = {"pointing": 100 * float(np.mean(hits))} if hits else {}
    return scores | ({"movement": float(np.mean(moves))} if moves else {})
