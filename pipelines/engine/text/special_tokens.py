"""Ids of the special tokens, the same in every vocabulary, and the rows of token ids that begin and end with them."""

import tensorflow as tf

PAD, UNK, BOS, EOS = 0, 1, 2, 3  # padding, unknown, begin of sentence, end of sentence


def begin_rows(tokens: tf.RaggedTensor) -> tf.RaggedTensor:
    """Puts BOS before each row of token ids.

    Args:
        tokens: int32 RaggedTensor `(B, None)`.

    Returns:
        int32 RaggedTensor `(B, None)`.

    Example:

    >>> begin_rows(tf.ragged.constant([[7, 8], []])).to_list()
    [[2, 7, 8], [2]]
    """
    return tf.concat([tf.fill([tokens.nrows(), 1], tf.constant(BOS, tf.int32)), tokens], axis=1)


def end_rows(tokens: tf.RaggedTensor, max_tokens: int | None = None) -> tf.RaggedTensor:
    """Appends EOS to each row of token ids.

    Args:
        tokens: int32 RaggedTensor `(B, None)`.
        max_tokens: Largest number of ids of a row, EOS included; a longer row loses its last ids. Defaults to
            `None`, no limit.

    Returns:
        int32 RaggedTensor `(B, None)`.

    Example:

    >>> end_rows(tf.ragged.constant([[7, 8, 9], []]), max_tokens=3).to_list()
    [[7, 8, 3], [3]]
    """
    kept = tokens if max_tokens is None else tokens[:, : max_tokens - 1]
    return tf.concat([kept, tf.fill([tokens.nrows(), 1], tf.constant(EOS, tf.int32))], axis=1)
