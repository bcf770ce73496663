"""Tags of words and the spans that they stand for, in the schemes BIO1 (IOB1), BIO2 and BILOU (with E and S: IOBES).

A tag is "O", or a prefix, a hyphen and a label, such as "B-PER". A span is `(start, end, label)`, of the words from
`start` to before `end`.
"""

from collections.abc import Iterable, Sequence

Span = tuple[int, int, str]

BEGINS, ENDS = "BUS", "LEUS"  # prefixes of the first and of the last word of an entity, where the scheme has them
PREFIXES = "BILUES"


def parts(tag: str) -> tuple[str, str]:
    """Returns prefix and label of a tag.

    Example:

    >>> parts("B-PER"), parts("O")
    (('B', 'PER'), ('O', ''))
    """
    prefix, _, label = tag.partition("-")
    return prefix, label


def is_tag(text: str) -> bool:
    """Returns whether a text is a tag.

    Example:

    >>> [is_tag(text) for text in ("O", "I-LOC", "B-", "X-LOC", "PER")]
    [True, True, False, False, False]
    """
    prefix, label = parts(text)
    return text == "O" or (len(prefix) == 1 and prefix in PREFIXES and label != "")


def continues(before: str, tag: str) -> bool:
    """Returns whether the word of `tag` is in the same entity as the word before it.

    Example:

    >>> continues("B-PER", "I-PER"), continues("I-PER", "I-LOC"), continues("L-PER", "I-PER")
    (True, False, False)
    """
    (first, label), (prefix, other) = parts(before), parts(tag)
    return tag != "O" and before != "O" and label == other and first not in ENDS and prefix not in BEGINS


def spans_of(tags: Sequence[str]) -> list[Span]:
    """Returns the entities of a sequence of tags in any of the schemes.

    A tag that the scheme does not allow there, such as "I-PER" after "O", begins an entity, as in the scorer of
    CoNLL-2003.

    Example:

    >>> spans_of(["B-PER", "I-PER", "O", "I-LOC", "B-LOC"])
    [(0, 2, 'PER'), (3, 4, 'LOC'), (4, 5, 'LOC')]
    >>> spans_of(["B-PER", "L-PER", "U-LOC", "O"])
    [(0, 2, 'PER'), (2, 3, 'LOC')]
    """
    spans = []
    for place, tag in enumerate(tags):
        if place and continues(tags[place - 1], tag):
            spans[-1] = (spans[-1][0], place + 1, spans[-1][2])
        elif tag != "O":
            spans.append((place, place + 1, parts(tag)[1]))
    return spans


def tags_of(spans: Iterable[Span], length: int, bilou: bool = False) -> list[str]:
    """Returns the tags of `length` words, in BIO2 or in BILOU. Of spans that overlap, the first one counts.

    Example:

    >>> tags_of([(0, 2, "PER"), (3, 4, "LOC")], 4)
    ['B-PER', 'I-PER', 'O', 'B-LOC']
    >>> tags_of([(0, 2, "PER"), (3, 4, "LOC")], 4, bilou=True)
    ['B-PER', 'L-PER', 'O', 'U-LOC']
    """
    tags = ["O"] * length
    for start, end, label in spans:
        if any(tag != "O" for tag in tags[start:end]):
            continue
        tags[start:end] = [f"I-{label}"] * (end - start)
        tags[start] = f"B-{label}"
        if bilou:
            tags[end - 1] = f"U-{label}" if end - start == 1 else f"L-{label}"
    return tags


def names_of(labels: Iterable[str], bilou: bool = False) -> list[str]:
    """Returns all tags of a scheme, "O" first.

    Example:

    >>> names_of(["LOC", "PER"])
    ['O', 'B-LOC', 'I-LOC', 'B-PER', 'I-PER']
    """
    return ["O", *(f"{prefix}-{label}" for label in labels for prefix in ("BILU" if bilou else "BI"))]


def scheme_of(sentences: Iterable[Sequence[str]]) -> str:
    """Recognises the scheme of tagged sentences: "BIO1", "BIO2" or "BILOU".

    In BIO1 an entity begins with I, and with B only where it follows another of the same label.

    Example:

    >>> scheme_of([["I-PER", "I-PER", "O"]]), scheme_of([["B-PER", "I-PER"]]), scheme_of([["U-PER", "O"]])
    ('BIO1', 'BIO2', 'BILOU')
    """
    begins_with_i = needless_b = False
    for tags in sentences:
        for before, tag in zip(["O", *tags], tags):
            prefix, label = parts(tag)
            if prefix in "LUES" and tag != "O":
                return "BILOU"
            begins_with_i |= prefix == "I" and not continues(before, tag)
            needless_b |= prefix == "B" and parts(before)[1] != label
    return "BIO1" if begins_with_i and not needless_b else "BIO2"


def fault_of(tags: Sequence[str], scheme: str) -> tuple[int, str] | None:
    """Finds the first tag that cannot be where it is.

    Args:
        tags: Tags of a sentence.
        scheme: As `scheme_of` returns it.

    Returns:
        The place of the tag and what is wrong, or `None`.

    Example:

    >>> fault_of(["O", "I-PER"], "BIO2"), fault_of(["O", "I-PER"], "BIO1"), fault_of(["B-PER", "O"], "BILOU")
    ((1, 'I-PER after O'), None, (1, 'O after B-PER'))
    """
    if scheme == "BIO1":
        return None
    for place, (before, tag) in enumerate(zip(["", *tags], [*tags, ""])):
        inside = tag[:1] in ("I", "L", "E") and "-" in tag
        open_before = scheme == "BILOU" and before[:1] in ("B", "I") and "-" in before
        if inside != (inside and continues(before or "O", tag)) or (open_before and not inside):
            return min(place, len(tags) - 1), f"{tag or 'the end'} after {before or 'the beginning'}"
    return None
