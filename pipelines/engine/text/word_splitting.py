"""Splits text into words in the TensorFlow graph, with the offsets of each word, for models that mark parts of a text.

The words follow the tokens of CoNLL-2003 (the Penn Treebank's): punctuation apart from words, "Peter's" as "Peter" and
"'s", "U.N.", "36-year-old", "1996-08-22" and "10,000.5" whole. Of the tokens of CoNLL-2003, joined by spaces, 99.6% are
one word in the training split and 99.4% in the test split; most others are the numbers of lists, such as "1.".

Scripts without spaces between words have no words that a pattern could find, so their characters stand apart.
"""

import tensorflow as tf

from attention_zoo.pipelines.engine.text.blank import says_something
from attention_zoo.pipelines.engine.text.pattern_splits import split_at

BYTES_A_WORD = 64  # a text is cut at so many bytes for each word that is read

# In RE2's syntax. Scripts that are written without spaces; some marks that prolong or repeat a kana are of no script.
_SPACELESS = (
    r"\p{Han}\p{Hiragana}\p{Katakana}\p{Bopomofo}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
    r"\x{30FC}\x{FF70}\x{3031}-\x{3035}"
)
_WORD = rf"[^\s\pZ\pC\pP\pS{_SPACELESS}]"  # letters, their marks and digits of the other scripts
_WORDS = rf"{_WORD}+(?:[\x{{200C}}\x{{200D}}\x{{AD}}]{_WORD}+)*"  # joiners and soft hyphens are inside a word
_ABBREVIATIONS = (
    r"(?:Mr|Mrs|Ms|Dr|Prof|Rev|Gen|Lt|Col|Capt|Sgt|Sen|Rep|Gov|Pres|Jr|Sr|St|Inc|Corp|Co|Ltd|Bros|vs|vol|No|Nos|"
    r"Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept|Sep|Oct|Nov|Dec|Calif|Fla|Mass|Conn|Pa|Va|Ariz|Colo|Ill|Tenn|Wash|Tex)\."
)
_EXTENDED = r"[\pM\x{1F3FB}-\x{1F3FF}\x{E0020}-\x{E007F}]*"  # skin tones, variation selectors, tags of flags
_SUFFIX = r"['’](?:s|S|ve|VE|re|RE|ll|LL|m|M|d|D)"
_TOKENS = (
    r"(?:https?://|www\.)[^\s\pZ\pC]+",
    r"[A-Za-z0-9._+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+",
    rf"{_SUFFIX}\b",  # where a space precedes it, as in tokenised text
    rf"[{_SPACELESS}]\pM*",
    rf"(?:\pL\.){{2,}}(?:-{_WORDS})*",  # U.N., U.S.-led
    rf"{_ABBREVIATIONS}",
    r"\p{Lu}\.",  # an initial
    rf"[+.]?\pN+(?:[.,:/-]\pN+)*{_WORD}*(?:-{_WORDS})*",  # numbers, dates, scores
    r"[A-Z]{1,3}\$",
    rf"{_WORDS}(?:[-'’&\x{{2010}}\x{{2011}}]{_WORDS})*",
    r"\.+|-+|\*+|=+|_+|`+",
    r"[\x{1F1E6}-\x{1F1FF}]{2}",  # a flag
    rf"\pS{_EXTENDED}(?:\x{{200D}}\pS{_EXTENDED})*",  # an emoji, or several that are joined to one
    r"\pP\pM*",
)
_TOKEN = "|".join(f"(?:{token})" for token in _TOKENS)
_CLITIC = rf"(?:[nN]['’][tT]|{_SUFFIX})$"


