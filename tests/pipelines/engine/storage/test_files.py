import os
import stat
import threading

import pytest

from attention_zoo.pipelines.engine.storage import files
from attention_zoo.pipelines.engine.storage.files import atomic_write, locked, replace_directory


@pytest.mark.parametrize("data, expected", [("né à\n", "né à\n".encode()), (b"\x00\xff", b"\x00\xff"), ("", b"")])
def test_what_was_given_is_on_the_disk(tmp_path, data, expected):
    path = atomic_write(tmp_path / "a" / "b.txt", data)
    assert path.read_bytes() == expected
    assert [found.name for found in path.parent.iterdir()] == ["b.txt"]


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, call):
    path = atomic_write(tmp_path / "x", "old")

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, call, fail)
    with pytest.raises(OSError, match="No space left"):
        atomic_write(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_written_file_has_the_permissions_of_an_ordinary_one(tmp_path):
    ordinary = tmp_path / "ordinary"
    ordinary.write_text("x")
    assert stat.S_IMODE(atomic_write(tmp_path / "ours", "x").stat().st_mode) == stat.S_IMODE(ordinary.stat().st_mode)


def folder(path, content):
    path.mkdir()
    (path / "file").write_text(content)
    return path


@pytest.mark.parametrize("exists", [False, True])
def test_a_folder_takes_its_place(tmp_path, exists):
    if exists:
        folder(tmp_path / "final", "old")
    final = replace_directory(folder(tmp_path / "temp", "new"), tmp_path / "final")
    assert (final / "file").read_text() == "new"
    assert list(tmp_path.iterdir()) == [final]


def test_a_folder_that_cannot_be_replaced_comes_back(tmp_path, monkeypatch):
    final, temp = folder(tmp_path / "final", "old"), folder(tmp_path / "temp", "new")
    rename = os.rename

    def fail(source, target):
        if source == temp:
            raise OSError(13, "Permission denied")
        rename(source, target)

    monkeypatch.setattr(files.os, "rename", fail)
    with pytest.raises(OSError, match="Permission denied"):
        replace_directory(temp, final)
    assert (final / "file").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["final", "temp"]


def test_a_lock_is_refused_or_waited_for(tmp_path):
    path, entered = tmp_path / "new" / ".lock", threading.Event()

    def second():
        with locked(path, wait=True):
            entered.set()

    thread = threading.Thread(target=second)
    with locked(path):
        with pytest.raises(BlockingIOError), locked(path):
            raise AssertionError("two hold one lock")
        thread.start()
        assert not entered.wait(0.3)
    assert entered.wait(30)
    thread.join()
