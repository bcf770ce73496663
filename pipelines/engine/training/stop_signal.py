"""SIGTERM as a request to stop after the current step."""

import signal


class StopSignal:
    """Notes SIGTERM while a block runs, instead of dying of it.

    Outside the main thread the signal is not touched: the code that started the thread handles it.

    Attributes:
        received: 1.0 once the signal came, else 0.0: a float, so that workers can add theirs up.
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
