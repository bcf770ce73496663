"""`attention-zoo predict TASK`: answers with the exported model."""

import json
import mimetypes
import os
import sys
from argparse import Namespace
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

from attention_zoo.pipelines.commands.arguments import Parser, named_task
from attention_zoo.pipelines.commands.loading import load
from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.pages import PAGE_SUFFIX
from attention_zoo.pipelines.engine.serving.record import read_record
from attention_zoo.pipelines.engine.serving.versions import version_folder
from attention_zoo.pipelines.engine.stages import stage
from attention_zoo.pipelines.engine.task import Task
from attention_zoo.pipelines.registry import Entry

PICTURE_HELP = (
    "the name ends in .html for a page with everything to point at, or in .png, .svg or .pdf, for steering also in "
    ".gif; the picture of a second input gets the number 2"
)
INPUT_HELP = (
    "what to answer (default: lines of standard input; a blank line gets a blank line, and so does a line that cannot "
    "be answered); for a task on images a folder stands for its images, by name"
)


def predict(tasks: Mapping[str, Entry], argv: Sequence[str]) -> int:
    """`predict TASK [INPUT ...] [--attention PICTURE] [--heads] [--pieces] [--n-best N] [--scores] [--json] [...]`

    Returns:
        The exit code: 0, or 1 where an input could not be answered.
    """
    parser = asking_parser("predict", "Answers with the newest version of the exported model.", tasks)
    parser.add_argument(
        "--attention", metavar="PICTURE", type=Path, help=f"draw what the model attended to; {PICTURE_HELP}"
    )
    parser.add_argument("--json", action="store_true", help="print a JSON object an answer")
    parser.add_argument(
        "--n-best",
        metavar="N",
        type=int,
        help="print the N best answers, a line each, where the export offers them (translation: 4, or "
        "--decoding.n_best of `attention-zoo export`, which also changes --decoding.beam_size)",
    )
    parser.add_argument("--scores", action="store_true", help="print the score of an answer before it, and a tab")
    arguments = parser.parse_intermixed_args(argv)  # the inputs may follow the options
    if arguments.n_best is not None and (arguments.n_best < 1 or arguments.attention):
        raise UserError("--n-best: expected a whole number, at least 1, and no --attention beside it")
    return answer_with("predict", tasks, arguments, Conversation)


def asking_parser(command: str, description: str, tasks: Mapping[str, Entry]) -> Parser:
    """Returns a parser with what `predict` and `look` both take: task, inputs, how to draw, and which version."""
    parser = Parser(prog=f"attention-zoo {command}", description=description)
    parser.add_argument("task", metavar="TASK", help=", ".join(tasks))
    parser.add_argument("inputs", metavar="INPUT", nargs="*", help=INPUT_HELP)
    parser.add_argument("--pieces", action="store_true", help="draw the pieces of words apart, where there are some")
    parser.add_argument("--heads", action="store_true", help="draw all heads of all layers")
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--model", metavar="DIR", type=Path, help="folder of the exports, or of a version (default: saved_models/TASK)"
    )
    which.add_argument("--run", metavar="DIR", help="answer with the newest version of the run in this folder")
    which.add_argument("--name", metavar="RUN", help="answer with the newest version of the run in runs/TASK/RUN")
    return parser


def answer_with(
    command: str, tasks: Mapping[str, Entry], arguments: Namespace, conversation: "type[Conversation]"
) -> int:
    """Finds the task and the version that a command names, and answers its inputs. Returns the exit code."""
    name, entry = named_task(command, tasks, [arguments.task])
    run = arguments.run or (f"runs/{name}/{arguments.name}" if arguments.name else "")
    version = version_folder(arguments.model or Path("saved_models") / name, run)  # before TensorFlow is loaded
    batches = None if arguments.inputs else read_lines()
    task = load(entry.task, on_stderr=True)
    inputs = [part for one in arguments.inputs for part in files_of(task, one)]
    return conversation(task, version, arguments).answer_all(batches or [inputs])


