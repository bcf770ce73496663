import errno
import json
import os
import random
import subprocess
import sys
import warnings

import ml_dtypes
import numpy as np
import pytest

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.storage import checkpoints
from attention_zoo.pipelines.engine.storage.checkpoints import CheckpointStore, CorruptCheckpoint, DiskFull


def arrays(value=1.0):
    return {"kernel": np.full((3, 4), value, "float32"), "iterations": np.array(int(value), "int64")}


def tensor_file(store, step):
    (path,) = store.directory.glob(f"step-{step:08d}-*.safetensors")
    return path


def record_file(store, step):
    return store.directory / f"step-{step:08d}.json"


def flip(path, byte, bit=0):
    data = bytearray(path.read_bytes())
    data[byte] ^= 1 << bit
    path.write_bytes(data)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype="float32").reshape(2, 3),
        np.arange(6, dtype="float64").reshape(2, 3).T,  # not contiguous
        np.arange(12, dtype="int32")[::2],
        np.arange(3, dtype=">f4"),
        np.array([1.0, 2.0 + 2.0**-7, -0.0, np.inf], ml_dtypes.bfloat16),
        np.array([0.5, 1.5], ml_dtypes.float8_e4m3fn),
        np.array([0.1, 65504], "float16"),
        np.array([2**32 - 1, 7], "uint32"),
        np.array([-(2**63)], "int64"),
        np.array([True, False]),
        np.array(3.25, "float32"),
        np.zeros((0, 4), "float32"),
    ],
    ids=lambda array: f"{array.dtype.name}{array.shape}",
)
def test_arrays_come_back_bit_for_bit(tmp_path, array):
    store = CheckpointStore(tmp_path)
    store.save(1, {"x": array}, {})
    (name, back), *rest = store.load(1)[0].items()
    assert (name, rest) == ("x", [])
    assert back.dtype == array.dtype.newbyteorder("=") and back.shape == array.shape
    assert np.ascontiguousarray(back).tobytes() == array.astype(back.dtype).tobytes()


def test_the_state_comes_back_exactly(tmp_path):
    state = {"step": 3, "loss": 0.1 + 0.2, "none": None, "history": [{"größe": 1e-300}], "inf": float("inf")}
    store = CheckpointStore(tmp_path)
    store.save(3, {}, state)
    assert store.load(3) == ({}, state)


def test_the_newest_and_the_protected_stay(tmp_path):
    store = CheckpointStore(tmp_path, keep=2)
    for step in range(1, 8):
        store.save(step, arrays(step), {}, protected=(2, 3, 99))
    assert store.steps() == [2, 3, 6, 7]
    assert len(list(tmp_path.glob("*.safetensors"))) == 4
    assert store.load(2)[0]["kernel"][0, 0] == 2


def test_saving_a_step_again_replaces_it(tmp_path):
    store = CheckpointStore(tmp_path)
    store.save(5, arrays(1), {"n": 1})
    store.save(5, arrays(2), {"n": 2})
    assert store.load(5)[0]["kernel"][0, 0] == 2 and store.load(5)[1] == {"n": 2}
    assert len(list(tmp_path.iterdir())) == 2


def test_a_future_that_was_given_up_does_not_come_back(tmp_path):
    store = CheckpointStore(tmp_path, keep=1)
    store.save(20, arrays(), {})
    store.save(10, arrays(), {"again": True})
    assert store.steps() == [10] and store.newest() == 10


def damages():
    def truncated(store):
        path = tensor_file(store, 3)
        path.write_bytes(path.read_bytes()[:-7])
        return path, "truncated"

    def empty(store):
        path = tensor_file(store, 3)
        path.write_bytes(b"")
        return path, "truncated"

    def longer(store):
        path = tensor_file(store, 3)
        path.write_bytes(path.read_bytes() + b"x")
        return path, "too long"

    def bit_flipped(store):
        path = tensor_file(store, 3)
        flip(path, -5, 3)
        return path, "damaged"

    def header_flipped(store):
        path = tensor_file(store, 3)
        flip(path, 3)
        return path, "damaged"

    def tensors_missing(store):
        path = tensor_file(store, 3)
        path.unlink()
        return path, "missing"

    def record_missing(store):
        path = record_file(store, 3)
        path.unlink()
        return path, "missing"

    def record_truncated(store):
        path = record_file(store, 3)
        path.write_text(path.read_text()[:40])
        return path, "truncated"

    def record_changed(store):
        path = record_file(store, 3)
        path.write_text(path.read_text().replace('"epoch": 3', '"epoch": 4'))
        return path, "damaged"

    def record_of_another_kind(store):
        path = record_file(store, 3)
        path.write_text("[]")
        return path, "damaged"

    return [value for value in locals().values()]


@pytest.mark.parametrize("damage", damages(), ids=lambda damage: damage.__name__)
def test_damage_is_named_and_the_checkpoint_before_is_used(tmp_path, damage):
    store = CheckpointStore(tmp_path)
    for step in (1, 2, 3):
        store.save(step, arrays(step), {"epoch": step})
    path, what = damage(store)
    with pytest.raises(CorruptCheckpoint, match=what) as caught:
        store.load(3)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        assert store.newest() == 2
    if damage.__name__ != "record_missing":  # without a record there is nothing that was ever finished
        assert len(seen) == 1 and str(path) in str(seen[0].message)
    store.save(3, arrays(3), {"epoch": 3})  # the run goes on and gets there again
    assert store.newest() == 3


