"""Joins the pieces of a subword tokenizer to words, and the weights between pieces to weights between words."""

import unicodedata
from bisect import bisect
from collections.abc import Sequence

import numpy as np

# Scripts that are written without spaces: their pieces are not joined, or a sentence would become one word.
WITHOUT_SPACES = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN")


def join_pieces(
    weights: np.ndarray, source: Sequence[str], target: Sequence[str]
) -> tuple[np.ndarray, list[str], list[str]]:
    """Joins the pieces of both sides to words.

    The weights of a source word's pieces are summed, since attention is shared out among them; those of a target word's
    pieces are averaged, so that a row still sums to what its pieces summed to.

    Args:
        weights: Array `(..., T, S)`.
        source: The S source pieces; "\u2581" begins a word, as in SentencePiece.
        target: The T target pieces.

    Returns:
        Tuple of the weights between words, the source words and the target words.

    Example:

    >>> import numpy as np
    >>> weights, source, target = join_pieces(np.array([[0.2, 0.3, 0.5]]), ["\u25816", "9", "</s>"], ["\u2581a"])
    >>> weights.tolist(), source, target
    ([[0.5, 0.5]], ['69', '</s>'], ['a'])
    """
    source_starts, source_words = words_of(source)
    target_starts, target_words = words_of(target)
    counts = np.diff([*target_starts, len(target)])[:, None]
    summed = np.add.reduceat(np.asarray(weights), source_starts, axis=-1)
    return np.add.reduceat(summed, target_starts, axis=-2) / counts, source_words, target_words


def join_links(links: Sequence[tuple[int, int]], source: Sequence[str], target: Sequence[str]) -> list[tuple[int, int]]:
    """Returns the links between words that links between their pieces make.

    Args:
        links: Pairs (place of a source piece, place of a target piece).
        source: The source pieces, as in `join_pieces`.
        target: The target pieces.

    Example:

    >>> join_links([(0, 0), (1, 0), (2, 1)], ["\u25816", "9", "</s>"], ["\u2581a", "</s>"])
    [(0, 0), (1, 1)]
    """
    source_starts, target_starts = words_of(source)[0], words_of(target)[0]
    return sorted({(bisect(source_starts, one) - 1, bisect(target_starts, other) - 1) for one, other in links})


def words_of(pieces: Sequence[str]) -> tuple[list[int], list[str]]:
    """Returns the places of the pieces that begin a word, and the words."""
    starts, words = [], []
    for place, piece in enumerate(pieces):
        text = piece.removeprefix("\u2581")
        if words and not begins_word(piece, pieces[place - 1]):
            words[-1] += text
        else:
            starts.append(place)
            words.append(text)
    return starts, words


def begins_word(piece: str, before: str) -> bool:
    """Returns whether a piece begins a word: by its mark, a special token or a script without spaces next to it."""
    if piece.startswith("\u2581") or any(is_special(one) for one in (piece, before)):
        return True
    return any(unicodedata.name(c, "").startswith(WITHOUT_SPACES) for c in (piece[:1], before[-1:]) if c)


def is_special(piece: str) -> bool:
    """Returns whether a piece is a token such as `</s>`."""
    return len(piece) > 2 and piece.startswith("<") and piece.endswith(">")
