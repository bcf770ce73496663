"""The beginning of a text, to name it in a message."""

LONGEST = 60  # characters


def excerpt(text: str) -> str:
    """Returns the first 60 characters of a text on one line; bytes that are not UTF-8 become question marks.

    Example:

    >>> excerpt("two\\n lines")
    'two lines'
    >>> excerpt("word " * 20)
    'word word word word word word word word word word word word ...'
    """
    start = " ".join(text[: 2 * LONGEST].encode("utf-8", "replace").decode().split())
    return start if len(start) <= LONGEST else f"{start[:LONGEST]}..."
