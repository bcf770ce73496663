"""Scores of answers that are parts of texts: exact match and F1, as SQuAD's own script computes them
(Rajpurkar et al. 2016, section 6.1).
"""

import re
import string
from collections import Counter
from collections.abc import Sequence

import numpy as np

from attention_zoo.pipelines.engine.scores.intervals import gap_line, mean_interval

ARTICLES = re.compile(r"\b(a|an|the)\b")
PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalized(answer: str) -> str:
    """Returns an answer in lower case, without ASCII punctuation and English articles, with single spaces.

    Example:

    >>> normalized("The  U.S. Army")
    'us army'
    """
    return " ".join(ARTICLES.sub(" ", answer.lower().translate(PUNCTUATION)).split())


def token_f1(truth: str, answer: str) -> float:
    """Returns the F1 of the words of an answer, from 0 to 1.

    Example:

    >>> round(token_f1("Denver Broncos", "the Broncos team"), 2)
    0.5
    """
    words, right = normalized(answer).split(), normalized(truth).split()
    shared = sum((Counter(words) & Counter(right)).values())
    return 2 * shared / (len(words) + len(right)) if shared else 0.0


def overlaps(truths: Sequence[Sequence[str]], answers: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Returns exact match and F1 of each answer, floats `(N,)` from 0 to 100, to the nearest of its truths.

    Args:
        truths: The right answers to each of N questions, at least one.
        answers: The N answers.

    Raises:
        ValueError: There are no answers, or not as many as truths.
    """
    if not answers or len(truths) != len(answers):
        raise ValueError(f"expected as many answers as truths, at least one; received {len(answers)} and {len(truths)}")
    pairs = list(zip(truths, answers))
    exact = [max(normalized(truth) == normalized(answer) for truth in right) for right, answer in pairs]
    f1 = [max(token_f1(truth, answer) for truth in right) for right, answer in pairs]
    return 100.0 * np.array(exact), 100.0 * np.array(f1)


def overlap_scores(truths: Sequence[Sequence[str]], answers: Sequence[str]) -> dict[str, float]:
    """Returns the means of `overlaps` in percent: "exact_match" and "f1".

    Example:

    >>> overlap_scores([["Denver Broncos", "Broncos"], ["in 1994"]], ["the Broncos", "1994"])
    {'exact_match': 50.0, 'f1': 83.33...}
    """
    exact, f1 = overlaps(truths, answers)
    return {"exact_match": float(exact.mean()), "f1": float(f1.mean())}


def overlap_line(name: str, truths: Sequence[Sequence[str]], answers: Sequence[str], others: Sequence[str]) -> str:
    """Returns the line that compares the answers of a run with those of a baseline, by F1.

    Example:

    >>> overlap_line("window", [["a cat"], ["a dog"]], ["cat", "dog"], ["cat", "dog"])
    'window: F1 100.0; this run is +0.0 points from it (95% interval +0.0 to +0.0)'
    """
    theirs = overlaps(truths, others)[1]
    gaps = overlaps(truths, answers)[1] - theirs
    return f"{name}: F1 {theirs.mean():.1f}; {gap_line(gaps.mean(), mean_interval(gaps))}"
