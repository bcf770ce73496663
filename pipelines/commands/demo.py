"""`attention-zoo demo`: a page on this machine that asks every exported model."""

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from attention_zoo.pipelines.commands.arguments import Parser
from attention_zoo.pipelines.commands.loading import load
from attention_zoo.pipelines.commands.look import has_display
from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.serving.versions import complete_versions
from attention_zoo.pipelines.registry import Entry


def demo(tasks: Mapping[str, Entry], argv: Sequence[str]) -> int:
    """`demo [--directory DIR] [--port N] [--no-open]`

    Returns:
        The exit code, 0.
    """
    parser = Parser(
        prog="attention-zoo demo",
        description="Serves a page with a tab for each exported model, to type or drop what it shall answer and to see "
        "what it attended to. Only this machine reaches the page, and the page reaches nothing else. Needs Gradio: pip "
        "install 'attention-zoo[demo]'. Exit codes: 0; 2 for a mistake.",
    )
    parser.add_argument(
        "--directory",
        metavar="DIR",
        type=Path,
        default=Path("saved_models"),
        help="the exports (default: saved_models)",
    )
    parser.add_argument("--port", metavar="N", type=int, help="the port (default: the first free one from 7860 on)")
    parser.add_argument("--no-open", action="store_true", help="open no browser")
    arguments = parser.parse_args(argv)
    names = [name for name in tasks if complete_versions(arguments.directory / name)]
    if not names:
        raise UserError(f"no exported model in {arguments.directory}: `attention-zoo train` and `load` write one")
    make_demo, serve, exported = (
        load(f"attention_zoo.pipelines.engine.pages.demo:{name}") for name in ("make_demo", "serve", "Exported")
    )
    exports = {
        name: (exported(load(tasks[name].task), arguments.directory / name), tasks[name].summary) for name in names
    }
    with tempfile.TemporaryDirectory() as uploads:
        os.environ["GRADIO_TEMP_DIR"] = uploads
        serve(make_demo(exports), arguments.port, has_display() and not arguments.no_open)
    return 0
