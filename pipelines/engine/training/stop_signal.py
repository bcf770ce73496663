"""SIGTERM as a request to stop after the current step."""

import signal


class StopSignal:
    """Records SIGTERM while a block runs, so that the process can finish its step.

    Outside the main thread it leaves the signal alone: the code that started the thread handles it.

    Attributes:
        received: 1.0 after the signal was received, else 0.0; a float, so that workers can sum theirs.
    """

    def __init__(self):
        self.received = 0.0
        self._before = None

    def _note(self, *_):
        self.received = 1.0

    def __enter__(self):
        try:
            self._before = signal.signal(signal.SIGTERM, self._note)
        except ValueError:  # not the main thread
            self._before = None
        return self

    def __exit__(self, *_):
        if self._before is not None:
            signal.signal(signal.SIGTERM, self._before)
