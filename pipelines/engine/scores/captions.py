"""Scores captions against several references each: BLEU-1 to 4, CIDEr-D, ROUGE-L, exact match.

All compare lower-case words, as `split_words` splits them. BLEU, ROUGE-L and exact match go from 0 to 100, CIDEr-D
from 0 to 1000. The test compares CIDEr-D and ROUGE-L with the scorer of the COCO captions.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from sacrebleu.metrics import BLEU

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.text.words import split_words

ORDERS = (1, 2, 3, 4)  # words of an n-gram
SIGMA = 6.0  # CIDEr-D: how much a difference in length costs
BETA = 1.2  # ROUGE-L: how much more recall counts than precision


def caption_scores(captions: Sequence[str], references: Sequence[Sequence[str]]) -> dict[str, float]:
    """Scores a corpus of captions.

    Args:
        captions: The answers, as plain text.
        references: For each a list of right answers, which is not empty. The lists may differ in length.

    Returns:
        A dict: "bleu1" to "bleu4" (Papineni et al. 2002, of the corpus, as sacreBLEU counts them), "cider" (CIDEr-D,
        Vedantam et al. 2015, times 100 as papers print it), "rouge_l" (Lin 2004), and "exact_match", the share of
        captions that equal one of their references.

    Raises:
        UserError: There is nothing to score, or a caption has no reference.

    Example:

    >>> references = [["a dog left of a key", "a dog above a key"], ["a bus"]]
    >>> scores = caption_scores(["a dog left of a key", "a cat"], references)
    >>> {name: round(value, 1) for name, value in scores.items() if name in ("bleu1", "exact_match")}
    {'bleu1': 87.5, 'exact_match': 50.0}
    """
    if not captions or len(captions) != len(references) or not all(references):
        raise UserError(
            f"captions: expected one or more references for each of them, received {len(captions)} captions "
            f"and references for {sum(map(bool, references))}"
        )
    candidates = [split_words(caption) for caption in captions]
    right = [[split_words(reference) for reference in several] for several in references]
    most = max(map(len, right))
    # sacreBLEU wants the first references of all captions, then the second ones, and None where there are no more.
    streams = [[" ".join(several[n]) if n < len(several) else None for several in right] for n in range(most)]
    scores = {}
    for order in ORDERS:
        bleu = BLEU(max_ngram_order=order, tokenize="none", force=True)
        hypotheses = [" ".join(words) for words in candidates]
        scores[f"bleu{order}"] = bleu.corpus_score(hypotheses, streams).score  # pyright: ignore[reportArgumentType]
    scores["cider"] = 100 * _mean(cider_d(candidates, right))
    scores["rouge_l"] = 100 * _mean(rouge_l(words, several) for words, several in zip(candidates, right))
    scores["exact_match"] = 100 * _mean(words in several for words, several in zip(candidates, right))
    return scores


def scores_by_count(
    captions: Sequence[str], references: Sequence[Sequence[str]], counts: Sequence[int]
) -> dict[int, dict[str, float]]:
    """Scores the captions of images with the same number of things, for each number.

    Args:
        captions: The answers, as plain text.
        references: For each a list of right answers.
        counts: For each the number of things in the image.

    Returns:
        A dict of each count, ascending, to a dict: "images", the number of images, and the `caption_scores`.

    Example:

    >>> scores = scores_by_count(["a dog", "a cat"], [["a dog"], ["a bus"]], [1, 2])
    >>> [(count, part["images"], part["exact_match"]) for count, part in scores.items()]
    [(1, 1, 100.0), (2, 1, 0.0)]
    """
    scores = {}
    for count in sorted(set(counts)):
        rows = [row for row, number in enumerate(counts) if number == count]
        part = caption_scores([captions[row] for row in rows], [references[row] for row in rows])
        scores[count] = {"images": len(rows), **part}
    return scores


def cider_d(captions: Sequence[Sequence[str]], references: Sequence[Sequence[Sequence[str]]]) -> list[float]:
    """Returns the CIDEr-D of each caption.

    For n-grams of each order it takes the cosine between caption and reference. N-grams that few images have in a
    reference weigh more, and counts are clipped to those of the reference. The cosine is multiplied by a Gaussian of
    the difference in length. CIDEr-D is the mean over references and orders, times 10 (Vedantam et al. 2015, "CIDEr:
    Consensus-based Image Description Evaluation", sections 3 and 5).

    Args:
        captions: Lists of words.
        references: For each a list of lists of words.

    Returns:
        A list of floats, from 0 to 10.
    """
    frequency = Counter(gram for several in references for gram in {g for words in several for g in _grams(words)})
    logarithm = math.log(len(references))

    def vector(words: Sequence[str]) -> tuple[dict[tuple[str, ...], float], dict[int, float], int]:
        counts = _grams(words)
        weighted = {gram: count * (logarithm - math.log(max(1, frequency[gram]))) for gram, count in counts.items()}
        norms = {n: math.sqrt(sum(w * w for gram, w in weighted.items() if len(gram) == n)) for n in ORDERS}
        return (
            weighted,
            norms,
            sum(count for gram, count in counts.items() if len(gram) == 2),
        )  # bigrams stand for the length

    def similarity(caption: tuple, reference: tuple) -> float:
        weights, norms, length = caption
        goals, goal_norms, goal_length = reference
        dots: dict[int, float] = dict.fromkeys(ORDERS, 0.0)
        for gram, weight in weights.items():
            goal = goals.get(gram, 0.0)
            dots[len(gram)] += min(weight, goal) * goal
        cosines = [dots[n] / (norms[n] * goal_norms[n]) if norms[n] and goal_norms[n] else dots[n] for n in ORDERS]
        return _mean(cosines) * math.exp(-((length - goal_length) ** 2) / (2 * SIGMA**2))

    return [
        10 * _mean(similarity(vector(words), vector(reference)) for reference in several)
        for words, several in zip(captions, references)
    ]


def rouge_l(words: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """Returns the ROUGE-L of a caption (Lin 2004, section 3).

    It is the F measure of the longest common subsequence, with the best precision and the best recall of any reference.

    Example:

    >>> round(rouge_l("a dog on grass".split(), ["a cat on grass".split()]), 2)
    0.75
    """
    common = [_common_length(words, reference) for reference in references]
    precision = max(common) / len(words) if words else 0.0
    recall = max(length / len(reference) if reference else 0.0 for length, reference in zip(common, references))
    if not precision or not recall:
        return 0.0
    return (1 + BETA**2) * precision * recall / (recall + BETA**2 * precision)


def _common_length(one: Sequence[str], other: Sequence[str]) -> int:
    """Returns the length of the longest common subsequence."""
    row = [0] * (len(other) + 1)
    for word in one:
        before = row
        row = [0]
        for place, match in enumerate(other):
            row.append(before[place] + 1 if word == match else max(before[place + 1], row[-1]))
    return row[-1]


def _grams(words: Sequence[str]) -> Counter[tuple[str, ...]]:
    """Returns the counts of the n-grams of all orders."""
    return Counter(tuple(words[i : i + n]) for n in ORDERS for i in range(len(words) - n + 1))


def _mean(values: Iterable[float]) -> float:
    values = list(values)
    return sum(values) / len(values)
