"""Writes a view as a page: one HTML file with its script, its style and its data, which needs no network."""

import base64
import hashlib
import html
from importlib.resources import files
from os import PathLike
from pathlib import Path
from typing import Any

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.pages import PAGE_SUFFIX
from attention_zoo.pipelines.engine.pages.contents import CONTENTS, as_script
from attention_zoo.pipelines.engine.storage.files import atomic_write

SCRIPTS = (
    "page.js",
    "colors.js",
    "matrix.js",
    "image_maps.js",
    "save.js",
)  # of all pages, before that of the kind of view
# The browser runs the script and applies the style whose digests these are, and loads nothing from anywhere.
POLICY = "default-src 'none'; img-src data: blob:; script-src '{script}'; style-src '{style}'"
UNTITLED = {
    "alignment": "What each token looked at",
    "confusion_matrix": "Classes and answers",
    "frames": "Where the model looked, frame by frame",
    "heat_maps": "Where the model looked",
    "layered_heads": "What each head attends to",
    "point_map": "A map of points",
    "scatter": "Answers and truths",
    "shaded_text": "What the model read",
    "spans": "Entities of the text",
}
"""Titles of views that have none."""
TEMPLATE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="attention-zoo">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main id="page" data-kind="{kind}"><noscript>This page draws with a script. Allow scripts to see it.</noscript></main>
<script type="application/json" id="content">{content}</script>
<script>{script}</script>
</body>
</html>
"""


def write_page(view: Any, path: str | PathLike) -> Path:
    """Writes a view as one HTML file.

    Args:
        view: One of `engine.views`.
        path: The file, which ends in .html; missing folders are created, and an existing file is replaced at once.

    Returns:
        The `Path`.

    Raises:
        UserError: The path has another suffix.
        ValueError: The arrays of the view do not fit together.

    Example:

    >>> import tempfile
    >>> import numpy as np
    >>> from attention_zoo.pipelines.engine.views import Alignment
    >>> view = Alignment(["\u25813", "\u2581hours"], ["\u25813", "\u2581heures"], np.eye(2)[None])
    >>> write_page(view, f"{tempfile.mkdtemp()}/alignment.html").name
    'alignment.html'
    """
    if Path(path).suffix.lower() != PAGE_SUFFIX:
        raise UserError(f"path: expected a file that ends in {PAGE_SUFFIX}, received {path}")
    # What is not UTF-8 in the name of a file comes from Python as a lone surrogate, which no file can hold.
    return atomic_write(path, page_of(view).encode("utf-8", "replace"))


def page_of(view: Any) -> str:
    """Returns the HTML of a view.

    Args:
        view: One of `engine.views`.

    Raises:
        ValueError: The arrays of the view do not fit together.
    """
    kind, content_of = CONTENTS[type(view)]
    script = "".join(asset(name) for name in (*SCRIPTS, f"{kind}.js")) + "begin(draw);\n"
    style = asset("page.css")
    policy = POLICY.format(script=digest(script), style=digest(style))
    title = getattr(view, "title", "") or UNTITLED[kind]
    return TEMPLATE.format(
        policy=policy,
        title=html.escape(title),
        style=style,
        kind=kind,
        content=as_script(content_of(view)),
        script=script,
    )


def asset(name: str) -> str:
    """Returns a script or style of this package."""
    return (files(__package__ or "") / "assets" / name).read_text(encoding="utf-8")


def digest(text: str) -> str:
    """Returns the digest by which a content security policy knows a script or style.

    Example:

    >>> digest("")
    'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='
    """
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
