"""Says what a command is doing, where it takes more than a few seconds: a bar on a terminal, plain lines in a file."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import IO, Any

AFTER_SECONDS = 3.0  # a shorter stage says nothing
LINE_SECONDS = 30.0  # between two lines of one stage in a file

_lock = threading.RLock()
_open: list["_Stage"] = []  # those that run, the innermost last: it alone is shown


@contextmanager
def stage(what: str, file: IO[str] | None = None) -> Iterator[None]:
    """Says what the block does, if that takes more than three seconds.

    On a terminal a bar shows the time, and the share that is done where `counted` counts it. In a file there is a line
    after three seconds, and then one every 30 seconds. Of stages inside each other the innermost is shown.

    Args:
        what: What is done, such as "scoring the test split".
        file: Where to say it. Defaults to `None`, standard output.

    Example:

    >>> with stage("adding up"):
    ...     sum(counted([1, 2, 3]))
    6
    """
    with _shown(_Stage(what, file)):
        yield


@contextmanager
def bar_shown() -> Iterator[None]:
    """Hides the stages around the block and, on a terminal, those in it: the block shows a bar of its own."""
    with _shown(_Stage("", None)):
        yield


def counted(items: Iterable[Any], total: int | None = None) -> Iterator[Any]:
    """Yields the items, and counts them in the innermost stage that has no other count.

    Args:
        items: The items.
        total: Their number. Defaults to `None`, `len(items)` where they have one.

    Example:

    >>> list(counted("ab"))
    ['a', 'b']
    """
    total = len(items) if total is None and hasattr(items, "__len__") else total  # type: ignore[arg-type]
    with _lock:
        current = _open[-1] if _open and not _open[-1].counts else None
        if current:
            current.done, current.total, current.counts = 0, total, True
    try:
        for item in items:
            yield item
            if current:
                current.done += 1
    finally:
        if current:
            current.done, current.total, current.counts = 0, None, False


@contextmanager
def _shown(one: "_Stage") -> Iterator[None]:
    with _lock:
        if _open:
            _open[-1].hide()
        _open.append(one)
    thread = threading.Thread(target=one.watch, daemon=True)
    if one.what:
        thread.start()
    try:
        yield
    finally:
        one.ended.set()
        with _lock:
            one.hide()
            _open.remove(one)
        if one.what:
            thread.join()


class _Stage:
    """A stretch of work: what it is, since when, and how much of it is done."""

    def __init__(self, what: str, file: IO[str] | None, clock: Callable[[], float] = time.monotonic):
        self.what, self.file, self._clock, self._started = what, file, clock, clock()
        self.done, self.total, self.counts = 0, None, False
        self.ended = threading.Event()
        self._bar: Any = None
        self._row: Any = None

    @cached_property
    def console(self):
        """The console, made when there is something to say: short stages do not wait for rich."""
        from rich.console import Console

        return Console(file=self.file, highlight=False, markup=False, soft_wrap=True)

    def watch(self) -> None:
        """Shows the stage, whenever it is the innermost, until it ends."""
        wait = AFTER_SECONDS
        while not self.ended.wait(wait):
            with _lock:
                if self.ended.is_set() or _open[-1] is not self:
                    wait = AFTER_SECONDS
                elif not self.console.is_terminal:
                    wait = LINE_SECONDS
                    self.console.print(self.line())
                elif all(outer.what for outer in _open):  # no bar of another kind is there
                    wait = 0.5
                    self.show()

    def line(self) -> str:
        """Returns the line about the stage for output without a bar."""
        count = f", {self.done:,}" + (f" of {self.total:,}" if self.total else "") if self.done else ""
        seconds = int(self._clock() - self._started)
        return f"{self.what}{count} ({seconds // 60}:{seconds % 60:02d} so far)"

    def show(self) -> None:
        """Shows the bar, or updates it."""
        if self._bar is None:
            from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

            columns = SpinnerColumn(), TextColumn("{task.description}"), BarColumn(20), TimeElapsedColumn()
            ours = self.file is None  # else the caller may redirect standard output, which rich would put back too late
            self._bar = Progress(
                *columns,
                console=self.console,
                transient=True,
                redirect_stdout=ours,
                redirect_stderr=ours,
                get_time=self._clock,
            )
            self._row = self._bar.add_task(self.what, total=None)
            self._bar.tasks[0].start_time = self._started
            self._bar.start()
        self._bar.update(self._row, completed=self.done, total=self.total)

    def hide(self) -> None:
        """Takes the bar away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
