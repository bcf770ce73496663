"""Makes the consoles of the project, so that all of them treat terminals, files and NO_COLOR alike."""

import errno
import os
import sys
from typing import IO

from rich.console import Console


def make_console(file: IO[str] | None = None, quiet: bool = False, soft_wrap: bool = False) -> Console:
    """Returns a console that prints colours and bars on a terminal, and plain lines into a file.

    The environment variable NO_COLOR, if it is not empty, removes the colours (https://no-color.org).

    Args:
        file: File to print to. Defaults to `None`, standard output.
        quiet: Print nothing. Defaults to `False`.
        soft_wrap: Leave long lines whole, so that paths can be copied. Defaults to `False`.

    Returns:
        A `rich.console.Console` that prints numbers and brackets as plain text.
    """
    no_color = bool(os.environ.get("NO_COLOR"))
    return _Console(file=file, highlight=False, quiet=quiet, soft_wrap=soft_wrap, no_color=no_color, markup=False)


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Raises the error that rich turns into exit code 1, so that all commands end alike."""
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


def no_bars_in_files() -> None:
    """Switches the progress bars of TensorFlow Datasets off unless standard error is a terminal.

    In a file each update of a bar would be a line.
    """
    if sys.stderr.isatty():
        return
    os.environ["TQDM_DISABLE"] = "1"  # read when tqdm is first imported
    datasets = sys.modules.get("tensorflow_datasets")
    if datasets is not None:
        datasets.disable_progress_bar()
