"""Draws views into files: the type of the view determines the picture, the suffix of the file its format."""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.pictures.alignments import draw_alignment
from attention_zoo.pipelines.engine.pictures.confusion import draw_confusion
from attention_zoo.pipelines.engine.pictures.frames import draw_frames
from attention_zoo.pipelines.engine.pictures.heat_maps import draw_heat_maps
from attention_zoo.pipelines.engine.pictures.point_maps import draw_point_map
from attention_zoo.pipelines.engine.pictures.scatter import draw_scatter
from attention_zoo.pipelines.engine.pictures.shaded_text import draw_shaded_text
from attention_zoo.pipelines.engine.pictures.spans import draw_spans
from attention_zoo.pipelines.engine.views import (
    Alignment,
    ConfusionMatrix,
    Frames,
    HeatMaps,
    LayeredHeads,
    PointMap,
    Scatter,
    ShadedText,
    Spans,
)

DRAWERS = {
    Alignment: draw_alignment,
    ConfusionMatrix: draw_confusion,
    Frames: draw_frames,
    HeatMaps: draw_heat_maps,
    LayeredHeads: lambda view, path: draw_alignment(view.alignment, path),
    PointMap: draw_point_map,
    Scatter: draw_scatter,
    ShadedText: draw_shaded_text,
    Spans: draw_spans,
}


def draw(view: Any, path: str | PathLike) -> Path:
    """Draws a view.

    Args:
        view: One of `engine.views`.
        path: The file; its suffix is one of `view.suffixes`. Missing folders are created, and an existing file is
            replaced at once.

    Returns:
        The `Path`.

    Raises:
        UserError: The suffix is not one of them.
        ValueError: The arrays of the view do not fit together.

    Example:

    >>> import tempfile
    >>> import numpy as np
    >>> view = Alignment(["\u25813", "\u2581hours"], ["\u25813", "\u2581heures"], np.eye(2)[None])
    >>> draw(view, f"{tempfile.mkdtemp()}/alignment.svg").name
    'alignment.svg'
    """
    check_suffix(type(view), path)
    return DRAWERS[type(view)](view, Path(path))


def check_suffix(view_class: type, path: str | PathLike, name: str = "path", further: Sequence[str] = ()) -> None:
    """Checks that a view can be drawn into a file of that name, before anything is computed for it.

    Args:
        view_class: A class of `engine.views`.
        path: The file.
        name: Name of the path in the message. Defaults to "path".
        further: Suffixes that the caller writes itself. Defaults to `()`.

    Raises:
        UserError: It cannot be drawn there.

    Example:

    >>> check_suffix(Alignment, "alignment.bmp", "--attention")
    Traceback (most recent call last):
    attention_zoo.pipelines.engine.errors.UserError: --attention: expected a file that ends in .png, .svg or .pdf,
    received alignment.bmp
    """
    suffixes = (*further, *view_class.suffixes)
    if Path(path).suffix.lower() not in suffixes:
        *others, last = suffixes
        raise UserError(f"{name}: expected a file that ends in {', '.join(others)} or {last}, received {path}")


def numbered(path: str | PathLike, number: int) -> Path:
    """Returns the path of one of several pictures; the first one keeps its name.

    Example:

    >>> numbered("a.png", 1).name, numbered("a.png", 2).name
    ('a.png', 'a-2.png')
    """
    path = Path(path)
    return path if number == 1 else path.with_stem(f"{path.stem}-{number}")
