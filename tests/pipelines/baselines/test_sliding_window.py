"""The sliding window answers by the words that question and text share."""

import pytest

from attention_zoo.pipelines.baselines.sliding_window import candidates, sliding_window_answer

CONTEXT = "Bob stayed in Oslo. Ann, a nurse, flew from New York to Rome in 1994. The cat slept."


@pytest.mark.parametrize(
    "question, answer",
    [("Who slept?", "cat"), ("Where has Bob stayed?", "Oslo")],
)
def test_the_answer_is_near_the_words_of_the_question(question, answer):
    assert answer in sliding_window_answer(question, CONTEXT)


def test_candidates_end_at_punctuation_and_at_other_words():
    assert list(candidates(CONTEXT, {"stayed", "in", "a", "from", "to", "the", "flew"})) == [
        *("Bob", "Oslo", "Ann", "nurse", "New York", "Rome", "1994", "cat slept"),
    ]


@pytest.mark.parametrize("context", ["", "?!", "the", "Who slept?"])
def test_a_text_without_candidates_is_answered(context):
    assert sliding_window_answer("Who slept?", context) in ("", "the", "Who")
