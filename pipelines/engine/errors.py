"""Errors that a user can cause and mend: the command line prints their one line, without a traceback."""

from collections.abc import Mapping
from typing import Any


class UserError(ValueError):
    """Something the user gave cannot be used; the message names what was expected and what was received."""


class Preempted(Exception):
    """The run was asked to stop (SIGTERM); its checkpoint is written."""


def check_ranges(settings: Any, rules: Mapping[str, tuple[bool, str]]) -> None:
    """Checks a section of settings.

    Args:
        settings: The section.
        rules: Dict of the names of its fields to (whether the value will do, what was expected).

    Raises:
        UserError: A value will not do.

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
