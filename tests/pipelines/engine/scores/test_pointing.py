"""Where words look: mentions, peaks, boxes, and how far attention moves."""

import numpy as np
import pytest

from attention_zoo.pipelines.engine.scores.pointing import find_mentions, lies_in, peak, pointing_scores


def maps(*cells, grid=(4, 4)):
    weights = np.full((len(cells), *grid), 0.01)
    for weight, cell in zip(weights, cells):
        weight[cell] = 0.5
    return weights


def test_names_are_found_whole_and_the_longest_first():
    words = "from left to right an apple , a green apple and a dog".split()
    assert find_mentions(words, ["green apple", "apple", "dog", "cat"]) == [(5, 6, 1), (8, 10, 0), (12, 13, 2)]
    assert find_mentions([], ["dog"]) == []


def test_the_middle_of_the_heaviest_cell_counts():
    assert peak(maps((2, 1))[0]) == (2, 1)
    box = (0.5, 0.25, 0.75, 0.5)  # the cell (2, 1) of 4 x 4
    assert lies_in((2, 1), (4, 4), box)
    assert not any(lies_in(cell, (4, 4), box) for cell in [(1, 1), (3, 1), (2, 0), (2, 2)])
    assert not lies_in((2, 1), (4, 4), (0.5, 0.25, 0.6, 0.5))  # touches the cell, but not its middle


def test_words_that_name_things_are_scored_and_others_are_not():
    objects = (["green apple", "dog"], [(0.0, 0.0, 0.5, 0.5), (0.5, 0.5, 1.0, 1.0)])
    words = "a green apple left of a dog".split()
    cells = [(3, 3), (0, 0), (3, 3), (0, 3), (0, 3), (0, 3), (2, 2)]  # "apple" looks away
    scores = pointing_scores([(words, maps(*cells), objects), (["a", "cat"], maps((0, 0), (0, 0)), objects)])
    assert scores["pointing"] == pytest.approx(100 * 2 / 3)
    # "green apple" looks at (0, 0) and (3, 3) alike, and the first of equals counts; then (2, 2).
    assert scores["movement"] == pytest.approx(np.sqrt(8))


def test_without_known_things_movement_is_per_word_and_pointing_is_absent():
    scores = pointing_scores([("a dog runs".split(), maps((0, 0), (0, 3), (0, 3)), None)])
    assert scores == {"movement": 1.5}
    assert pointing_scores([]) == {}
