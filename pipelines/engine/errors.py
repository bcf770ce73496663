"""Errors that a user can cause and correct. The command line prints their message in one line, without a traceback."""

import signal
from collections.abc import Mapping
from typing import Any


class UserError(ValueError):
    """An input of the user cannot be used. The message names what was expected and what was received."""


class Preempted(Exception):
    """The run was asked to stop, and has written a checkpoint.

    Attributes:
        number: The signal that asked: SIGTERM, or SIGINT for Ctrl-C. Defaults to SIGTERM, as another worker may have
            received it.
    """

    def __init__(self, message: str, number: int | None = None):
        super().__init__(message)
        self.number = number or signal.SIGTERM


def check_ranges(settings: Any, rules: Mapping[str, tuple[bool, str]]) -> None:
    """Checks a section of settings.

    Args:
        settings: The section.
        rules: Dict of names of fields to (whether the value is valid, what was expected).

    Raises:
        UserError: A value is not valid.

    Example:

    >>> from types import SimpleNamespace
    >>> check_ranges(SimpleNamespace(epochs=0), {"epochs": (False, "at least 1")})
    Traceback (most recent call last):
        ...
    attention_zoo.pipelines.engine.errors.UserError: epochs: expected at least 1, received 0
    """
    for name, (holds, expected) in rules.items():
        if not holds:
            raise UserError(f"{name}: expected {expected}, received {getattr(settings, name)}")
