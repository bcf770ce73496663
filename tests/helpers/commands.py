"""Runs commands in processes of their own that begin with all imports done, which saves each of them seconds."""

import multiprocessing
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from attention_zoo.pipelines.registry import TASKS

_PROCESSES = multiprocessing.get_context("forkserver")
# What all tasks import, once, before the first command. No op runs there, so there are no threads that a fork would
# lose.
_PROCESSES.set_forkserver_preload(
    [
        *("tensorflow", "tensorflow_text", "keras", "sklearn.manifold", "sklearn.svm"),
        *("attention_zoo.pipelines.commands.main", "attention_zoo.pipelines.engine.run.run"),
        *(f"attention_zoo.pipelines.{name}.task" for name in TASKS),
    ]
)


def run_command(words, directory, text=""):
    """Does what `attention-zoo WORDS` does in a folder, with `text` as its standard input.

    Returns:
        A `subprocess.CompletedProcess` with what it printed, as text.
    """
    return run_function(_command, list(words), str(directory), text=text)


def run_function(function, *arguments, text=""):
    """Calls a function that can be pickled in a process of its own; returns what `run_command` does."""
    return Started(function, *arguments, text=text).finish()


def start_command(words, directory):
    """Starts what `run_command` does; returns a `Started`."""
    return Started(_command, list(words), str(directory))


class Started:
    """A function in a process of its own, `process`."""

    def __init__(self, function, *arguments, text=""):
        self._folder, self._arguments = tempfile.TemporaryDirectory(), arguments
        self._files = [Path(self._folder.name) / name for name in ("input", "output", "errors")]
        self._files[0].write_text(text)
        files = [str(file) for file in self._files]
        self.process = _PROCESSES.Process(target=_run, args=(function, arguments, files))
        self.process.start()

    def printed(self):
        """Returns what the process has printed so far: its standard output, and its standard error."""
        return [file.read_text(errors="replace") if file.is_file() else "" for file in self._files[1:]]

    def finish(self, seconds=None):
        """Waits for the end; returns a `subprocess.CompletedProcess`. A process that takes longer is killed."""
        self.process.join(seconds)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        printed = self.printed()
        self._folder.cleanup()
        return subprocess.CompletedProcess(self._arguments, self.process.exitcode, *printed)


def _run(function, arguments, files):
    """The process: what it reads and prints are files."""
    for number, (path, mode) in enumerate(
        zip(files, (os.O_RDONLY, os.O_WRONLY | os.O_CREAT, os.O_WRONLY | os.O_CREAT))
    ):
        os.dup2(os.open(path, mode, 0o600), number)
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")
    try:
        code = function(*arguments)
    finally:
        sys.stdout.flush()
    sys.exit(code)


def _command(words, directory):
    """A command, in its process."""
    os.chdir(directory)
    sys.argv = ["attention-zoo", *words]
    from attention_zoo.pipelines.__main__ import main

    return main(words)
