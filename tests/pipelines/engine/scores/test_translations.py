import math

import numpy as np
import pytest
from sacrebleu.metrics import BLEU

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.scores.translations import (
    bleu_interval,
    equal_text,
    scores_by_length,
    translation_scores,
)


def test_bleu_is_that_of_the_equation():
    # 6 words against 7: precisions 5/6, 2/5, 1/4, and 1/6 after the smoothing of the empty four-gram count (1 / (2 *
    # 3)).
    scores = translation_scores(["the cat sat on a mat"], ["the cat sat quietly on the mat"])
    precisions = [5 / 6, 2 / 5, 1 / 4, 1 / (2 * 3)]
    expected = 100 * math.exp(1 - 7 / 6) * math.prod(precisions) ** 0.25
    assert scores["bleu"] == pytest.approx(expected)


def test_perfect_answers_score_100_and_none_0():
    references = ["il y a trois heures .", "dans quatre longues années ."]
    assert translation_scores(references, references) == pytest.approx({"bleu": 100, "chrf": 100, "exact_match": 100})
    assert translation_scores(["", ""], references) == {"bleu": 0, "chrf": 0, "exact_match": 0}


@pytest.mark.parametrize("language", ["ja", "zh_Hans", "zh-TW", "th"])
def test_languages_without_spaces_are_scored_by_characters(language):
    pair = ["明日の午前三時に東京で"], ["明日の午前四時に東京で"]
    assert translation_scores(*pair)["bleu"] == 0, "one word, and wrong"
    assert 40 < translation_scores(*pair, language)["bleu"] < 100


@pytest.mark.parametrize("language", [None, "ko", "fr_CA", "de"])
def test_other_languages_are_scored_by_words(language):
    assert translation_scores(["3 시간 전"], ["3 시간 후"], language) == translation_scores(
        ["3 시간 전"], ["3 시간 후"]
    )


def test_exact_match_is_a_percentage_after_folding():
    hypotheses = ["1 250,00 €", "ﬁn", "été", "Été"]
    references = ["1\u202f250,00\u00a0€ ", "fin", "e\u0301te\u0301", "été"]
    assert [equal_text(*pair) for pair in zip(hypotheses, references)] == [True, True, True, False]
    assert translation_scores(hypotheses, references)["exact_match"] == 75


def test_a_phrase_corpus_makes_no_noise(caplog):
    translation_scores(["fin ."] * 200, ["fin ."] * 200)
    assert not caplog.records


@pytest.mark.parametrize("hypotheses, references", [([], []), (["a"], []), (["a"], ["a", "b"])])
def test_what_cannot_be_scored_is_refused(hypotheses, references):
    with pytest.raises(UserError, match="hypotheses: expected one for each"):
        translation_scores(hypotheses, references)


def test_buckets_hold_their_edges_and_empty_ones_are_left_out():
    texts = [f"sentence number {length}" for length in (0, 5, 6, 10, 21, 40)]
    buckets = scores_by_length(texts, texts, [0, 5, 6, 10, 21, 40], edges=(5, 10, 20))
    assert [(bucket["from"], bucket["to"], bucket["sentences"]) for bucket in buckets] == [
        (0, 5, 2),
        (6, 10, 2),
        (21, None, 2),
    ]
    assert all(bucket["exact_match"] == 100 for bucket in buckets)


def test_a_bucket_is_scored_on_its_own_sentences():
    hypotheses = ["one two three four", "wrong words are here"]
    references = ["one two three four", "the right ones stand there"]
    short, long = scores_by_length(hypotheses, references, [1, 9], edges=(5,))
    assert short["bleu"] == pytest.approx(100) and long["bleu"] < 5
    assert long["chrf"] == translation_scores(hypotheses[1:], references[1:])["chrf"]


def test_the_bleu_interval_agrees_with_sacrebleus_own(caplog):
    references = [f"the {number} red cats sleep on the {number % 7} mats" for number in range(60)]
    hypotheses = [text if number % 3 else text.replace("red", "blue") for number, text in enumerate(references)]
    score = BLEU(force=True).corpus_score(hypotheses, [references], n_bootstrap=1000)
    low, high = bleu_interval(hypotheses, references)
    assert low < score.score < high and not caplog.records
    np.testing.assert_allclose([low, high], [score._mean - score._ci, score._mean + score._ci], atol=1.0)
    assert bleu_interval(hypotheses, references) == [low, high]
    assert bleu_interval(hypotheses[:9], references[:9]) is None


def test_buckets_have_intervals():
    few, many = scores_by_length(["a b"] * 20, ["a b"] * 20, [1] * 5 + [9] * 15, edges=(5,))
    assert few["bleu_interval"] is None and many["bleu_interval"] == pytest.approx([many["bleu"]] * 2)
    low, high = few["exact_match_interval"]
    assert 56 < low < 57 and high == pytest.approx(100), "Wilson's interval of 5 in 5"


def test_buckets_that_make_no_sense_are_refused():
    with pytest.raises(UserError, match="lengths: expected one for each"):
        scores_by_length(["a"], ["a"], [1, 2], (5,))
    with pytest.raises(UserError, match="edges: expected ascending"):
        scores_by_length(["a"], ["a"], [1], (5, 5))
