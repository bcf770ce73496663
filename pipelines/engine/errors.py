"""Errors that a user can cause and mend: the command line prints their one line, without a traceback."""


class UserError(ValueError):
    """Something the user gave cannot be used; the message names what was expected and what was received."""


class Preempted(Exception):
    """The run was asked to stop (SIGTERM); its checkpoint is written."""
