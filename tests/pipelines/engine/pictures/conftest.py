"""What the tests of pictures share."""

import pytest

from attention_zoo.pipelines.engine.pictures import (
    alignments,
    comparison,
    confusion,
    curves,
    heat_maps,
    scatter,
    shaded_text,
)


@pytest.fixture
def figures(monkeypatch):
    """Figures of matplotlib that would have been saved."""
    figures = []
    for module in (alignments, comparison, confusion, curves, heat_maps, scatter, shaded_text):
        monkeypatch.setattr(module, "save", lambda figure, path: figures.append(figure) or path)
    return figures