def files_of(task: type[Task], argument: str) -> list[str]:
    """Returns the files in a folder by name, if a task that reads files was given a folder; else the argument."""
    if task.read_input is Task.read_input or not os.path.isdir(argument):  # `Path.is_dir` refuses a long text
        return [argument]
    kinds = {path: mimetypes.guess_type(path.name)[0] or "" for path in sorted(Path(argument).iterdir())}
    files = [str(path) for path, kind in kinds.items() if kind.startswith(f"{task.reads}/") and path.is_file()]
    if not files:
        raise UserError(f"expected a folder with {task.reads} files, received {argument}")
    return files


def read_lines() -> Iterator[list[str]]:
    """Yields lists of input lines. Invalid UTF-8 is kept, as in Python's arguments.

    On a terminal each line is yielded as soon as it is typed. Lines of a file or a pipe are yielded together.
    """
    if sys.stdin.isatty():
        print("one input a line, Ctrl-D ends:", file=sys.stderr)
        for line in sys.stdin.buffer:
            yield [os.fsdecode(line).rstrip("\r\n")]
        return
    text = os.fsdecode(sys.stdin.buffer.read())
    if not text:
        raise UserError("expected something to answer, as INPUT or on standard input; received nothing")
    yield text.removesuffix("\n").replace("\r\n", "\n").split("\n")


