"""`attention-zoo look TASK INPUT`: writes what a model attended to as a page, and opens it in a browser."""

import os
import sys
import webbrowser
from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from attention_zoo.pipelines.commands.ask import PICTURE_HELP, Conversation, answer_with, asking_parser
from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.pages import PAGE_SUFFIX
from attention_zoo.pipelines.engine.task import Task
from attention_zoo.pipelines.registry import Entry


def look(tasks: Mapping[str, Entry], argv: Sequence[str]) -> int:
    """`look TASK [INPUT ...] [--output FILE] [--no-open] [--heads] [--pieces] [--n-best N] [--model DIR | ...]`

    Returns:
        The exit code: 0, or 1 where an input could not be answered.
    """
    parser = asking_parser(
        "look",
        "Answers, writes what the model attended to as a page, one HTML file that needs no network, and opens it in a "
        "browser if there is a display. Exit codes: 0; 1 where an input could not be answered; 2 for a mistake.",
        tasks,
    )
    parser.add_argument(
        "--output", metavar="FILE", type=Path, help=f"the file to write (default: TASK.html); {PICTURE_HELP}"
    )
    parser.add_argument(
        "--n-best",
        metavar="N",
        type=int,
        help="show the N best answers of the beam side by side in the page, where the export offers them (translation)",
    )
    parser.add_argument("--no-open", action="store_true", help="open nothing, only write the file")
    arguments = parser.parse_intermixed_args(argv)
    arguments.attention = arguments.output or Path(f"{arguments.task}{PAGE_SUFFIX}")
    arguments.json, arguments.scores = False, False
    if arguments.n_best is not None and (arguments.n_best < 1 or arguments.heads):
        raise UserError("--n-best: expected a whole number, at least 1, and no --heads beside it")
    return answer_with("look", tasks, arguments, Look)


class Look(Conversation):
    """A conversation that prints where answers are drawn on standard output, and opens the first file."""

    picture_option = "--output"

    def __init__(self, task: type[Task], version: Path, arguments: Namespace):
        self.opens, self.side_by_side = not arguments.no_open and has_display(), arguments.n_best
        arguments.n_best = None  # each input has one answer, and the others beside it
        super().__init__(task, version, arguments)

    def view_of(self, answer: dict[str, Any], is_page: bool) -> Any:
        """Returns the view to draw, with the other answers of the beam if the user asked for several."""
        view = super().view_of(answer, is_page)
        if view is None or self.side_by_side is None:
            return view
        from attention_zoo.pipelines.engine.serving.asking import alternative_views

        return replace(view, alternatives=alternative_views(self.task, self.served, answer, self.side_by_side))

    def announce(self, path: Path) -> None:
        """Prints the path, and opens the file, if it is the first one and there is a display."""
        print(path, flush=True)
        if self.opens and self.drawn == 1:
            webbrowser.open(path.resolve().as_uri())


def has_display() -> bool:
    """Returns whether a browser can show something to whom reads the output of this command."""
    graphical = sys.platform == "darwin" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    return graphical and sys.stdout.isatty()