def split_words(texts: tf.Tensor) -> tuple[tf.RaggedTensor, tf.RaggedTensor, tf.RaggedTensor]:
    """Splits texts into words.

    - Punctuation and symbols stand apart, runs of dots or hyphens together; hyphens, apostrophes and "&" inside a word
      are part of it, and so are the dots of abbreviations, and what joins digits.
    - English contractions are split as in the Penn Treebank: "Peter's" is "Peter" and "'s".
    - Characters of scripts without spaces between words (Chinese, Japanese, Thai, ...) stand apart with their marks;
      Hangul, which has spaces, is split by them.
    - An emoji with its skin tone, or a sequence with joiners, is one word.
    - White space, control and format characters, and bytes that are not UTF-8 are in no word.

    Args:
        texts: UTF-8 strings `(B,)`.

    Returns:
        `(words, starts, ends)`, RaggedTensors `(B, None)`: strings, and the int64 offsets of their first byte and of
        the byte after their last one.

    Example:

    >>> words, starts, ends = split_words(tf.constant(["Peter's in the U.N., 東京."]))
    >>> [word.decode() for word in words[0].numpy()]
    ['Peter', "'s", 'in', 'the', 'U.N.', ',', '東', '京', '.']
    >>> starts.to_list()[0][:5], ends.to_list()[0][:5]
    ([0, 5, 8, 11, 15], [5, 7, 10, 14, 19])
    """
    pieces, places, _ = split_at(texts, rf"(?:{_TOKEN})|[\s\pZ\pC]+", _TOKEN)
    parts, offsets, ends = split_at(pieces.flat_values, _CLITIC, _CLITIC)  # (N, None)
    first = tf.gather(places.flat_values, parts.value_rowids())
    kept = says_something(parts.flat_values)
    before = tf.cumsum(tf.pad(tf.cast(kept, tf.int64), [[1, 0]]))  # words before each part, and all of them
    splits = tf.gather(before, tf.gather(parts.row_splits, pieces.row_splits))
    # Checks that cannot fail, and one partition for each tensor, would take as long as the rest.
    numbers = tf.RaggedTensor.from_row_splits(tf.where(kept)[:, 0], splits, validate=False)
    flat = (parts.flat_values, first + offsets.flat_values, first + ends.flat_values)
    words, starts, ends = (numbers.with_flat_values(tf.gather(values, numbers.flat_values)) for values in flat)
    return words, starts, ends


def read_words(texts: tf.Tensor, most: int) -> tuple[tf.RaggedTensor, tf.RaggedTensor, tf.RaggedTensor, tf.Tensor]:
    """Splits texts into words as `split_words`, and cuts long texts.

    Args:
        texts: UTF-8 strings `(B,)`.
        most: Most words of a text. Texts are cut at 64 bytes for each word before, so that the time is bounded.

    Returns:
        `(words, starts, ends, truncated)`, with the bool Tensor `(B,)` of the texts that were cut.

    Example:

    >>> words, _, _, truncated = read_words(tf.constant(["one two three", "one"]), most=2)
    >>> words.to_list(), truncated.numpy().tolist()
    ([[b'one', b'two'], [b'one']], [True, False])
    """
    room = most * BYTES_A_WORD
    words, starts, ends = split_words(tf.strings.substr(texts, 0, room))
    lengths = words.row_lengths()
    begin = words.row_starts()
    numbers = tf.ragged.range(begin, begin + tf.minimum(lengths, most))
    cut = (numbers.with_flat_values(tf.gather(v.flat_values, numbers.flat_values)) for v in (words, starts, ends))
    return *cut, (lengths > most) | (tf.strings.length(texts) > room)


def code_point_offsets(texts: tf.Tensor, offsets: tf.RaggedTensor) -> tf.RaggedTensor:
    """Turns offsets in bytes into offsets in code points, with which Python indexes a `str`.

    Args:
        texts: UTF-8 strings `(B,)`. A sequence of bytes that is not UTF-8 counts as `bytes.decode("utf-8", "replace")`
            writes it.
        offsets: int64 RaggedTensor `(B, None)` or `(B, None, k)`, offsets in bytes of each text, each the start of a
            code point or the end of the text.

    Returns:
        int64 RaggedTensor of the same shape.

    Example:

    >>> code_point_offsets(tf.constant(["né à Rome"]), tf.ragged.constant([[4, 7, 11]], dtype=tf.int64)).to_list()
    [[3, 5, 9]]
    """
    _, bytes_of = tf.strings.unicode_decode_with_offsets(texts, "UTF-8", errors="replace")  # (B, code points)
    sizes = tf.cast(tf.strings.length(texts), tf.int64)
    stride = (
        tf.reduce_max(tf.concat([tf.zeros([1], tf.int64), sizes], axis=0)) + 1
    )  # makes the offsets of all rows one sorted list
    known = bytes_of.flat_values + stride * tf.cast(bytes_of.value_rowids(), tf.int64)
    rows, wanted = tf.cast(offsets.value_rowids(), tf.int64), offsets.flat_values
    rows = tf.reshape(rows, [-1] + [1] * (wanted.shape.rank - 1))  # (N,) or (N, 1)
    places = tf.searchsorted(known, tf.reshape(wanted + stride * rows, [-1]), out_type=tf.int64)
    before = tf.gather(tf.cast(bytes_of.row_starts(), tf.int64), rows)
    return offsets.with_flat_values(tf.reshape(places, tf.shape(wanted)) - before)
