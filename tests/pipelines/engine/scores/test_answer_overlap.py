"""Exact match and F1 are those of SQuAD's own script."""

import numpy as np
import pytest

from attention_zoo.pipelines.engine.scores.answer_overlap import normalized, overlaps, token_f1


@pytest.mark.parametrize(
    "truth, answer, f1",
    [
        ("The Broncos", "broncos!", 1.0),
        ("a b b", "b b b", 2 * 2 / (2 + 3)),  # a is an article; of three b two are right
        ("New York City", "York", 0.5),
        ("Rome", "Oslo", 0.0),
        ("the", "the", 0.0),  # as in the script: nothing is left to share
        ("Rome", "", 0.0),
    ],
)
def test_f1_counts_shared_words_without_articles(truth, answer, f1):
    assert token_f1(truth, answer) == pytest.approx(f1)


def test_the_nearest_truth_counts():
    exact, f1 = overlaps([["in 1994", "1994"], ["Rome", "Oslo"]], ["1994.", "Rome Italy"])
    assert exact.tolist() == [100, 0] and np.allclose(f1, [100, 200 / 3])


def test_articles_inside_of_words_and_other_scripts_stay():
    assert normalized("Theatre of an Ann") == "theatre of ann" and normalized("東京、 Š") == "東京、 š"


@pytest.mark.parametrize("truths, answers", [([], []), ([["a"]], ["a", "b"])])
def test_other_numbers_of_answers_are_refused(truths, answers):
    with pytest.raises(ValueError, match="expected as many answers as truths"):
        overlaps(truths, answers)
