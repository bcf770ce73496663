"""Writes figures to files."""

import io

from attention_zoo.pipelines.engine.storage.files import atomic_write

DOTS_PER_INCH = 120


def save(figure, path):
    """Writes a figure as a PNG, and replaces an existing file only when the new one is complete. Returns its `Path`."""
    content = io.BytesIO()
    figure.savefig(content, format="png")
    return atomic_write(path, content.getvalue())
