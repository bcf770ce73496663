"""Scores translations against references."""

import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np
from sacrebleu.metrics import BLEU, CHRF

from attention_zoo.pipelines.engine.errors import UserError

# Languages without spaces between words, for which BLEU counts characters.
UNSPACED = ("ja", "zh", "yue", "wuu", "th", "lo", "km", "my", "bo", "dz")

RESAMPLES = 1000  # of the bootstrap
FEWEST_RESAMPLED = 10  # sentences: the resamples of fewer hardly differ, and the interval would be too narrow


def translation_scores(
    hypotheses: Sequence[str], references: Sequence[str], language: str | None = None
) -> dict[str, float]:
    """Scores a corpus of answers.

    Args:
        hypotheses: Answers, as plain text.
        references: The right answer to each.
        language: Their language, such as "ja" or "pt_BR", which decides how BLEU splits words. Defaults to `None`,
            sacreBLEU's own way, 13a.

    Returns:
        A dict: "bleu" (Papineni et al. 2002) and "chrf" (chrF2, Popović 2015) of the corpus as sacreBLEU counts them
        (Post 2018), "exact_match" (share of answers equal to their reference after NFKC and white-space folding). All
        0 to 100.

    Raises:
        UserError: There is nothing to score, or not one reference for each answer.

    Example:

    >>> scores = translation_scores(["il y a 3 heures .", "demain"], ["il y a 3 heures .", "hier"])
    >>> {name: round(value, 1) for name, value in scores.items()}
    {'bleu': 96.2, 'chrf': 88.2, 'exact_match': 50.0}
    """
    if not hypotheses or len(hypotheses) != len(references):
        raise UserError(
            f"hypotheses: expected one for each of {len(references)} references, received {len(hypotheses)}"
        )
    hypotheses, references = list(hypotheses), list(references)
    exact = sum(map(equal_text, hypotheses, references))
    return {
        "bleu": bleu_of(language).corpus_score(hypotheses, [references]).score,
        "chrf": CHRF().corpus_score(hypotheses, [references]).score,
        "exact_match": 100 * exact / len(hypotheses),
    }


def scores_by_length(
    hypotheses: Sequence[str],
    references: Sequence[str],
    lengths: Sequence[int],
    edges: Sequence[int],
    language: str | None = None,
) -> list[dict[str, Any]]:
    """Scores sentences in buckets by length (Bahdanau et al. 2015, figure 2).

    Args:
        hypotheses: Answers, as plain text.
        references: The right answer to each.
        lengths: The lengths that choose the buckets, such as words of the source.
        edges: Largest lengths of the buckets, ascending. A last bucket takes longer sentences.
        language: See `translation_scores`. Defaults to `None`.

    Returns:
        A list of dicts for the buckets that are not empty: "from" and "to" (both inside; `None` for no end),
        "sentences", the scores, and their 95% intervals: "bleu_interval" as `bleu_interval` returns it, and
        "exact_match_interval" (Wilson 1927), both `[low, high]`.

    Raises:
        UserError: The numbers of answers, references and lengths differ, or the edges do not ascend.

    Example:

    >>> buckets = scores_by_length(["a b c d", "e"], ["a b c d", "f"], [4, 1], edges=(3, 6))
    >>> [(bucket["from"], bucket["to"], bucket["sentences"], bucket["exact_match"]) for bucket in buckets]
    [(0, 3, 1, 0.0), (4, 6, 1, 100.0)]
    """
    from scipy.stats import binomtest  # takes a second to import

    if not len(hypotheses) == len(references) == len(lengths):
        raise UserError(
            f"lengths: expected one for each of {len(hypotheses)} hypotheses and {len(references)} references, "
            f"received {len(lengths)}"
        )
    if list(edges) != sorted(set(edges)):
        raise UserError(f"edges: expected ascending lengths, received {edges}")
    buckets, start = [], 0
    for end in (*edges, None):
        rows = [row for row, length in enumerate(lengths) if length >= start and (end is None or length <= end)]
        if rows:
            answers, truths = [hypotheses[row] for row in rows], [references[row] for row in rows]
            exact = binomtest(sum(map(equal_text, answers, truths)), len(rows)).proportion_ci(method="wilson")
            intervals = {
                "bleu_interval": bleu_interval(answers, truths, language),
                "exact_match_interval": [100 * exact.low, 100 * exact.high],
            }
            scores = translation_scores(answers, truths, language)
            buckets.append({"from": start, "to": end, "sentences": len(rows), **scores, **intervals})
        start = (end or 0) + 1
    return buckets


def bleu_interval(
    hypotheses: Sequence[str], references: Sequence[str], language: str | None = None
) -> list[float] | None:
    """Returns the 95% bootstrap interval `[low, high]` of the BLEU of a corpus (Koehn 2004), the same in every call.

    Args:
        hypotheses: Answers, as plain text.
        references: The right answer to each.
        language: See `translation_scores`. Defaults to `None`.

    Returns:
        The interval; `None` for fewer than 10 sentences, too few to resample.

    Example:

    >>> low, high = bleu_interval(["a b c d e"] * 10 + ["x"] * 10, ["a b c d e"] * 20)
    >>> low < high
    True
    """
    if len(hypotheses) < FEWEST_RESAMPLED:
        return None
    bleu = bleu_of(language, effective_order=True)  # of a sentence; it leaves the counts as they are
    sentences = [bleu.sentence_score(one, [other]) for one, other in zip(hypotheses, references)]
    counts = np.array([[*one.counts, *one.totals, one.sys_len, one.ref_len] for one in sentences])  # (N, 2 n-grams + 2)
    count = len(counts)
    drawn = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), size=RESAMPLES)  # (resamples, N)
    scores = []
    for sums in (drawn @ counts).tolist():
        right, total = sums[: len(sums) // 2 - 1], sums[len(sums) // 2 - 1 : -2]
        scores.append(BLEU.compute_bleu(right, total, *sums[-2:], smooth_method="exp").score)
    return np.percentile(scores, [2.5, 97.5]).tolist()


def bleu_of(language: str | None, effective_order: bool = False) -> BLEU:
    """Returns the `BLEU` of a language."""
    # `force` only silences sacreBLEU's guess that the text has been tokenised, which short phrases set off.
    return BLEU(tokenize="char" if unspaced(language) else "13a", force=True, effective_order=effective_order)


def equal_text(one: str, other: str) -> bool:
    """Returns whether two texts are the same to a reader. CLDR writes U+00A0 and U+202F, and a keyboard writes a space.

    Example:

    >>> equal_text("1\\u202f250 €", " 1 250  € ")
    True
    """
    return fold(one) == fold(other)


def fold(text: str) -> str:
    """Returns the text in NFKC, with each run of white space as one space, and none at its ends."""
    return " ".join(unicodedata.normalize("NFKC", text).split())


def unspaced(language: str | None) -> bool:
    """Returns whether a language, such as "zh_Hans" or "pt-BR", is written without spaces between words."""
    return (language or "").replace("-", "_").lower().split("_")[0] in UNSPACED
