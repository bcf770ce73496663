"""Lower case as tokenisers of other people write it, in the TensorFlow graph."""

import tensorflow as tf


def lower_each_letter(text: tf.Tensor) -> tf.Tensor:
    """Returns texts in lower case, each letter by itself: `tf.strings.lower` makes another letter of a last sigma.

    Example:

    >>> lower_each_letter(tf.constant(["ΟΔΟΣ"])).numpy()[0].decode()
    'οδοσ'
    """
    return tf.strings.lower(tf.strings.regex_replace(text, "\u03a3", "\u03c3"), encoding="utf-8")
