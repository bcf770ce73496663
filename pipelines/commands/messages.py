"""Turns errors that the user can correct into one line on standard error and an exit code."""

import errno
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout

from attention_zoo.pipelines.engine.errors import Preempted, UserError


def in_one_line(command: str, call: Callable[[], int], quiet: bool = False) -> int:
    """Calls a command, and prints errors that the user can correct as one line.

    Args:
        command: Name of the command, for the message after Ctrl-C.
        call: Function without arguments.
        quiet: Whether to discard standard output. Defaults to `False`.

    Returns:
        The exit code: that of `call`; 2 for an error that the user can correct; 143 after SIGTERM; 130 after Ctrl-C;
        141 if nobody reads standard output any more.

    Example:

    >>> in_one_line("tasks", lambda: 0)
    0
    """
    warnings.formatwarning = lambda message, *_: f"warning: {message}\n"  # our line numbers do not help a user
    try:
        with no_output() if quiet else nullcontext():
            code = call()
            sys.stdout.flush()
            return code
    except BrokenPipeError:  # of `| head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what Python still flushes at its end
        return 128 + signal.SIGPIPE
    except UserError as error:
        print(f"attention-zoo: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT):
            raise
        full = "; free some and start the same command again" if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
        print(f"attention-zoo: {error.filename or 'writing'}: {error.strerror}{full}", file=sys.stderr)
        return 2
    except Preempted as stopped:
        print(f"attention-zoo: {stopped}", file=sys.stderr)
        return 128 + stopped.number  # as a process that the signal ended
    except KeyboardInterrupt:
        again = "; the same command continues from the last checkpoint" if command == "train" else ""
        print(f"\nattention-zoo: stopped{again}", file=sys.stderr)
        return 130


@contextmanager
def no_output() -> Iterator[None]:
    """Discards standard output while the block runs, that of libraries and child processes included."""
    sys.stdout.flush()
    stdout = os.dup(1)
    with open(os.devnull, "w") as nothing, redirect_stdout(nothing):
        os.dup2(nothing.fileno(), 1)
        try:
            yield
        finally:
            nothing.flush()
            os.dup2(stdout, 1)
            os.close(stdout)
