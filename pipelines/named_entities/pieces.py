"""Between the words of tagged data and those that `split_words` finds in their text, joined by spaces.

The data may split "U.S." or "1." in its own way. A model is trained on the words that serving will find, and scored on
the words of the data.
"""

from bisect import bisect_left, bisect_right
from itertools import accumulate

from attention_zoo.pipelines.engine.text.tags import spans_of, tags_of


def offsets_of(words):
    """Returns the offsets in bytes of words that are joined by spaces.

    Example:

    >>> offsets_of(["né", "à", "Rome"])
    [0, 4, 7]
    """
    return list(accumulate((len(word.encode()) + 1 for word in words[:-1]), initial=0)) if words else []


def tags_of_pieces(words, tags, starts, bilou):
    """Returns the tags of the pieces of a sentence.

    Args:
        words: The words of the data.
        tags: Their tags.
        starts: Offsets in bytes of the pieces that `split_words` found in the words, joined by spaces.
        bilou: Whether the new tags are in BILOU instead of BIO2.

    Example:

    >>> tags_of_pieces(["1.", "Rome"], ["O", "B-LOC"], [0, 1, 3], bilou=True)
    ['O', 'O', 'U-LOC']
    """
    offsets = [*offsets_of(words), 1 << 60]
    spans = []
    for first, end, label in spans_of(tags):
        span = bisect_left(starts, offsets[first]), bisect_left(starts, offsets[end]), label
        if span[0] < span[1]:  # a word without a piece has only characters that are not shown
            spans.append(span)
    return tags_of(spans, len(starts), bilou)


def tags_of_words(words, spans):
    """Returns the tags of the words of the data, in BIO2, from entities in their text.

    Args:
        words: The words of the data.
        spans: Iterable of `(start, end, label)`, offsets in bytes in the words, joined by spaces. A word that only a
            part of an entity is in, is in the entity.

    Example:

    >>> tags_of_words(["1.", "Rome"], [(3, 7, "LOC")])
    ['O', 'B-LOC']
    """
    offsets = offsets_of(words)
    places = ((bisect_right(offsets, start) - 1, bisect_left(offsets, end), label) for start, end, label in spans)
    return tags_of(places, len(words))
