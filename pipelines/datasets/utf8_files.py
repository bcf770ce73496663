"""Text files of users, as bytes: a line that is not UTF-8 is one fault of many, and no reason to refuse a file."""

from pathlib import Path

from attention_zoo.pipelines.engine.errors import UserError

UTF16 = (b"\xff\xfe", b"\xfe\xff")  # what such a file begins with


def read_utf8(path: str | Path, what: str = "a text file") -> bytes:
    """Returns the content of a file, without the mark that some editors write before UTF-8.

    Args:
        path: The file.
        what: What is expected there, for the message. Defaults to "a text file".

    Raises:
        UserError: The file cannot be read, or is in UTF-16, whose lines would be read as text with zeros in it.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise UserError(f"expected {what}, received {path}: {error.strerror}") from None
    if content.startswith(UTF16):
        raise UserError(f"expected {what} in UTF-8, received {path} in UTF-16")
    return content.removeprefix(b"\xef\xbb\xbf")
