"""Imports tasks when a command needs them, and keeps the libraries quiet while they load."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any


def load(reference: str) -> Any:
    """Imports "module:name"."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # no messages about a missing GPU
    # TensorFlow keeps freed memory for the next step: a step on CPUs takes 10 to 25% less time.
    os.environ.setdefault("TF_CPU_ALLOCATOR_USE_BFC", "true")
    module, _, name = reference.partition(":")
    with quiet_start():
        imported = getattr(import_module(module), name)
    if "absl.logging" in sys.modules:  # warnings of TensorFlow Datasets for its own developers
        sys.modules["absl.logging"].set_verbosity("error")
    return imported


@contextmanager
def quiet_start() -> Iterator[None]:
    """Captures standard error, where TensorFlow's libraries write, and prints it only if the block raises."""
    sys.stderr.flush()
    with tempfile.TemporaryFile() as written:
        stderr = os.dup(2)
        os.dup2(written.fileno(), 2)
        try:
            yield
        except BaseException:
            written.seek(0)
            os.write(stderr, written.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(stderr, 2)
            os.close(stderr)
