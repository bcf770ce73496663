"""Files and folders that exist completely or not at all, even if the process is killed or the machine fails."""

import fcntl
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path


def atomic_write(path: PathLike[str] | str, data: bytes | str) -> Path:
    """Writes a file beside its place, flushes it to the disk, and renames it.

    A reader sees the old content or the new one, never a part. A failure keeps the old one and leaves no partial file.

    Args:
        path: Path of the file. Missing parent folders are created.
        data: `bytes`, or `str` to be written as UTF-8.

    Returns:
        The `Path`.

    Raises:
        OSError: The operating system refuses, because the disk is full for instance.

    Example:

    >>> import tempfile
    >>> path = atomic_write(Path(tempfile.mkdtemp()) / "new" / "greeting.txt", "grüezi")
    >>> path.read_text(encoding="utf-8")
    'grüezi'
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = beside(path)
    try:
        with open(partial, "xb") as file:
            file.write(data.encode() if isinstance(data, str) else data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException:  # Ctrl-C in the middle of a large file too
        partial.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)
    return path


def replace_directory(temp: PathLike[str] | str, final: PathLike[str] | str) -> Path:
    """Moves the folder `temp` to `final`, on the same file system, after flushing all its content to the disk.

    If `final` does not exist this is one rename. An existing folder is renamed first, and renamed back on a failure.

    Args:
        temp: The finished folder; it does not exist afterwards.
        final: Its new path.

    Returns:
        The `Path` of `final`.

    Raises:
        OSError: The operating system refuses; `final` is then unchanged.

    Example:

    >>> import tempfile
    >>> root = Path(tempfile.mkdtemp())
    >>> (root / "half").mkdir()
    >>> replace_directory(root / "half", root / "whole").name
    'whole'
    """
    temp, final = Path(temp), Path(final)
    for folder, _, names in os.walk(temp):
        for name in names:
            with open(Path(folder) / name, "rb") as file:
                os.fsync(file.fileno())
        sync_directory(folder)
    old = None
    if final.is_dir():
        old = beside(final)
        os.rename(final, old)
    try:
        os.rename(temp, final)
    except BaseException:
        if old is not None:
            os.rename(old, final)
        raise
    sync_directory(final.parent)
    if old is not None:
        shutil.rmtree(old)
    return final


def digest(path: PathLike[str] | str) -> str:
    """Returns the SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def beside(path: Path) -> Path:
    """Returns a new hidden path in the same folder, and so on the same file system."""
    return path.with_name(f".{path.name[:100]}.{secrets.token_hex(4)}.partial")


def sync_directory(path: PathLike[str] | str) -> None:
    """Makes renames in a folder durable: without it, a power failure can undo them."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def locked(path: PathLike[str] | str, wait: bool = False) -> Iterator[None]:
    """Holds a lock file while the block runs. The lock ends with the process, even a killed one; the empty file stays.

    Args:
        path: The file; its folder is created if it does not exist.
        wait: Whether to wait for another process that holds it. Defaults to `False`.

    Raises:
        BlockingIOError: Another process holds it, and `wait` is False.

    Example:

    >>> import tempfile
    >>> with locked(Path(tempfile.mkdtemp()) / ".lock"):
    ...     print("locked")
    locked
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
