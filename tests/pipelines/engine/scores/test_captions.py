"""Caption scores, against what the scorer of the COCO captions (pycocoevalcap 1.2) gives for the same sentences."""

import math

import pytest

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.scores.captions import caption_scores, cider_d, rouge_l

CAPTIONS = [
    "a dog left of a key",
    "a red heart above a bus",
    "two birds sit on a wire",
    "a man rides a horse on the beach",
    "a a a dog",
]
REFERENCES = [
    ["a dog left of a key", "a key right of a dog"],
    ["a red heart below a bus", "a bus above a red heart", "a bus"],
    ["two birds sitting on a power line", "birds on a wire", "a pair of birds on a wire"],
    ["a man riding a horse on a beach", "a person rides a brown horse along the shore"],
    ["a dog runs"],
]
PUBLISHED = {
    "cider": [6.44984058, 3.67372446, 2.70224684, 2.40847018, 1.55381095],
    "rouge_l": [1.0, 0.92424242, 0.82993197, 0.75, 0.58653846],
    "bleu": [0.9, 0.7823042885695566, 0.5983286821058837, 0.45494863412748326],
}


def test_the_scores_are_those_of_the_coco_scorer():
    scores = caption_scores(CAPTIONS, REFERENCES)
    assert [scores[f"bleu{n}"] for n in (1, 2, 3, 4)] == pytest.approx(
        [100 * value for value in PUBLISHED["bleu"]], abs=1e-4
    )
    assert scores["cider"] == pytest.approx(100 * sum(PUBLISHED["cider"]) / 5, abs=1e-4)
    assert scores["rouge_l"] == pytest.approx(100 * sum(PUBLISHED["rouge_l"]) / 5, abs=1e-4)
    assert scores["exact_match"] == 20.0


def test_each_caption_scores_as_the_coco_scorer_says():
    said, right = [c.split() for c in CAPTIONS], [[r.split() for r in several] for several in REFERENCES]
    assert cider_d(said, right) == pytest.approx(PUBLISHED["cider"])
    assert [rouge_l(words, several) for words, several in zip(said, right)] == pytest.approx(PUBLISHED["rouge_l"])


def test_cider_d_by_hand():
    # Two images; "a" is in the references of both and weighs nothing. Orders 1 and 2 agree fully, 3 and 4 do not exist.
    assert cider_d([["a", "dog"], ["a", "cat"]], [[["a", "dog"]], [["a", "bus"]]]) == pytest.approx([5.0, 0.0])
    # "dog" twice counts once, and one bigram more costs exp(-1 / 72); cosines by hand: 2/2/1 of order 1.
    weight = math.log(2)
    cosine_1 = weight * weight / (2 * weight * weight)
    assert cider_d([["dog", "dog"], ["cat"]], [[["dog"]], [["bus"]]])[0] == pytest.approx(
        10 * cosine_1 / 4 * math.exp(-1 / 72)
    )


def test_any_reference_makes_an_exact_match_and_case_does_not_matter():
    assert caption_scores(["A dog, a cat."], [["a bus", "a dog, a cat"]])["exact_match"] == 100.0


def test_an_empty_caption_scores_nothing():
    scores = caption_scores(["", "a dog"], [["a bus"], ["a cat and a dog"]])
    assert scores["exact_match"] == 0 and all(math.isfinite(value) for value in scores.values())


@pytest.mark.parametrize("captions, references", [([], []), (["a"], []), (["a", "b"], [["a"], []])])
def test_a_caption_without_reference_is_refused(captions, references):
    with pytest.raises(UserError, match="expected one or more references"):
        caption_scores(captions, references)
