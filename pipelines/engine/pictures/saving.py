"""Writes figures to files."""

import io
from pathlib import Path

from attention_zoo.pipelines.engine.storage.files import atomic_write

DOTS_PER_INCH = 120


def save(figure, path):
    """Writes a figure, as SVG where the path ends in .svg, else as PNG.

    An existing file is replaced only when the new one is complete.

    Args:
        figure: Figure of matplotlib.
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
