"""Keeps tokenised text on the disk, so that a run that is started again need not tokenise again."""

import warnings
from collections.abc import Callable
from os import PathLike

import numpy as np
import tensorflow as tf

from attention_zoo.pipelines.engine.storage.checkpoints import CheckpointStore, CorruptCheckpoint


def cached_columns(
    directory: PathLike[str] | str, key: str, make: Callable[[], dict[str, dict[str, tf.RaggedTensor]]]
) -> dict[str, dict[str, tf.RaggedTensor]]:
    """Returns the result of `make`, from the disk if it is there.

    Args:
        directory: Folder of the cache. A `CheckpointStore` writes and checks it, so incomplete and damaged files are
            not used.
        key: Text that identifies the source of the columns. Another key makes them again.
        make: Function that returns a dict of splits to dicts of names to RaggedTensors `(N, None)`.

    Returns:
        The same dict of dicts.

    Example:

    >>> import tempfile
    >>> directory, rows = tempfile.mkdtemp(), tf.ragged.constant([[1], [2, 3]])
    >>> make = lambda: print("made") or {"train": {"source": rows}}
    >>> for _ in range(2):
    ...     columns = cached_columns(directory, "two rows", make)
    made
    >>> columns["train"]["source"].to_list()
    [[1], [2, 3]]
    """
    store = CheckpointStore(directory, keep=1)
    try:
        arrays, state = store.load(0) if store.steps() else ({}, {})
    except CorruptCheckpoint as error:
        warnings.warn(f"the kept tokens are made anew: {error}", stacklevel=2)
        arrays, state = {}, {}
    if state.get("key") != key:
        splits = make()
        arrays = {}
        for split, columns in splits.items():
            for name, column in columns.items():
                arrays[f"{split}/{name}/values"] = column.values.numpy()
                arrays[f"{split}/{name}/row_splits"] = column.row_splits.numpy()
        store.save(0, arrays, {"key": key})
        return splits
    splits = {}
    for path in sorted({path.rpartition("/")[0] for path in arrays}):
        split, _, name = path.partition("/")
        values, row_splits = (np.array(arrays[f"{path}/{part}"]) for part in ("values", "row_splits"))
        splits.setdefault(split, {})[name] = tf.RaggedTensor.from_row_splits(values, row_splits)
    return splits