class Conversation:
    """Asks an exported model, prints its answers and draws them.

    Args:
        task: The `Task` class.
        version: Folder of the version that answers.
        arguments: Arguments of the command: `attention`, the file of the picture or page, `pieces`, `heads`, `json`,
            `n_best`, `scores`, and `inputs`, empty if lines of standard input are answered.

    Attributes:
        picture_option: The option that names the file, for error messages.

    Raises:
        UserError: The model is of another task, or nothing can be drawn into the file that was named.
    """

    picture_option = "--attention"

    def __init__(self, task: type[Task], version: Path, arguments: Namespace):
        from attention_zoo.pipelines.engine.serving.versions import load_saved_model

        self.task, self.picture, self.pieces, self.json = task, arguments.attention, arguments.pieces, arguments.json
        self.n_best, self.scores, self.lines = arguments.n_best, arguments.scores, not arguments.inputs
        self.heads, self.drawn, self.failed = arguments.heads, 0, False
        if self.heads and self.picture is None:
            raise UserError("--heads: expected --attention PICTURE with it, received none")
        if self.heads and task.view_heads is Task.view_heads:
            raise UserError(f"--heads: expected a task whose models have heads, received {task.name}")
        if self.picture is not None:
            if task.View is None:
                raise UserError(f"{self.picture_option}: {task.name} has nothing to draw")
            from attention_zoo.pipelines.engine.pictures.draw import check_suffix

            check_suffix(task.View, self.picture, self.picture_option, (PAGE_SUFFIX,))
        with stage(f"loading {version}", sys.stderr):
            self.served = load_saved_model(version, task.answers_with)
        self.version = version

    def answer_all(self, batches: Iterable[list[str]]) -> int:
        """Answers lists of inputs, one after the other. Returns the exit code."""
        for number, inputs in enumerate(batches):
            if number == 0:
                record = read_record(self.version)
                write(f"answers: {self.version}" + (f", of {record}" if record else ""), sys.stderr)
            size = self.task.asked_together or len(inputs)
            for start in range(0, len(inputs), size):
                self.answer(inputs[start : start + size])
        return int(self.failed)

    def answer(self, arguments: Sequence[str]) -> None:
        """Asks the model once, and prints in the order of the inputs what is to be said of each."""
        inputs = [self.read(argument) for argument in arguments]
        readable = [value for kind, value in inputs if kind == "input"]
        answers = iter(self.ask(readable) if readable else ())
        for kind, value in inputs:
            if kind == "blank":
                write("\n" * ((self.n_best or 1) - 1))
            elif kind == "refused":
                self.refuse(value, value["error"])
            elif (answer := next(answers, None)) is not None:  # the frames of a clip get one answer together
                self.show(answer)

    def read(self, argument: str) -> tuple[str, Any]:
        """Returns what an argument is, "input", "blank" or "refused", and the input or the refusal."""
        if self.lines and not self.json and not argument.strip():
            return "blank", None
        try:
            return "input", self.task.read_input(argument)
        except UserError as error:
            return "refused", {"input": argument, "error": str(error)}

    def ask(self, inputs: Sequence[Any]) -> Iterable[dict[str, Any]]:
        """Yields the answers to inputs."""
        if self.n_best is None:
            return self.task.ask(self.served, inputs, self.picture is not None)
        from attention_zoo.pipelines.engine.serving.asking import ask_n_best

        return ask_n_best(self.served, inputs, self.n_best)

    def show(self, answer: dict[str, Any]) -> None:
        """Prints an answer, and draws it if the user asked for a picture."""
        if answer.get("error"):
            self.refuse(answer, f"{answer['input']}: {answer['error']}")
            return
        write(as_json(answer) if self.json else self.say(answer))
        if answer.get("note"):
            write(f"note: {answer['note']}", sys.stderr)
        if self.picture is not None and (path := self.draw(answer, self.picture)) is not None:
            self.announce(path)

    def draw(self, answer: dict[str, Any], file: Path) -> Path | None:
        """Draws an answer into the file, or the one with the next number. Returns it; `None` if nothing is to see."""
        from attention_zoo.pipelines.engine.pages.page import write_page
        from attention_zoo.pipelines.engine.pictures.draw import draw, numbered

        is_page = file.suffix.lower() == PAGE_SUFFIX
        view = self.view_of(answer, is_page)
        if view is None:
            return None
        self.drawn += 1
        view = replace(view, join=False) if self.pieces and hasattr(view, "join") else view
        return (write_page if is_page else draw)(view, numbered(file, self.drawn))

    def view_of(self, answer: dict[str, Any], is_page: bool) -> Any:
        """Returns the view to draw of an answer, or `None`."""
        task = self.task
        return (task.view_heads if self.heads else task.view_page if is_page else task.view)(answer)

    def announce(self, path: Path) -> None:
        """Says where an answer was drawn."""
        print(f"{'page' if path.suffix.lower() == PAGE_SUFFIX else 'picture'}: {path}", file=sys.stderr)

    def say(self, answer: dict[str, Any]) -> str:
        """Returns the lines that are printed of an answer: with `--n-best N` always N."""
        if self.n_best is None:
            said, scores = [self.task.say(answer)], [answer.get("score")]
        else:
            missing = [""] * (self.n_best - len(answer["answers"]))
            said, scores = [*answer["answers"], *missing], [*answer["scores"], *missing]
        if not self.scores:
            return "\n".join(said)
        if any(score is None for score in scores):
            raise UserError(f"--scores: the answers of {self.task.name} have no score")
        return "\n".join(f"{score:.4f}\t{line}" if score != "" else "" for score, line in zip(scores, said))

    def refuse(self, answer: dict[str, Any], message: str) -> None:
        """Prints in one line why an input is not answered."""
        self.failed = True
        if self.json:
            write(as_json({"input": answer["input"], "error": answer["error"]}))
        elif self.lines:
            write("\n" * ((self.n_best or 1) - 1))  # so that the lines of answers keep the numbers of the inputs
        write(f"attention-zoo: {message}", sys.stderr)


def write(line: str, file: TextIO | None = None) -> None:
    """Prints a line. Invalid UTF-8, as in the name of a file, is replaced, since standard output may refuse it."""
    print(os.fsencode(line).decode("utf-8", "replace"), file=file, flush=True)


def as_json(answer: dict[str, Any]) -> str:
    """Returns an answer as one line of JSON, without pixels and the contents of files.

    Example:

    >>> as_json({"input": "cat.png", "image_bytes": b"...", "score": -0.5})
    '{"input": "cat.png", "score": -0.5}'
    """
    import numpy as np

    shown = {
        name: value.tolist() if isinstance(value, np.ndarray) else value
        for name, value in answer.items()
        if not isinstance(value, bytes) and getattr(value, "dtype", None) != np.uint8
    }
    return json.dumps(shown, ensure_ascii=False)
