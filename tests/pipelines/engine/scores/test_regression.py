"""Correlations against NumPy's and hand-made ranks, and intervals of their differences."""

import numpy as np
import pytest

from attention_zoo.pipelines.engine.scores.intervals import bootstrap_interval, mean_interval
from attention_zoo.pipelines.engine.scores.regression import correlation_line, pearson, regression_scores


def test_correlations_agree_with_numpy():
    truths, answers = np.array([1.0, 2.0, 2.0, 5.0, 4.0]), np.array([0.5, 3.0, 1.0, 2.0, 9.0])
    ranks = np.array([1, 2.5, 2.5, 5, 4]), np.array([1, 4, 2, 3, 5])  # equal truths share the mean of their places
    scores = regression_scores(truths, answers)
    assert scores["pearson"] == pytest.approx(100 * np.corrcoef(truths, answers)[0, 1])
    assert scores["spearman"] == pytest.approx(100 * np.corrcoef(*ranks)[0, 1])


def test_the_unit_of_the_answers_does_not_matter():
    truths, answers = np.random.default_rng(0).normal(size=(2, 50))
    assert regression_scores(truths, 7 * answers - 3) == pytest.approx(regression_scores(truths, answers))


def test_answers_that_are_all_the_same_have_no_correlation():
    assert regression_scores([1.0, 2.0, 3.0], [2.0, 2.0, 2.0]) == {"pearson": 0.0, "spearman": 0.0}


@pytest.mark.parametrize("truths, answers", [([], []), ([1.0, 1.0], [1.0, 2.0]), ([1.0, 2.0], [1.0])])
def test_truths_without_a_correlation_are_refused(truths, answers):
    with pytest.raises(ValueError, match="at least two different truths, and as many answers"):
        regression_scores(truths, answers)


def test_the_interval_of_a_difference_is_paired():
    rng = np.random.default_rng(1)
    truths = rng.normal(size=200)
    first = truths + rng.normal(size=200)
    second = first + 0.05 * rng.normal(size=200)

    def gap(truths, first, second):
        return pearson(truths, first) - pearson(truths, second)

    low, high = bootstrap_interval(gap, truths, first, second)
    alone_low, alone_high = bootstrap_interval(pearson, truths, first)
    assert low < gap(truths, first, second) < high and high - low < 0.3 * (alone_high - alone_low)


def test_a_mean_has_the_interval_of_its_bootstrap():
    values = np.random.default_rng(2).normal(size=30)
    assert mean_interval(values, seed=3) == bootstrap_interval(np.mean, values, seed=3)


def test_a_baseline_is_compared_on_the_same_texts():
    truths = np.arange(30.0)
    line = correlation_line("tfidf", truths, truths, np.where(truths % 2, truths, -truths))
    assert line.startswith("tfidf: Pearson ") and "; this run is +" in line and "(95% interval +" in line
