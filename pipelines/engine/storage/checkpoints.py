"""Checkpoints that survive what happens to disks: kills, full disks, truncation, flipped bits.

A checkpoint is two files. `step-00000120-1f2e3d4c.safetensors` holds the arrays; its name ends in the head of its
digest, so that saving a step again never touches the file that an older record names. `step-00000120.json`, renamed
into place last, holds the state and the digests of both: a checkpoint without it was never finished.
"""

import errno
import hashlib
import json
import shutil
import warnings
from collections.abc import Callable, Collection, Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
from safetensors import deserialize
from safetensors.numpy import save as serialize

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.storage.files import atomic_write

Arrays = dict[str, np.ndarray]

# safetensors.numpy writes bfloat16 and float8, but cannot read them.
DTYPES = {
    "BOOL": np.bool_,
    "U8": np.uint8,
    "I8": np.int8,
    "U16": np.uint16,
    "I16": np.int16,
    "U32": np.uint32,
    "I32": np.int32,
    "U64": np.uint64,
    "I64": np.int64,
    "F16": np.float16,
    "BF16": ml_dtypes.bfloat16,
    "F32": np.float32,
    "F64": np.float64,
    "F8_E4M3": ml_dtypes.float8_e4m3fn,
    "F8_E5M2": ml_dtypes.float8_e5m2,
}


class CorruptCheckpoint(UserError):
    """A checkpoint cannot be used; the message names the file and what is wrong with it."""


class DiskFull(UserError):
    """There is no room for a checkpoint; the message says how much it needs. The older ones are unchanged."""


