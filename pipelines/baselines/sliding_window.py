"""Answers to questions by the words that they share with the text, without any learning: the sliding window of
Richardson et al. 2013, section 5.1, which Rajpurkar et al. 2016, section 5.1, apply to SQuAD.

The candidates are those of the sentence that shares the most words and pairs of words with the question. SQuAD's paper
takes them from a parser; here they are runs of words that are neither in the question nor stop words.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from math import log1p

WORD = re.compile(r"\w+")
SENTENCE = re.compile(r"(?<=[.!?])\s+")
APART = re.compile(r"[^\s'’&-]")  # between two words, what no candidate goes over


def sliding_window_answer(question: str, context: str) -> str:
    """Returns the part of a text that answers a question, or "" if the text has no words.

    Example:

    >>> sliding_window_answer("Where did Peter fly to?", "Ann lives in Oslo. Peter will fly to Rome.")
    'Rome'
    """
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    asked = words_of(question)
    counts = Counter(words_of(context))
    weights = {word: log1p(1 / count) for word, count in counts.items()}  # the inverse counts of the paper
    sentence = max(SENTENCE.split(context), key=lambda one: shared(asked, words_of(one)))
    words = words_of(sentence)
    best, answer = -1.0, ""
    for text in candidates(sentence, set(asked) | ENGLISH_STOP_WORDS):
        wanted = set(asked) | set(words_of(text))
        found = [weights[word] if word in wanted else 0.0 for word in words]
        score = max(sum(found[start : start + len(wanted)]) for start in range(len(found)))
        if score > best:
            best, answer = score, text
    return answer or (WORD.search(sentence) or [""])[0]


def words_of(text: str) -> list[str]:
    """Returns the words of a text in lower case."""
    return WORD.findall(text.lower())


def shared(asked: Sequence[str], words: Sequence[str]) -> int:
    """Returns how many words and pairs of words of a question a sentence has.

    Example:

    >>> shared(["did", "peter", "fly"], ["peter", "will", "fly"])
    2
    """
    pairs = [set(zip(words, words[1:])) & set(zip(asked, asked[1:]))]
    return len(set(asked) & set(words)) + sum(map(len, pairs))


def candidates(sentence: str, others: set[str]) -> Iterator[str]:
    """Yields the longest runs of words of a sentence that are not among others, as the sentence has them.

    Example:

    >>> list(candidates("Peter Blackburn flew to New York, USA.", {"flew", "to"}))
    ['Peter Blackburn', 'New York', 'USA']
    """
    start = end = None
    for word in WORD.finditer(sentence):
        outside = word[0].lower() in others
        if start is not None and (outside or APART.search(sentence[end : word.start()])):
            yield sentence[start:end]
            start = None
        if not outside:
            start, end = word.start() if start is None else start, word.end()
    if start is not None:
        yield sentence[start:end]
