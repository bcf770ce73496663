"""Files and folders that are there whole or not at all, whatever happens to the process or the machine."""

import fcntl
import hashlib
import os
import secrets
import shutil
from contextlib import contextmanager
from pathlib import Path


def atomic_write(path, data):
    """Writes a file beside its place, makes sure that it is on the disk, and renames it.

    A reader sees the old content or the new one, never a part; a failure leaves the old one and no rest.

    Args:
        path: Where the file goes. Missing parent folders are made.
        data: `bytes`, or `str` to be written as UTF-8.

    Returns:
        The `Path`.

    Raises:
        OSError: what the operating system says, a full disk included.

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


def replace_directory(temp, final):
    """Puts the folder `temp`, on the same file system, in the place of `final`, with all its content on the disk first.

    Where `final` is new this is one rename. An old folder steps aside first, and comes back if the rename fails.

    Args:
        temp: The finished folder; it is gone afterwards.
        final: Its place.

    Returns:
        The `Path` of `final`.

    Raises:
        OSError: what the operating system says; `final` is then as it was.

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


def digest(path):
    """Returns the SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def beside(path):
    """Returns a hidden name in the same folder, and so on the same file system, that nobody else uses."""
    return path.with_name(f".{path.name[:100]}.{secrets.token_hex(4)}.partial")


def sync_directory(path):
    """Makes renames in a folder durable: without it, power can fail between the new content and its name."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def locked(path, wait=False):
    """Holds a lock file while the block runs. The lock goes with the process, however it ends; the empty file stays.

    Args:
        path: The file; its folder is made if it is not there.
        wait: Whether to wait for another process that holds it.

    Raises:
        BlockingIOError: another process holds it, and `wait` is False.

    Example:

    >>> import tempfile
    >>> with locked(Path(tempfile.mkdtemp()) / ".lock"):
    ...     print("alone")
    alone
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
