"""Answers to a batch row by row: a row that cannot be answered is empty and has an error, the others are answered.

A server puts requests of several clients into one batch. An operation that raises would refuse all of them because of
one. A signature on user content therefore returns `error`, a string for each row, and empty values where it is set.
"""

from collections.abc import Mapping

import tensorflow as tf


def empty_where(error: tf.Tensor, values: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Empties the rows that cannot be answered: numbers become 0, strings "", booleans False.

    Args:
        error: String Tensor `(B,)`: why a row cannot be answered, "" where it can.
        values: Tensors by name, each `(B, ...)` of a known rank. NaN in an empty row is replaced, too.

    Returns:
        The values by name, and "error".

    Raises:
        ValueError: A value has an unknown rank or none.

    Example:

    >>> answers = empty_where(tf.constant(["", "damaged"]), {"label": tf.constant(["cat", "dog"])})
    >>> answers["label"].numpy().tolist(), answers["error"].numpy().tolist()
    ([b'cat', b''], [b'', b'damaged'])
    """
    return {**keep_rows(tf.equal(error, ""), values), "error": error}


def keep_rows(kept: tf.Tensor, values: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Keeps some rows and empties the others, as `empty_where` does.

    Args:
        kept: bool Tensor `(B,)`.
        values: Tensors by name, each `(B, ...)` of a known rank.

    Returns:
        The values by name.

    Raises:
        ValueError: A value has an unknown rank or none.

    Example:

    >>> keep_rows(tf.constant([True, False]), {"lengths": tf.constant([3, 4])})["lengths"].numpy().tolist()
    [3, 0]
    """
    emptied = {}
    for name, value in values.items():
        if not value.shape.rank:
            raise ValueError(f"values[{name!r}]: expected shape (B, ...) of a known rank, received {value.shape}")
        rows = tf.reshape(kept, [-1] + [1] * (value.shape.rank - 1))
        emptied[name] = tf.where(rows, value, tf.zeros_like(value))
    return emptied


def dense_columns(rows: tf.RaggedTensor, columns: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Brings flat values into rows, padded at the right with 0, "" or False. All columns share one computed order.

    Args:
        rows: RaggedTensor `(B, None)` of N values, whose rows are taken.
        columns: Tensors by name, each `(N,)`.

    Returns:
        The tensors by name, each `(B, longest row)`.

    Example:

    >>> rows = tf.ragged.constant([[0], [], [0, 0]])
    >>> dense_columns(rows, {"starts": tf.constant([3, 5, 7])})["starts"].numpy().tolist()
    [[3, 0], [0, 0], [5, 7]]
    """
    order = rows.with_flat_values(tf.range(1, tf.size(rows.flat_values) + 1)).to_tensor()  # 0 is padding
    return {
        name: tf.gather(tf.concat([tf.zeros([1], values.dtype), values], axis=0), order)
        for name, values in columns.items()
    }


def first_error(errors: tf.Tensor, unit: str) -> tf.Tensor:
    """Names the first part of each row that has an error.

    Args:
        errors: String Tensor `(B, T)`, "" where a part is well; T is at least 1.
        unit: What a part is called, such as "frame".

    Returns:
        String Tensor `(B,)`: "UNIT NUMBER: ERROR", counted from 1, or "".

    Example:

    >>> first_error(tf.constant([["", ""], ["", "cut off"]]), "frame").numpy().tolist()
    [b'', b'frame 2: cut off']
    """
    first = tf.argmax(tf.cast(tf.not_equal(errors, ""), tf.int32), axis=1)  # (B,)
    error = tf.gather(errors, first, batch_dims=1)
    numbered = tf.strings.join([f"{unit} ", tf.strings.as_string(first + 1), ": ", error])
    return tf.where(tf.equal(error, ""), error, numbered)
