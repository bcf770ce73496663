"""Splits text into lower-case words in the graph, the same for training and serving."""

import tensorflow as tf
import tensorflow_text as tf_text

# In RE2's syntax: scripts without spaces between words, whose characters stand apart.
_SPACELESS = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Bopomofo}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\x{30FC}\x{FF70}"
MINUS = "\u2212"


def split_words(text, keep_minus=False):
    """Splits texts into lower-case words, without punctuation and symbols.

    A word is a run of letters, their marks and digits; apostrophes inside it are part of it. Characters of scripts
    without spaces are words of their own. Text is normalised (NFKC), so that an accent has one form.

    Args:
        text: UTF-8 strings `(B,)`; bytes that are not UTF-8 are between words.
        keep_minus: Whether a minus sign (U+2212) is a word, too. Defaults to `False`.

    Returns:
        String RaggedTensor `(B, None)`.

    Example:

    >>> words = split_words(tf.constant(["It's Don Quijote's 2nd (e.g., rock'n'roll)!", "東京 caf\u0065\u0301"]))
    >>> [[word.decode() for word in row] for row in words.to_list()]
    [["it's", 'don', "quijote's", '2nd', 'e', 'g', "rock'n'roll"], ['東', '京', 'café']]
    """
    kept = MINUS if keep_minus else ""
    text = tf.strings.unicode_transcode(text, "UTF-8", "UTF-8", errors="replace")
    text = tf.strings.lower(tf_text.normalize_utf8(text, "NFKC"), encoding="utf-8")
    text = tf.strings.regex_replace(text, "\u2019", "'")
    text = tf.strings.regex_replace(text, rf"[^\pL\pM\pN'{kept}]+", " ")
    text = tf.strings.regex_replace(text, r"(^|[^\pL\pM\pN])'+|'+($|[^\pL\pM\pN])", " ")
    text = tf.strings.regex_replace(text, rf"([{_SPACELESS}{kept}]\pM*)", r" \1 ")
    return tf.strings.split(text)


def split_expressions(text):
    """Splits sums such as "king - man + woman" into words and their signs.

    A word is subtracted if a hyphen or a minus sign stands before it, after white space or at the beginning; all others
    are added, with or without a plus sign.

    Args:
        text: UTF-8 strings `(B,)`.

    Returns:
        `(words, signs)`, RaggedTensors `(B, None)`: strings as `split_words` gives them, and float32 1 or -1.

    Example:

    >>> words, signs = split_expressions(tf.constant(["King - man + woman", "T-shirt"]))
    >>> words.to_list(), signs.to_list()
    ([[b'king', b'man', b'woman'], [b't', b'shirt']], [[1.0, -1.0, 1.0], [1.0, 1.0]])
    """
    marked = tf.strings.regex_replace(tf.strings.join([" ", text]), rf"[\s\pZ][-{MINUS}]", f" {MINUS} ")
    tokens = split_words(marked, keep_minus=True)
    minus = tf.equal(tokens.flat_values, MINUS)
    first = tf.concat([[True], tokens.value_rowids()[1:] != tokens.value_rowids()[:-1]], axis=0)[: tf.size(minus)]
    after_minus = tf.concat([[False], minus[:-1]], axis=0)[: tf.size(minus)] & ~first
    signs = tokens.with_flat_values(tf.where(after_minus, -1.0, 1.0))
    kept = tokens.with_flat_values(~minus)
    return tf.ragged.boolean_mask(tokens, kept), tf.ragged.boolean_mask(signs, kept)
