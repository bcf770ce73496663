"""SIGTERM and Ctrl-C as requests to stop after the current step."""

import signal
import sys
from typing import Any

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopSignal:
    """Records SIGTERM and SIGINT (Ctrl-C) while a block runs, so that the process can finish its step.

    A second Ctrl-C raises `KeyboardInterrupt` at once. Outside the main thread it leaves the signals alone: the code
    that started the thread handles them.

    Attributes:
        received: 1.0 after a signal was received, else 0.0; a float, so that workers can sum theirs.
        number: The signal that was received last, or None.
    """

    def __init__(self):
        self.received = 0.0
        self.number: int | None = None
        self._before: dict[int, Any] = {}

    def _note(self, number: int, frame: Any) -> None:
        if number == signal.SIGINT and self.received:
            raise KeyboardInterrupt
        self.received, self.number = 1.0, number
        if number == signal.SIGINT:
            print("\nstops after this step; Ctrl-C again stops at once", file=sys.stderr)

    def __enter__(self) -> "StopSignal":
        try:
            self._before = {number: signal.signal(number, self._note) for number in SIGNALS}
        except ValueError:  # not the main thread
            self._before = {}
        return self

    def __exit__(self, *_: Any) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
