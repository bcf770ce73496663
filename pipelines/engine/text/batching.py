"""Makes batches of rows of similar length, cut by a budget of tokens, so that little of a batch is padding."""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from attention_zoo.pipelines.engine.errors import UserError


def token_batches(
    columns: Mapping[str, tf.RaggedTensor],
    budget: int,
    seed: int = 0,
    epoch: int = 0,
    shuffle: bool = True,
    window: int = 8192,
) -> tf.data.Dataset:
    """Makes padded batches whose rows times longest row stay within `budget`.

    The examples are shuffled and split into windows; a window is sorted by length, cut into batches, and the order of
    its batches is shuffled. Nothing is dropped, and all of it happens in the tf.data graph, on indices until a
    batch is gathered. The same arguments give the same batches.

    Args:
        columns: Dict of RaggedTensors `(N, None)`, of integers or, for labels that are numbers, of floats: row n of all
            of them is example n.
        budget: Largest number of tokens of a batch: rows times the longest row in any column, padding counted.
        seed: Integer; another seed gives another order. Defaults to `0`.
        epoch: Integer; another epoch gives another order. Defaults to `0`.
        shuffle: Whether to shuffle. `False` keeps the windows in the given order, and the batches of a window from long
            to short. Defaults to `True`.
        window: Largest number of examples that are sorted together. More of them mean less padding and less randomness.
            Defaults to `8192`.

    Returns:
        A `tf.data.Dataset` of dicts of Tensors `(B, T)`, int32 or the floats, 0 where a row has ended.

    Raises:
        UserError: An example is longer than the budget.
        ValueError: The columns have different numbers of rows.

    Example:

    >>> rows = tf.ragged.constant([[5], [6, 7, 8], [9], [4, 4, 4]])
    >>> for batch in token_batches({"source": rows}, budget=6, shuffle=False):
    ...     print(batch["source"].numpy().tolist())
    [[6, 7, 8], [4, 4, 4]]
    [[5], [9]]
    """
    columns = {
        name: (tf.cast(column, tf.int32) if column.dtype.is_integer else column).with_row_splits_dtype(tf.int64)
        for name, column in columns.items()
    }
    counts = {name: int(column.nrows()) for name, column in columns.items()}
    if len(set(counts.values())) != 1:
        raise ValueError(f"columns: expected the same number of rows in all, received {counts}")
    count = next(iter(counts.values()))
    lengths = tuple(column.row_lengths() for column in columns.values())  # (N,) each
    longest = tf.reduce_max(lengths, axis=0)  # (N,)
    if count and int(tf.reduce_max(longest)) > budget:
        row = int(tf.argmax(longest))
        raise UserError(
            f"--training.batch_tokens: expected room for the longest example, number {row} with "
            f"{int(longest[row]):,} tokens; received {budget:,}"
        )
    # Windows of equal size: a short last one would give small batches.
    windows = -(-count // window)
    rows_a_window = max(1, -(-count // max(1, windows)))

    def cut(number: tf.Tensor, rows: tf.Tensor) -> tf.data.Dataset:  # one window -> its batches
        seeds = tf.random.experimental.stateless_fold_in([seed, epoch], number) if shuffle else None
        batches: Any = _batches_of(rows, lengths, tf.constant(budget, tf.int64), seeds)
        return tf.data.Dataset.from_tensor_slices(batches)

    def gather(rows: tf.Tensor) -> dict[str, tf.Tensor]:
        return {name: tf.gather(column, rows).to_tensor() for name, column in columns.items()}

    numbers = tf.range(count, dtype=tf.int64)
    if shuffle:
        numbers = tf.random.experimental.stateless_shuffle(numbers, [seed, epoch])
    windows_of_rows = tf.data.Dataset.from_tensor_slices(numbers).batch(rows_a_window).enumerate()
    dataset = windows_of_rows.flat_map(cut)  # pyright: ignore[reportArgumentType]
    return dataset.map(gather, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True).prefetch(tf.data.AUTOTUNE)


# Each epoch has a dataset of its own: a `tf.function` is traced for the first of them alone.
@tf.function(autograph=False, reduce_retracing=True)
def _batches_of(
    rows: tf.Tensor, lengths: tuple[tf.Tensor, ...], budget: tf.Tensor, seeds: tf.Tensor | None
) -> tf.RaggedTensor:
    """Returns the batches of a window as rows of example numbers, in an order drawn with seeds, if there are any."""
    lengths = tuple(tf.gather(column, rows) for column in lengths)
    order = tf.argsort(_sort_key(lengths), direction="DESCENDING", stable=True)
    longest = tf.gather(tf.reduce_max(lengths, axis=0), order)
    splits = _cut_points(tf.maximum(longest, 1), budget)
    batches = tf.RaggedTensor.from_row_splits(tf.gather(rows, order), splits, validate=False)
    if seeds is None:
        return batches
    return tf.gather(batches, tf.random.experimental.stateless_shuffle(tf.range(batches.nrows()), seeds))


def _sort_key(lengths: tuple[tf.Tensor, ...]) -> tf.Tensor:
    """Orders rows by their longest column, and among equals by each column: `(n,)` each -> `(n,)`."""
    base = tf.reduce_max(lengths) + 1
    key = tf.reduce_max(lengths, axis=0)
    for column in lengths:
        key = key * base + column
    return key


def _cut_points(longest: tf.Tensor, budget: tf.Tensor) -> tf.Tensor:
    """Returns the row splits of batches. The first row of a batch is its longest, and decides how many rows fit."""
    count = tf.size(longest, out_type=tf.int64)
    splits = tf.TensorArray(tf.int64, size=1, dynamic_size=True, clear_after_read=False, element_shape=[]).write(0, 0)

    def next_batch(
        start: tf.Tensor, number: tf.Tensor, splits: tf.TensorArray
    ) -> tuple[tf.Tensor, tf.Tensor, tf.TensorArray]:
        end = tf.minimum(start + budget // longest[start], count)
        return end, number + 1, splits.write(number, end)

    start = tf.constant(0, tf.int64)
    _, _, splits = tf.while_loop(lambda start, *_: start < count, next_batch, (start, 1, splits))
    return splits.stack()


def with_a_column(rows: tf.Tensor) -> tf.Tensor:
    """Returns rows `(B, T, ...)`, with a column of zeros if they have none: an empty batch has no longest row.

    Example:

    >>> [with_a_column(rows).numpy().tolist() for rows in (tf.zeros([2, 0], tf.int32), tf.constant([[5, 6]]))]
    [[[0], [0]], [[5, 6]]]
    """
    missing = tf.maximum(1 - tf.shape(rows)[1], 0)
    return tf.pad(rows, [[0, 0], [0, missing]] + [[0, 0]] * (rows.shape.rank - 2))


def padding_share(dataset: tf.data.Dataset) -> dict[str, Any]:
    """Counts batches, tokens and padding of a dataset.

    Args:
        dataset: `tf.data.Dataset` of dicts of integer Tensors, 0 is padding. Those of one axis, such as labels, are not
            counted.

    Returns:
        A dict: `batches`, `tokens` (ids that are not padding, over all columns) and `padding_share` (in [0, 1]).

    Example:

    >>> padding_share(tf.data.Dataset.from_tensors({"source": [[4, 5, 6], [7, 0, 0]]}))
    {'batches': 1, 'tokens': 4, 'padding_share': 0.333...}
    """

    def add(sums: tf.Tensor, batch: Mapping[str, tf.Tensor]) -> tf.Tensor:
        columns = [column for column in batch.values() if column.shape.rank != 1]
        tokens = tf.add_n([tf.math.count_nonzero(column) for column in columns])
        cells = tf.add_n([tf.size(column, out_type=tf.int64) for column in columns])
        return sums + tf.stack([1, tokens, cells])

    batches, tokens, cells = dataset.reduce(tf.zeros([3], tf.int64), add).numpy().tolist()
    return {"batches": batches, "tokens": tokens, "padding_share": 1.0 - tokens / cells if cells else 0.0}
