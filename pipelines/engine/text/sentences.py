"""Splits text into sentences of words in the TensorFlow graph, with the offsets of each word.

The words are those of `split_words`, which keeps the dots of abbreviations ("Mr.", "U.N.", "3.5") inside words. A dot
that stands apart therefore ends a sentence.
"""

import tensorflow as tf

from attention_zoo.pipelines.engine.text.pattern_splits import split_at
from attention_zoo.pipelines.engine.text.word_splitting import split_words

_PARAGRAPH = r"(?:\r?\n[^\S\n]*){2,}|\x{2029}|(?:<br ?/?>\s*)+"  # blank lines, and the line ends of HTML
_ENDS = r"[.!?…‽؟۔।॥።။។]+|[。！？｡]"
_WITHOUT_SPACE = r"[。！？｡]"  # ends a sentence although no space follows
_CLOSES = r"[\"'”’»›\)\]\}」』）】］]+"
_LOWER_CASE = r"\p{Ll}.*"
_SPLITS = tf.int64


def split_sentences(texts: tf.Tensor, max_words: int) -> tuple[tf.RaggedTensor, tf.RaggedTensor, tf.RaggedTensor]:
    """Splits texts into sentences, and these into words.

    A sentence ends at a blank line or `<br>`, and at ".", "!", "?", their repetitions and counterparts in other
    scripts, together with the quotation marks and brackets that close right after them, if white space and no
    lower-case letter follows. No space needs to follow the marks of Chinese and Japanese.

    Args:
        texts: UTF-8 strings `(B,)`.
        max_words: Longest sentence. A longer one is cut into sentences of almost equal length, so that no word is lost.

    Returns:
        `(words, starts, ends)`, RaggedTensors `(B, None, None)`: the words of the sentences of each text, and the int64
        offsets of the first byte of a word in its text, and of the byte after its last one. No sentence is without
        words, but a text can be without sentences.

    Example:

    >>> words, starts, ends = split_sentences(tf.constant(['Mr. Hill left. "Why?" He\\n\\nA 3.5% rise', ""]), 50)
    >>> [[b" ".join(sentence).decode() for sentence in text] for text in words.to_list()]
    [['Mr. Hill left .', '" Why ? "', 'He', 'A 3.5 % rise'], []]
    >>> starts[0, 1].numpy().tolist(), ends[0, 1].numpy().tolist()
    ([15, 16, 19, 20], [16, 19, 20, 21])
    """
    texts = tf.convert_to_tensor(texts)
    parts, part_starts, _ = split_at(texts, _PARAGRAPH)  # (B, paragraphs)
    words, starts, ends = split_words(parts.flat_values)  # (paragraphs of all, words)
    first = tf.gather(part_starts.flat_values, words.value_rowids())
    starts, ends = (offsets.with_flat_values(offsets.flat_values + first) for offsets in (starts, ends))

    begins = _first_of_paragraph(words) | _after_an_end(words.flat_values, starts.flat_values, ends.flat_values)
    begins = _cut_long(begins, max_words)
    # Numbers of the words that begin a sentence, and how many words the texts before each text have.
    splits = tf.concat([tf.where(begins)[:, 0], [tf.size(begins, out_type=_SPLITS)]], axis=0)
    words_before = tf.gather(words.row_splits, parts.row_splits)
    text_splits = tf.searchsorted(splits, words_before, out_type=_SPLITS)
    return tuple(
        tf.RaggedTensor.from_nested_row_splits(values.flat_values, [text_splits, splits], validate=False)
        for values in (words, starts, ends)
    )  # pyright: ignore[reportReturnType]


def _first_of_paragraph(words: tf.RaggedTensor) -> tf.Tensor:
    """Returns which words are the first of their row, bool `(N,)`."""
    rows = words.value_rowids()
    return tf.concat([tf.ones_like(rows[:1], tf.bool), rows[1:] != rows[:-1]], axis=0)


def _after_an_end(words: tf.Tensor, starts: tf.Tensor, ends: tf.Tensor) -> tf.Tensor:
    """Returns which words begin a sentence, because the words before end one, bool `(N,)`."""
    touches = tf.concat([tf.zeros_like(starts[:1], tf.bool), starts[1:] == ends[:-1]], axis=0)
    closes = tf.strings.regex_full_match(words, _CLOSES) & touches
    no_space = tf.strings.regex_full_match(words, _WITHOUT_SPACE)
    ended, ended_tightly = tf.strings.regex_full_match(words, _ENDS), no_space
    for _ in range(2):  # up to two marks close
        ended |= closes & _before(ended)
        ended_tightly |= closes & _before(ended_tightly)
    lower = tf.strings.regex_full_match(words, _LOWER_CASE)
    loose = _before(ended) & tf.logical_not(touches) & tf.logical_not(lower)
    tight = _before(ended_tightly) & tf.logical_not(closes | tf.strings.regex_full_match(words, _ENDS))
    return loose | tight


def _before(flags: tf.Tensor) -> tf.Tensor:
    """Returns the flag of the word before each word."""
    return tf.concat([tf.zeros_like(flags[:1]), flags[:-1]], axis=0)


def _cut_long(begins: tf.Tensor, max_words: int) -> tf.Tensor:
    """Adds beginnings, so that no sentence has more than `max_words` words."""
    firsts = tf.where(begins)[:, 0]
    lengths = tf.concat([firsts[1:], [tf.size(begins, out_type=_SPLITS)]], axis=0) - firsts
    pieces = tf.maximum(-(-lengths // max_words), 1)
    rows = tf.repeat(tf.range(tf.size(firsts)), tf.cast(lengths, tf.int32))
    place = tf.range(tf.size(begins, out_type=_SPLITS)) - tf.gather(firsts, rows)
    count, length = tf.gather(pieces, rows), tf.gather(lengths, rows)
    # Piece p begins at ceil(p length / count); a word begins one if its piece is not that of the word before.
    piece = place * count // length
    before = (place - 1) * count // length
    return begins | ((place > 0) & (piece != before))
