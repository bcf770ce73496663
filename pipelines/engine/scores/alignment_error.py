"""The alignment error rate: how far an alignment of words differs from alignments that people made.

A link is a pair (source token, target token). People mark sure links (S) and possible links (P, which includes S). See
Och & Ney 2003, "A Systematic Comparison of Various Statistical Alignment Models", section 5.
"""

import re
from collections.abc import Sequence, Set
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from attention_zoo.pipelines.engine.errors import UserError

Link = tuple[int, int]  # source token, target token
Span = tuple[int, int]  # start, end (not included), in characters


@dataclass
class ErrorCounts:
    """Sums over a corpus: the rates are those of all links together, not means over sentences.

    Example:

    >>> counts = ErrorCounts()
    >>> counts.add({(0, 0), (1, 1), (2, 0)}, sure={(0, 0)}, possible={(0, 0), (1, 1)})
    >>> counts.error_rate(), round(counts.precision(), 3), counts.recall()
    (0.25, 0.667, 1.0)
    """

    predicted: int = 0
    sure: int = 0
    predicted_sure: int = 0
    predicted_possible: int = 0

    def add(self, predicted: Set[Link], sure: Set[Link], possible: Set[Link]) -> None:
        """Adds the links of a sentence. Sure links count as possible too."""
        predicted, sure = set(predicted), set(sure)
        self.predicted += len(predicted)
        self.sure += len(sure)
        self.predicted_sure += len(predicted & sure)
        self.predicted_possible += len(predicted & (set(possible) | sure))

    def error_rate(self) -> float:
        """Returns AER = 1 - (|A∩S| + |A∩P|) / (|A| + |S|); 0 if there are neither predicted nor sure links."""
        links = self.predicted + self.sure
        return 1 - (self.predicted_sure + self.predicted_possible) / links if links else 0.0

    def precision(self) -> float:
        """Returns the share of the predicted links that are possible; 0 if there are none."""
        return self.predicted_possible / self.predicted if self.predicted else 0.0

    def recall(self) -> float:
        """Returns the share of the sure links that were predicted; 0 if there are none."""
        return self.predicted_sure / self.sure if self.sure else 0.0


def alignment_error_rate(
    predicted: Sequence[Set[Link]], sure: Sequence[Set[Link]], possible: Sequence[Set[Link]]
) -> float:
    """Returns the alignment error rate of a corpus.

    Args:
        predicted: A set of links for each sentence.
        sure: The sure links of each.
        possible: The possible links of each. Sure links count as possible even if they are not listed here.

    Returns:
        A number from 0, for a perfect alignment, to 1.

    Raises:
        UserError: The three have different numbers of sentences.

    Example:

    >>> alignment_error_rate([{(0, 0), (1, 2)}], sure=[{(0, 0), (1, 1)}], possible=[{(0, 0), (1, 1), (1, 2)}])
    0.25
    """
    if not len(predicted) == len(sure) == len(possible):
        raise UserError(
            f"predicted: expected as many sentences as sure and possible, {len(sure)} and {len(possible)}; "
            f"received {len(predicted)}"
        )
    counts = ErrorCounts()
    for sentence in zip(predicted, sure, possible):
        counts.add(*sentence)
    return counts.error_rate()


def parse_pharaoh(line: str) -> tuple[set[Link], set[Link]]:
    """Reads a line of Pharaoh's format: "0-0 1-2 2?3", source before target, counted from 0; `?` or `p` marks possible.

    Returns:
        Two sets of (source, target): sure, and possible (the sure ones among them).

    Raises:
        UserError: A word of the line is not a link.

    Example:

    >>> sure, possible = parse_pharaoh("0-0 2p1")
    >>> sorted(sure), sorted(possible)
    ([(0, 0)], [(0, 0), (2, 1)])
    """
    sure, possible = set(), set()
    for word in line.split():
        match = re.fullmatch(r"([0-9]+)([-?p])([0-9]+)", word)
        if not match:
            raise UserError(f"expected links such as 0-0 or 2?3, received {word!r}")
        link = (int(match[1]), int(match[3]))
        possible.add(link)
        if match[2] == "-":
            sure.add(link)
    return sure, possible


