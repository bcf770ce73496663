"""Writes figures to files."""

import io
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.storage.files import atomic_write

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DOTS_PER_INCH = 200
FORMATS = (".png", ".svg", ".pdf")


def save(figure: "Figure", path: str | PathLike) -> Path:
    """Writes a figure in the format that the suffix of the path names: one of `FORMATS`.

    An existing file is replaced only when the new one is complete.

    Args:
        figure: A figure of matplotlib.
        path: The file.

    Returns:
        Its `Path`.

    Raises:
        UserError: The suffix names no format.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in FORMATS:
        raise UserError(f"path: expected a file that ends in .png, .svg or .pdf, received {path}")
    dates = {".svg": "Date", ".pdf": "CreationDate"}  # left out, so that the same figure gives the same file
    content = io.BytesIO()
    figure.savefig(content, format=suffix[1:], metadata={dates[suffix]: None} if suffix in dates else None)
    return atomic_write(path, content.getvalue())
