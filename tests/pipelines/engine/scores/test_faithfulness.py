"""Scores of explanations on a model whose answer is a sum over the parts, so that every order can be enumerated."""

import itertools

import numpy as np
import pytest

from attention_zoo.pipelines.engine.scores.faithfulness import (
    curves,
    kept_parts,
    over_perturbation,
    paired,
    rank_correlations,
    under_insertion,
)

WEIGHTS = np.array([[0.1, 0.4, 0.2, 0.3]])
ALL = np.ones((1, 4), bool)
QUARTERS = (0, 0.25, 0.5, 0.75, 1)


def summed(kept):
    return (kept * WEIGHTS).sum(axis=1)


def test_no_order_is_more_faithful_than_that_of_the_parts_weights():
    orders = [np.array([order], float) for order in itertools.permutations(range(4))]
    deleted = [over_perturbation(curves(summed, order, ALL, QUARTERS))[0] for order in orders]
    inserted = [under_insertion(curves(summed, order, ALL, QUARTERS, insertion=True))[0] for order in orders]
    # Of 1 are left .6, .3, .1 and 0 in the best order: the mean of 0, .4, .7, .9 and 1 is .6.
    best = over_perturbation(curves(summed, WEIGHTS, ALL, QUARTERS))[0]
    assert best == pytest.approx(60) == max(deleted)
    assert under_insertion(curves(summed, WEIGHTS, ALL, QUARTERS, insertion=True))[0] == pytest.approx(60)
    assert max(inserted) == pytest.approx(60) and min(inserted) == pytest.approx(40) == min(deleted)
    assert np.mean(deleted) == pytest.approx(50) == np.mean(inserted)  # what a random order gives on average


def test_parts_that_are_padding_are_never_kept_and_shares_are_of_the_others():
    mask = np.array([[True, True, True, True], [True, False, True, False]])
    attributions = np.array([[4.0, 3.0, 2.0, 1.0], [1.0, 9.0, 2.0, 9.0]])
    kept = kept_parts(attributions, mask, (0, 0.5, 1))
    np.testing.assert_array_equal(kept[:, 0], [[1, 1, 1, 1], [0, 0, 1, 1], [0, 0, 0, 0]])
    np.testing.assert_array_equal(kept[:, 1], [[1, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 0]])
    np.testing.assert_array_equal(kept_parts(attributions, mask, (0.5,), insertion=True)[0, 1], [0, 0, 1, 0])


def test_a_gap_is_that_of_pairs_with_its_interval():
    rng = np.random.default_rng(0)
    hard = rng.normal(50, 30, size=400)  # examples differ far more than the two explanations do
    found = paired(hard + rng.normal(2, 1, size=400), hard)
    assert found["low"] < 2 < found["high"] and found["high"] - found["low"] < 0.3
    assert found["low"] < found["gap"] < found["high"]


def test_rank_correlations_are_those_of_the_formula_without_ties():
    rng = np.random.default_rng(1)
    first, second, mask = rng.normal(size=(3, 6)), rng.normal(size=(3, 6)), np.ones((3, 6), bool)
    mask[1, 4:] = False
    expected = []
    for row in range(3):
        ranks = [np.argsort(np.argsort(values[row][mask[row]])) for values in (first, second)]
        count = mask[row].sum()
        expected.append(1 - 6 * ((ranks[0] - ranks[1]) ** 2).sum() / (count * (count**2 - 1)))
    np.testing.assert_allclose(rank_correlations(first, second, mask), expected)
    assert np.isnan(rank_correlations(np.ones((1, 3)), np.arange(3.0)[None], np.ones((1, 3), bool)))[0]
