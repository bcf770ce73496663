"""Imports tasks when a command needs them, and keeps the libraries quiet while they load."""

import gc
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import IO, Any

from attention_zoo.pipelines.engine.stages import stage


def load(reference: str, on_stderr: bool = False) -> Any:
    """Imports "module:name", and says so if that takes seconds.

    Args:
        reference: The reference.
        on_stderr: Whether to say it on standard error, since standard output is for answers. Defaults to `False`.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # no messages about a missing GPU
    # TensorFlow keeps freed memory for the next step: a step on CPUs takes 10 to 25% less time.
    os.environ.setdefault("TF_CPU_ALLOCATOR_USE_BFC", "true")
    module, _, name = reference.partition(":")
    with quiet_start() as stderr, stage("loading TensorFlow", stderr if on_stderr else sys.stdout), no_collection():
        imported = getattr(import_module(module), name)
    if "absl.logging" in sys.modules:  # warnings of TensorFlow Datasets for its own developers
        sys.modules["absl.logging"].set_verbosity("error")
    return imported


@contextmanager
def no_collection() -> Iterator[None]:
    """Imports TensorFlow without the garbage collector, which takes a quarter of the time: what imports make stays.

    Where TensorFlow is imported already, nothing changes: what is frozen then could be garbage, and would stay.
    """
    if "tensorflow" in sys.modules or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.freeze()  # later collections need not visit it either


@contextmanager
def quiet_start() -> Iterator[IO[str]]:
    """Captures standard error, where TensorFlow's libraries write, and prints it only if the block raises.

    Yields:
        A file that writes to the standard error of the process meanwhile.
    """
    sys.stderr.flush()
    with tempfile.TemporaryFile() as written:
        stderr = os.dup(2)
        os.dup2(written.fileno(), 2)
        try:
            with os.fdopen(os.dup(stderr), "w", encoding="utf-8", errors="replace") as uncaptured:
                yield uncaptured
        except BaseException:
            written.seek(0)
            os.write(stderr, written.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(stderr, 2)
            os.close(stderr)