class CheckpointStore:
    """The checkpoints of one run, in one folder. One process at a time may write to it.

    Args:
        directory: The folder; the first `save` creates it.
        keep: Number of checkpoints to keep, the newest. Defaults to 3.

    Raises:
        UserError: `keep` is below 1.

    Example:

    >>> import tempfile
    >>> store = CheckpointStore(tempfile.mkdtemp(), keep=2)
    >>> for step in (10, 20, 30):
    ...     path = store.save(step, {"kernel": np.full((2, 3), step, "float32")}, {"epoch": step // 10})
    >>> store.steps()
    [20, 30]
    >>> arrays, state = store.load(store.newest())
    >>> arrays["kernel"].shape, state
    ((2, 3), {'epoch': 3})
    """

    def __init__(self, directory: PathLike[str] | str, keep: int = 3):
        if keep < 1:
            raise UserError(f"keep: expected at least 1 checkpoint to keep, received {keep}")
        self.directory = Path(directory)
        self.keep = keep

    def save(self, step: int, arrays: Mapping[str, np.ndarray], state: Any, protected: Collection[int] = ()) -> Path:
        """Writes a checkpoint, then removes those that are no longer needed.

        Checkpoints of later steps are removed too: the run went on from an earlier step, and they would be taken for
        the newest.

        Args:
            step: Number of updates so far.
            arrays: Dict of names to NumPy arrays of numbers or booleans, bfloat16 and float8 of `ml_dtypes` included.
            state: Everything else that the run needs, serialisable as JSON.
            protected: Steps to keep besides the newest `keep`. Defaults to none.

        Returns:
            `Path` of the record.

        Raises:
            DiskFull: There is no room. Nothing was written and nothing removed.
        """
        # safetensors writes the memory of a transposed array as if it were contiguous.
        data = serialize({name: np.asarray(array, order="C") for name, array in arrays.items()})
        digest = hashlib.sha256(data).hexdigest()
        tensors = self.directory / f"step-{step:08d}-{digest[:8]}.safetensors"
        record = {"step": step, "tensors": tensors.name, "bytes": len(data), "sha256": digest, "state": state}
        text = record_text(record)
        try:
            atomic_write(tensors, data)
            atomic_write(self._record_path(step), text)
        except OSError as error:
            self._remove_unnamed()
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise DiskFull(
                f"no room for the checkpoint of step {step}: {self.directory} needs {len(data) + len(text):,} bytes "
                f"and has {shutil.disk_usage(self.directory).free:,}; the earlier checkpoints are kept. Free some "
                "there (older runs in the folders beside it, for instance) and start the same command again to continue"
            ) from error
        self._prune(step, protected)
        return self._record_path(step)

    def load(self, step: int) -> tuple[Arrays, Any]:
        """Reads the checkpoint of a step.

        Returns:
            Tuple `(arrays, state)`, as `save` took them.

        Raises:
            CorruptCheckpoint: A file is missing, truncated or changed.
        """
        record = self._read_record(step)
        path = self.directory / record["tensors"]
        if not path.is_file():
            raise CorruptCheckpoint(f"{path}: missing, though {self._record_path(step).name} names it")
        data = path.read_bytes()
        if len(data) != record["bytes"]:
            what = "truncated" if len(data) < record["bytes"] else "too long"
            raise CorruptCheckpoint(f"{path}: {what}, expected {record['bytes']:,} bytes, found {len(data):,}")
        if hashlib.sha256(data).hexdigest() != record["sha256"]:
            raise CorruptCheckpoint(f"{path}: damaged, its content has another SHA-256 than when it was written")
        arrays = {
            name: np.frombuffer(entry["data"], DTYPES[entry["dtype"]]).reshape(entry["shape"])
            for name, entry in deserialize(data)
        }
        return arrays, record["state"]

    def steps(self) -> list[int]:
        """Returns the steps that have a record, ascending, intact or not."""
        return sorted(int(path.stem.removeprefix("step-")) for path in self.directory.glob("step-*.json"))

    def newest(self) -> int | None:
        """Returns the newest step whose checkpoint is intact, or None; warns of each damaged one that it skips."""
        return self.first_intact(reversed(self.steps()))

    def first_intact(self, steps: Iterable[int]) -> int | None:
        """Returns the first of some steps whose checkpoint is intact, or None; warns of each damaged one before it."""
        recorded = set(self.steps())
        for step in dict.fromkeys(step for step in steps if step in recorded):
            try:
                self.load(step)
            except CorruptCheckpoint as error:
                warnings.warn(f"checkpoint of step {step} is passed over: {error}", stacklevel=3)
            else:
                return step
        return None

    def replace_state(self, step: int, state: Any) -> None:
        """Replaces the state in the record of a checkpoint; its arrays stay unchanged.

        Args:
            step: Step of an intact checkpoint.
            state: The new state, serialisable as JSON.

        Raises:
            CorruptCheckpoint: The record is missing or damaged.
        """
        record = self._read_record(step)
        if record["state"] != state:
            atomic_write(self._record_path(step), record_text(record | {"state": state}))

    def average(self, steps: Iterable[int], rename: Callable[[Arrays], Arrays] | None = None) -> Arrays:
        """Averages checkpoints: sums in float64, and returns each array in its own dtype.

        Arrays of integers and booleans (counters, seeds) are those of the last of `steps`.

        Args:
            steps: The steps, at least one.
            rename: Function of the arrays of a checkpoint that returns them by other names. Defaults to `None`, which
                keeps the names.

        Returns:
            Dict of names to arrays.

        Raises:
            CorruptCheckpoint: One of them is damaged, or does not hold the same arrays as the others.
            UserError: There are no steps.
        """
        steps = list(steps)
        if not steps:
            raise UserError("steps: expected at least one checkpoint to average, received none")
        totals, shapes, arrays = {}, {}, {}
        for step in steps:
            arrays, _ = self.load(step)
            arrays = rename(arrays) if rename else arrays
            own_shapes = {name: (array.shape, array.dtype) for name, array in arrays.items()}
            if own_shapes != (shapes or own_shapes):
                raise CorruptCheckpoint(
                    f"{self._record_path(step)}: holds other arrays than the one of step {steps[0]}"
                )
            shapes = own_shapes
            for name, array in arrays.items():
                if is_floating(array.dtype):
                    totals[name] = totals.get(name, 0.0) + array.astype(np.float64)
        return arrays | {name: np.asarray(total / len(steps)).astype(shapes[name][1]) for name, total in totals.items()}

    def _record_path(self, step):
        return self.directory / f"step-{step:08d}.json"

    def _read_record(self, step):
        path = self._record_path(step)
        try:
            content = json.loads(path.read_bytes())
            record = content["record"]
            if content["sha256"] != digest_of(record) or record["step"] != step:
                raise CorruptCheckpoint(f"{path}: damaged, its content has another SHA-256 than when it was written")
        except FileNotFoundError:
            raise CorruptCheckpoint(f"{path}: missing; there is no finished checkpoint of step {step}") from None
        except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
            raise CorruptCheckpoint(f"{path}: truncated or damaged, not the JSON that was written ({error})") from None
        return record

    def _prune(self, step, protected):
        """Removes checkpoints that are no longer needed; records first, so that none ever names a file that is gone."""
        recorded = self.steps()
        kept = {*[earlier for earlier in recorded if earlier <= step][-self.keep :], *protected}
        for other in recorded:
            if other > step or other not in kept:
                self._record_path(other).unlink()
        self._remove_unnamed()

    def _remove_unnamed(self):
        """Removes files that no record names: those of a killed process, and those of a step that was saved again."""
        named = set()
        for step in self.steps():
            try:
                named.add(self._read_record(step)["tensors"])
            except CorruptCheckpoint:  # its arrays may still be readable
                named |= {path.name for path in self.directory.glob(f"step-{step:08d}-*.safetensors")}
        for path in [*self.directory.glob("step-*.safetensors"), *self.directory.glob(".step-*.partial")]:
            if path.name not in named:
                path.unlink()


def record_text(record: dict[str, Any]) -> str:
    """Returns the content of a record's file, its digest included."""
    return json.dumps({"sha256": digest_of(record), "record": record}, indent=1) + "\n"


def digest_of(record: dict[str, Any]) -> str:
    """Returns the SHA-256 of a record, whatever the order of its keys and the white space of its file."""
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def is_floating(dtype: np.dtype) -> bool:
    """Returns whether an array holds floating numbers; NumPy does not count those of `ml_dtypes`."""
    return np.issubdtype(dtype, np.floating) or dtype.name.startswith(("bfloat", "float8"))
