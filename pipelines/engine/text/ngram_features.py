"""Words as numbers of hashed features in the graph: the word itself, and the character n-grams within it."""

import tensorflow as tf

LONGEST = 24  # characters of a word that are looked at


def ngram_features(words: tf.Tensor, buckets: int, largest: int = 4) -> tf.Tensor:
    """Hashes a word, and the character n-grams of the word in lower case with a mark at either end.

    No vocabulary is learned, so an unseen word shares n-grams with words that training saw. Of a word with more than
    24 characters the first 24 count, so that the cost of one that is a megabyte long is bounded.

    Args:
        words: UTF-8 strings `(N,)`.
        buckets: Features that are told apart, an integer of at least 3.
        largest: Length of the longest n-gram. Defaults to `4`; 0 takes the words alone.

    Returns:
        int32 Tensor `(N, F)`: 1 and more. Feature 0 of a word is the word. A row ends with zeros, and an empty word has
        only zeros.

    Example:

    >>> features = ngram_features(tf.constant(["On", "on", ""]), buckets=1000, largest=2)
    >>> features.shape, bool(tf.reduce_all(features[0] == features[1])), int(tf.reduce_sum(features[2]))
    (TensorShape([3, 8]), True, 0)
    """
    words = tf.strings.unicode_transcode(words, "UTF-8", "UTF-8", errors="replace")
    letters = tf.strings.lower(tf.strings.substr(words, 0, 4 * LONGEST), "utf-8")  # of at most four bytes each
    marked = tf.strings.join(["\u0002", tf.strings.substr(letters, 0, LONGEST, unit="UTF8_CHAR"), "\u0003"])  # (N,)
    named = tf.strings.join(["word ", marked])[:, None]  # (N, 1)

    def numbers(strings: tf.Tensor) -> tf.Tensor:
        return tf.cast(tf.strings.to_hash_bucket_fast(strings, buckets - 1), tf.int32) + 1

    columns = [numbers(named)]
    if largest:
        grams = tf.strings.ngrams(tf.strings.unicode_split(marked, "UTF-8"), tuple(range(1, largest + 1)), separator="")
        columns.append(grams.with_flat_values(numbers(grams.flat_values)).to_tensor())
    return tf.where(tf.equal(words, "")[:, None], 0, tf.concat(columns, axis=1))
