"""Scores of classifiers against counts by hand, and intervals that hold what they say."""

import numpy as np
import pytest

from attention_zoo.pipelines.engine.scores.classification import classification_scores
from attention_zoo.pipelines.engine.scores.intervals import mean_interval


def test_scores_agree_with_counts_by_hand():
    truths, answers = [0, 0, 0, 1, 1, 2], [0, 0, 1, 1, 1, 0]
    # F1 = 2 tp / (2 tp + fp + fn): class 0 has tp 2, fp 1, fn 1; class 1 has tp 2, fp 1, fn 0; class 2 has tp 0
    expected = {"accuracy": 100 * 4 / 6, "macro_f1": 100 * (4 / 6 + 4 / 5 + 0) / 3}
    assert classification_scores(truths, answers) == pytest.approx(expected)


def test_a_class_that_only_answers_have_is_no_part_of_the_mean():
    assert classification_scores(["a", "a"], ["a", "b"])["macro_f1"] == pytest.approx(100 * 2 / 3)


def test_scores_of_nothing_are_refused():
    for truths, answers in (([], []), ([1], [1, 2])):
        with pytest.raises(ValueError, match="as many answers as truths"):
            classification_scores(truths, answers)


def test_an_interval_holds_the_mean_in_about_19_of_20_samples():
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(60):
        low, high = mean_interval(rng.normal(3.0, size=80))
        held += low < 3.0 < high
    assert 52 <= held <= 60


def test_differences_of_pairs_have_a_narrower_interval_than_each_side():
    rng = np.random.default_rng(1)
    easy = rng.normal(size=200)
    first, second = easy + 0.1 * rng.normal(size=200), easy
    (low, high), (alone_low, alone_high) = mean_interval(first - second), mean_interval(first)
    assert high - low < 0.3 * (alone_high - alone_low)
    assert all(np.isnan(mean_interval([])))
