"""Checks of constructor arguments that several layers share."""


def check_positive_integer(name, value, optional=False):
    """Raises an error unless an argument is a positive integer. `True` is not one.

    Args:
        name: Name of the argument, for the message.
        value: What the caller passed.
        optional: Whether `None` is allowed. Defaults to `False`.

    Raises:
        ValueError: If `value` is not a positive integer (or `None`, if that is allowed).

    Example:

    >>> from attention_zoo.layers.checks import check_positive_integer
    >>> check_positive_integer("units", 3)
    >>> check_positive_integer("units", True)
    Traceback (most recent call last):
    ValueError: `units` must be a positive integer. Received: units=True
    """
    if value is None and optional:
        return
    # `bool` is a subclass of `int`.
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        allowed = " or None" if optional else ""
        raise ValueError(f"`{name}` must be a positive integer{allowed}. Received: {name}={value!r}")


def check_share(name, value):
    """Raises an error unless an argument is a number in [0, 1), as a dropout rate must be.

    Args:
        name: Name of the argument, for the message.
        value: What the caller passed.

    Raises:
        ValueError: If `value` is out of range.

    Example:

    >>> from attention_zoo.layers.checks import check_share
    >>> check_share("dropout", 1.0)
    Traceback (most recent call last):
    ValueError: `dropout` must be in [0, 1). Received: dropout=1.0
    """
    if not 0 <= value < 1:
        raise ValueError(f"`{name}` must be in [0, 1). Received: {name}={value!r}")