def read_pharaoh(path: str | Path) -> list[tuple[set[Link], set[Link]]]:
    """Returns (sure, possible) of every line of a file; an empty line is a sentence without links.

    Raises:
        UserError: The file cannot be read, or a line is not valid; the message names it.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"expected a file of links such as 0-0 or 2?3, received {path}: {error}") from None
    sentences = []
    for number, line in enumerate(text.split("\n"), start=1):
        try:
            sentences.append(parse_pharaoh(line))
        except UserError as error:
            raise UserError(f"{path}, line {number}: {error}") from None
    return sentences[:-1] if sentences[-1] == (set(), set()) else sentences  # the last line ends in a line feed


def links_from_spans(
    spans: Sequence[Sequence[int]], source_token_offsets: Sequence[Span], target_token_offsets: Sequence[Span]
) -> tuple[set[Link], set[Link]]:
    """Turns pairs of aligned spans of text into links between tokens.

    All pairs of tokens inside a matching pair of spans are possible. If it holds one token on each side, that link is
    sure. A token belongs to the innermost spans that it overlaps: "3" in "in 3 hours" is linked only with its "3".

    Args:
        spans: A list of (source start, source end, target start, target end), in characters, ends not included.
        source_token_offsets: (start, end) of each source token. An empty token belongs to no span.
        target_token_offsets: The same for the target.

    Returns:
        Two sets of (source, target): sure, and possible (the sure ones among them).

    Example: "3 hours" and "3 heures" with a token for each number and two for each word.

    >>> spans = [(0, 1, 0, 1), (2, 7, 2, 8)]
    >>> sure, possible = links_from_spans(spans, [(0, 1), (2, 6), (6, 7)], [(0, 1), (2, 7), (7, 8)])
    >>> sorted(sure), sorted(possible)
    ([(0, 0)], [(0, 0), (1, 1), (1, 2), (2, 1), (2, 2)])
    """
    source_spans = [(int(start), int(end)) for start, end, _, _ in spans]
    target_spans = [(int(start), int(end)) for _, _, start, end in spans]
    source = [innermost(offsets, source_spans) for offsets in source_token_offsets]
    target = [innermost(offsets, target_spans) for offsets in target_token_offsets]
    sure, possible = set(), set()
    for pair in range(len(spans)):
        links = {
            (s, t)
            for s, inside in enumerate(source)
            if pair in inside
            for t, within in enumerate(target)
            if pair in within
        }
        possible |= links
        if len(links) == 1:
            sure |= links
    return sure, possible


def innermost(token: Span, spans: Sequence[Span]) -> set[int]:
    """Returns the numbers of the spans that a token overlaps, without those that enclose another of them."""
    start, end = token
    covering = [number for number, (first, last) in enumerate(spans) if max(start, first) < min(end, last)]

    def encloses(outer: Span, inner: Span) -> bool:
        return outer != inner and outer[0] <= inner[0] and inner[1] <= outer[1]

    return {number for number in covering if not any(encloses(spans[number], spans[other]) for other in covering)}


def links_from_weights(weights: np.ndarray | Sequence[Sequence[float]]) -> set[Link]:
    """Links every target token with the source token that it attends to most.

    Args:
        weights: Array `(T, S)`.

    Returns:
        A set of (source, target), which is empty if there is no source.

    Example:

    >>> sorted(links_from_weights([[0.1, 0.9], [0.8, 0.2]]))
    [(0, 1), (1, 0)]
    """
    return {(max(range(len(row)), key=row.__getitem__), target) for target, row in enumerate(weights) if len(row)}


def word_links(
    links: Set[Link],
    source_text: str,
    target_text: str,
    source_token_offsets: Sequence[Span],
    target_token_offsets: Sequence[Span],
) -> set[Link]:
    """Turns links between tokens into links between the words that they belong to, since people link words.

    Args:
        links: A set of (source token, target token). A token outside words, such as the end of the sentence, is
            ignored.
        source_text: The source; its words stand between spaces.
        target_text: The target.
        source_token_offsets: (start, end) of each source token, in characters.
        target_token_offsets: The same for the target.

    Returns:
        A set of (source word, target word): the pairs of words with at least one linked pair of tokens.

    Example: "un" "relat" "ed" and "sans" "rapport".

    >>> links, offsets = {(0, 0), (1, 1), (2, 0)}, ([(0, 2), (2, 7), (7, 9)], [(0, 4), (5, 12)])
    >>> sorted(word_links(links, "unrelated", "sans rapport", *offsets))
    [(0, 0), (0, 1)]
    """
    source, target = (
        words_of_tokens(source_text, source_token_offsets),
        words_of_tokens(target_text, target_token_offsets),
    )
    return {
        (source_word, target_word)
        for source_token, target_token in links
        if source_token < len(source) and target_token < len(target)
        for source_word in source[source_token]
        for target_word in target[target_token]
    }


def token_links(
    links: Set[Link],
    source_text: str,
    target_text: str,
    source_token_offsets: Sequence[Span],
    target_token_offsets: Sequence[Span],
) -> set[Link]:
    """Turns links between words into links between the tokens of these words, the reverse of `word_links`.

    Args:
        links: A set of (source word, target word).
        source_text: The source; its words stand between spaces.
        target_text: The target.
        source_token_offsets: (start, end) of each source token, in characters.
        target_token_offsets: The same for the target.

    Returns:
        A set of (source token, target token).

    Example:

    >>> sorted(token_links({(0, 1)}, "unrelated", "sans rapport", [(0, 2), (2, 9)], [(0, 4), (5, 12)]))
    [(0, 1), (1, 1)]
    """
    source, target = (
        words_of_tokens(source_text, source_token_offsets),
        words_of_tokens(target_text, target_token_offsets),
    )
    return {
        (source_token, target_token)
        for source_token, source_words in enumerate(source)
        for target_token, target_words in enumerate(target)
        if any((first, second) in links for first in source_words for second in target_words)
    }


def words_of_tokens(text: str, offsets: Sequence[Span]) -> list[list[int]]:
    """Returns for each token the numbers of the words, which stand between spaces, that it is a part of."""
    words = [match.span() for match in re.finditer(r"\S+", text)]
    return [
        [number for number, (first, last) in enumerate(words) if max(start, first) < min(end, last)]
        for start, end in offsets
    ]
