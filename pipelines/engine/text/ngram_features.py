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
    letters = tf.strings.unicode_split(tf.strings.lower(tf.strings.substr(words, 0, 4 * LONGEST), "utf-8"), "UTF-8")
    letters = letters[:, :LONGEST]  # (N, L), of at most four bytes each
    begin, end = (tf.fill([letters.nrows(), 1], mark) for mark in ("\u0002", "\u0003"))
    marked = tf.concat([begin, letters, end], axis=1)  # (N, L + 2)
    named = [tf.strings.join(["word ", tf.strings.reduce_join(marked, axis=1)])[:, None]]  # (N, 1)
    for size in range(1, largest + 1):
        named.append(tf.strings.ngrams(marked, size, separator=""))
    grams = tf.concat(named, axis=1)  # (N, features), ragged
    ids = tf.cast(tf.strings.to_hash_bucket_fast(grams.flat_values, buckets - 1), tf.int32) + 1
    return tf.where(tf.equal(words, "")[:, None], 0, grams.with_flat_values(ids).to_tensor())