def test_every_single_flipped_bit_is_detected(tmp_path):
    store = CheckpointStore(tmp_path)
    store.save(1, arrays(), {"epoch": 1})
    generator = random.Random(0)
    for path in (tensor_file(store, 1), record_file(store, 1)):
        intact = path.read_bytes()
        for byte in range(len(intact)):
            flip(path, byte, generator.randrange(8))
            try:
                found, state = store.load(1)
            except CorruptCheckpoint:
                pass
            else:  # white space in the record
                assert intact[byte : byte + 1].isspace()
                assert state == {"epoch": 1} and np.array_equal(found["kernel"], arrays()["kernel"])
            path.write_bytes(intact)


def test_nothing_intact_is_none(tmp_path):
    store = CheckpointStore(tmp_path / "not" / "there")
    assert store.newest() is None and store.steps() == []
    store.save(1, arrays(), {})
    tensor_file(store, 1).write_bytes(b"")
    with pytest.warns(UserWarning, match="step 1 is passed over"):
        assert store.newest() is None


@pytest.mark.parametrize("fails_at", [1, 2], ids=["arrays", "record"])
def test_a_full_disk_leaves_the_old_checkpoints_and_says_what_is_needed(tmp_path, monkeypatch, fails_at):
    store = CheckpointStore(tmp_path, keep=1)
    store.save(1, arrays(1), {"epoch": 1})
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    calls, write = [], checkpoints.atomic_write

    def full(path, data):
        calls.append(path)
        if len(calls) == fails_at:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(path, data)

    monkeypatch.setattr(checkpoints, "atomic_write", full)
    with pytest.raises(DiskFull) as caught:
        store.save(2, arrays(2), {"epoch": 2})
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    message = str(caught.value)
    needed = int(message.split("needs ")[1].split(" bytes")[0].replace(",", ""))
    assert needed > 3 * 4 * 4 + 8
    assert str(tmp_path) in message and "step 2" in message and "\n" not in message


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a small file system")
def test_a_file_system_that_is_really_full(tmp_path):
    place = tmp_path / "small"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", place], capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        store = CheckpointStore(place)
        store.save(1, {"x": np.ones(4000, "float32")}, {})
        before = sorted(path.name for path in place.iterdir())
        with pytest.raises(DiskFull, match="needs 400,"):
            store.save(2, {"x": np.ones(100_000, "float32")}, {})
        assert sorted(path.name for path in place.iterdir()) == before and store.newest() == 1
    finally:
        subprocess.run(["umount", place], check=True)


def test_other_errors_of_the_disk_stay_what_they_are(tmp_path, monkeypatch):
    def refuse(path, data):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(checkpoints, "atomic_write", refuse)
    with pytest.raises(PermissionError):
        CheckpointStore(tmp_path).save(1, arrays(), {})


def test_the_average_is_the_mean_in_double_precision(tmp_path):
    store = CheckpointStore(tmp_path)
    values = np.array([[1.0, 2.0**-24, 3.0], [-1.0, 5.0, 0.1]], "float32")
    for step, row in enumerate(values, start=1):
        half = row.astype(ml_dtypes.bfloat16)
        store.save(step, {"w": row, "h": half, "scalar": row[0].reshape(()), "count": np.array(step, "uint32")}, {})
    mean = store.average([1, 2])
    assert (
        np.array_equal(mean["w"], values.astype("float64").mean(0).astype("float32")) and mean["w"].dtype == "float32"
    )
    assert mean["h"].dtype == ml_dtypes.bfloat16 and mean["scalar"] == 0 and mean["scalar"].shape == ()
    assert mean["count"] == 2 and mean["count"].dtype == "uint32"


def test_checkpoints_of_different_models_are_not_averaged(tmp_path):
    store = CheckpointStore(tmp_path)
    store.save(1, {"w": np.ones(2)}, {})
    store.save(2, {"w": np.ones(3)}, {})
    with pytest.raises(CorruptCheckpoint, match="other arrays"):
        store.average([1, 2])
    with pytest.raises(UserError, match="at least one"):
        store.average([])


def test_a_store_keeps_at_least_one(tmp_path):
    with pytest.raises(UserError, match="keep"):
        CheckpointStore(tmp_path, keep=0)


SAVE_FOREVER = """
import sys, numpy as np
from attention_zoo.pipelines.engine.storage.checkpoints import CheckpointStore
store = CheckpointStore(sys.argv[1], keep=2)
step = store.newest() or 0
while True:
    step += 1
    store.save(step, {"w": np.full(300_000, step, "float32")}, {"step": step})
    print(step, flush=True)
"""


def test_a_process_killed_while_it_saves_loses_nothing_it_has_reported(tmp_path):
    reported = 0
    for attempt in range(6):
        process = subprocess.Popen([sys.executable, "-c", SAVE_FOREVER, tmp_path], stdout=subprocess.PIPE, text=True)
        for _ in range(2 + attempt):
            reported = int(process.stdout.readline())
        process.kill()
        reported = max([reported, *map(int, process.stdout.read().split())])
        process.wait()
        store = CheckpointStore(tmp_path)
        newest = store.newest()
        assert newest in (reported, reported + 1)
        found, state = store.load(newest)
        assert state == {"step": newest} and np.array_equal(found["w"], np.full(300_000, newest, "float32"))
    store.save(newest, found, state)
    assert not list(tmp_path.glob(".*.partial")), "what the killed processes left is removed"
    assert json.loads(record_file(store, newest).read_text())["record"]["state"] == state
