"""Writes figures to files."""

import io
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from attention_zoo.pipelines.engine.storage.files import atomic_write

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DOTS_PER_INCH = 120


def save(figure: "Figure", path: str | PathLike) -> Path:
    """Writes a figure, as SVG if the path ends in .svg, else as PNG.

    An existing file is replaced only when the new one is complete.

    Args:
        figure: A figure of matplotlib.
        path: The file.

    Returns:
        Its `Path`.
    """
    content = io.BytesIO()
    if Path(path).suffix.lower() == ".svg":
        figure.savefig(content, format="svg", metadata={"Date": None})  # the same figure gives the same file
    else:
        figure.savefig(content, format="png")
    return atomic_write(path, content.getvalue())
