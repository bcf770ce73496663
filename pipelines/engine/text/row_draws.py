"""Random numbers that belong to a row, and not to its place in a batch."""

import tensorflow as tf


def draws_of_rows(seed: int, rows: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """Returns `count` random numbers for each row, which depend on the seed and the number of the row alone.

    Args:
        seed: Seed of all rows.
        rows: Numbers of the rows, int64 `(B,)`.
        count: How many numbers, an int32 scalar. Fewer of them are the first of more.

    Returns:
        float32 `(B, count)`, at least 0 and below 1.

    Example:

    >>> draws = draws_of_rows(1, tf.constant([5, 6, 5], tf.int64), tf.constant(4)).numpy()
    >>> bool((draws[0] == draws[2]).all()), bool((draws[0] == draws[1]).any())
    (True, False)
    """

    def draw(row: tf.Tensor) -> tf.Tensor:
        return tf.random.stateless_uniform(tf.reshape(count, [1]), tf.stack([tf.constant(seed, tf.int64), row]))

    some = tf.concat([rows, [0]], axis=0)  # a map over nothing has no shape
    return tf.map_fn(draw, some, fn_output_signature=tf.TensorSpec([None], tf.float32))[:-1]
