"""Splits text into the words of GPT-2, as bytes, in the TensorFlow graph (Radford et al. 2019).

GPT-2's pattern is `'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+`. RE2 has no
look-ahead, so the words are found from the kinds of neighbouring characters, for all characters at a time.
"""

import functools
import re
import unicodedata
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from attention_zoo.pipelines.engine.text.pattern_splits import split_at

OTHER, LETTER, NUMBER, SPACE = range(4)
WHITE_SPACE = "9-D 20 85 A0 1680 2000-200A 2028-2029 202F 205F 3000"
# Letters and numbers from Unicode 14 to Unicode 16: Python's releases have different versions of Unicode.
NEWER_LETTERS = (
    "1C89-1C8A A7CB-A7CD A7DA-A7DC 105C0-105F3 10D4A-10D65 10D6F-10D85 10EC2-10EC4 1123F-11240 11380-11389 1138B 1138E "
    "11390-113B5 113B7 113D1 113D3 11BC0-11BE0 11F02 11F04-11F10 11F12-11F33 1342F 13441-13446 13460-143FA 16100-1611D "
    "16D40-16D6C 18CFF 1B132 1B155 1DF25-1DF2A 1E030-1E06D 1E4D0-1E4EB 1E5D0-1E5ED 1E5F0 2B739 2EBF0-2EE5D 31350-323AF"
)
NEWER_NUMBERS = (
    "10D40-10D49 116D0-116E3 11BF0-11BF9 11F50-11F59 16130-16139 16D70-16D79 1CCF0-1CCF9 1D2C0-1D2D3 1E4F0-1E4F9 "
    "1E5F1-1E5FA"
)
SPACES = "[" + re.sub(r"(\w+)", r"\\x{\1}", WHITE_SPACE).replace(" ", "") + "]*"  # in RE2's syntax


def split_byte_words(
    texts: tf.Tensor, specials: Sequence[str] = (), strip_left: Sequence[str] = ()
) -> tuple[tf.RaggedTensor, tf.RaggedTensor]:
    """Splits texts into words, which together have all bytes of the texts.

    A space belongs to the word after it. Bytes that are not UTF-8 are split as U+FFFD is: they are symbols.

    Args:
        texts: Strings `(B,)`.
        specials: Strings that are words of their own wherever they are written. Of two that begin at the same place
            the longer one counts.
        strip_left: Those of `specials` that have the white space before them as a part.

    Returns:
        `(words, numbers)`: the bytes of the words, int32 RaggedTensor `(B, None, None)`, and for each word its place in
        `specials`, or -1, int32 RaggedTensor `(B, None)`.

    Example:

    >>> words, numbers = split_byte_words(tf.constant(["I'm  2<s>"]), specials=["<s>"])
    >>> [bytes(word).decode() for word in words.to_list()[0]], numbers.to_list()
    (['I', "'m", ' ', ' 2', '<s>'], [[-1, -1, -1, -1, 0]])
    """
    lengths = tf.cast(tf.strings.length(texts), tf.int64)
    before = tf.cumsum(lengths, exclusive=True)  # bytes of the texts before each text
    points, offsets = tf.strings.unicode_decode_with_offsets(texts, "UTF-8", errors="replace")
    rows = row_numbers(points)
    places = offsets.flat_values + tf.gather(before, rows)  # (N,), of the first byte of each character
    if specials:
        part_rows, part_starts, part_numbers = split_specials(texts, before, specials, strip_left)
        parts = tf.searchsorted(part_starts, places, side="right", out_type=tf.int64) - 1
        special = tf.gather(part_numbers, parts) >= 0
    else:
        part_rows, part_numbers = tf.range(tf.size(texts)), tf.fill([tf.size(texts)], -1)
        parts, special = rows, tf.zeros_like(rows, tf.bool)
    first = changed(parts)
    starts = first | (_starts(points.flat_values, first) & tf.logical_not(special))
    bytes_ = tf.cast(tf.io.decode_raw(tf.strings.reduce_join(texts), tf.uint8), tf.int32)
    splits = tf.concat([places[starts], tf.reduce_sum(lengths, keepdims=True)], axis=0)
    words = tf.RaggedTensor.from_row_splits(bytes_, splits, validate=False)
    parts = parts[starts]  # of the words
    rows = tf.cast(tf.gather(part_rows, parts), tf.int64)
    per_text = tf.RaggedTensor.from_value_rowids(words, rows, tf.size(texts, tf.int64), validate=False)
    return per_text, per_text.with_values(tf.gather(part_numbers, parts))


def row_numbers(rows: tf.RaggedTensor) -> tf.Tensor:
    """Returns the number of the row of each value of a RaggedTensor, int64 `(N,)`.

    `value_rowids` does so with a mask of all rows by the longest one: 13,000 words of which one has 30,000 bytes take
    seconds.

    Example:

    >>> row_numbers(tf.ragged.constant([[5, 6], [], [7]])).numpy().tolist()
    [0, 0, 2]
    """
    starts, size = rows.row_starts(), tf.shape(rows.values, out_type=tf.int64)[0]
    begun = tf.math.unsorted_segment_sum(tf.ones_like(starts), starts, size + 1)  # rows that begin at each value
    return tf.cumsum(begun)[:-1] - 1


def _starts(points: tf.Tensor, first: tf.Tensor) -> tf.Tensor:
    """Tells which characters begin a word.

    Args:
        points: Code points of all texts `(N,)`.
        first: Which are the first of a text, bool `(N,)`.
    """
    kinds = _kinds(points)
    space, last = kinds == SPACE, shifted(first, -1, edge=True)
    # The last white space of several stays apart from those before it, and a space belongs to what follows.
    leads = space & tf.logical_not(last | shifted(space, -1))
    joined = shifted(leads & (points == ord(" ")), 1)
    starts = ((first | changed(kinds)) & tf.logical_not(joined)) | leads
    one, two = (tf.where(shifted(first, -place), 0, shifted(points, -place)) for place in (1, 2))
    two = tf.where(one == 0, 0, two)
    short = functools.reduce(tf.logical_or, [one == ord(letter) for letter in "stmd"])
    long = functools.reduce(tf.logical_or, [(one == ord(a)) & (two == ord(b)) for a, b in ("re", "ve", "ll")])
    quote = starts & (points == ord("'"))
    short, long = quote & short, quote & long
    return (starts & tf.logical_not(shifted(short | long, 1))) | shifted(short, 2) | shifted(long, 3)


def split_specials(
    texts: tf.Tensor, before: tf.Tensor, specials: Sequence[str], strip_left: Sequence[str] = ()
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Cuts texts before and after special strings.

    Args:
        texts: Strings `(B,)`.
        before: int64 `(B,)`: bytes of the texts before each text.
        specials: As in `split_byte_words`.
        strip_left: As in `split_byte_words`. Defaults to none.

    Returns:
        `(rows, starts, numbers)`, each `(P,)`: the text of each part, the place of its first byte among the bytes of
        all texts, and which special string it is, or -1.

    Example:

    >>> _, starts, numbers = split_specials(tf.constant(["a<s>b"]), tf.constant([0], tf.int64), ["<s>"])
    >>> starts.numpy().tolist(), numbers.numpy().tolist()
    ([0, 1, 4], [-1, 0, -1])
    """
    patterns = {name: (SPACES if name in strip_left else "") + re.escape(name) for name in specials}
    pattern = "|".join(patterns[name] for name in sorted(specials, key=len, reverse=True))
    readable = tf.strings.regex_replace(texts, r"\x{0}", "\x01")  # `split_at` ends a string at a NUL
    parts, starts, _ = split_at(readable, pattern, pattern)
    numbers = tf.fill(tf.shape(parts.flat_values), -1)
    for number, name in enumerate(specials):
        numbers = tf.where(tf.strings.regex_full_match(parts.flat_values, patterns[name]), number, numbers)
    rows = row_numbers(parts)  # pyright: ignore[reportArgumentType]
    return rows, starts.flat_values + tf.gather(before, rows), numbers


def _kinds(points: tf.Tensor) -> tf.Tensor:
    """Returns the kinds of code points, int32 of the same shape."""
    pages, page_of = _kind_pages()
    page = tf.gather(tf.constant(page_of), points // 256)
    return tf.gather(tf.constant(pages), page * 256 + tf.math.floormod(points, 256))


@functools.cache
def _kind_pages() -> tuple[np.ndarray, np.ndarray]:
    """Returns the kinds of 256 code points each, different ones once `(P * 256,)`, and which of them each page has."""
    known = {"L": LETTER, "N": NUMBER}
    kinds = np.full(0x110000, OTHER, np.int32)
    for point in range(0x40000):  # no letters and numbers beyond
        kinds[point] = known.get(unicodedata.category(chr(point))[0], OTHER)
    for ranges, kind in ((NEWER_LETTERS, LETTER), (NEWER_NUMBERS, NUMBER), (WHITE_SPACE, SPACE)):
        for ends in ranges.split():
            start, _, end = ends.partition("-")
            kinds[int(start, 16) : int(end or start, 16) + 1] = kind
    pages, page_of = np.unique(kinds.reshape(-1, 256), axis=0, return_inverse=True)
    return pages.reshape(-1), page_of.reshape(-1).astype(np.int32)


def changed(values: tf.Tensor) -> tf.Tensor:
    """Tells which values `(N,)` differ from the one before; the first does.

    Example:

    >>> changed(tf.constant([5, 5, 6])).numpy().tolist()
    [True, False, True]
    """
    return tf.concat([tf.ones_like(values[:1], tf.bool), values[1:] != values[:-1]], axis=0)


def shifted(values: tf.Tensor, by: int, edge: bool = False) -> tf.Tensor:
    """Moves values `(N,)` to later places, or to earlier ones by a negative number; `edge` or 0 fills the rest.

    Example:

    >>> shifted(tf.constant([5, 6, 7]), 1).numpy().tolist(), shifted(tf.constant([5, 6, 7]), -1).numpy().tolist()
    ([0, 5, 6], [6, 7, 0])
    """
    if by > 0:
        return tf.pad(values, [[by, 0]], constant_values=edge)[: tf.size(values)]
    return tf.pad(values, [[0, -by]], constant_values=edge)[-by:]
