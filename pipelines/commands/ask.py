"""`attention-zoo predict TASK`: answers with the exported model."""

import os
import sys
from pathlib import Path

from attention_zoo.pipelines.commands.arguments import Parser, named_task
from attention_zoo.pipelines.commands.loading import load
from attention_zoo.pipelines.engine.errors import UserError


def predict(tasks, argv):
    """`predict TASK [INPUT ...] [--attention PNG] [--model DIR]`"""
    parser = Parser(prog="attention-zoo predict", description="Answers with the newest version of the exported model.")
    parser.add_argument("task", metavar="TASK", help=", ".join(tasks))
    parser.add_argument("inputs", metavar="INPUT", nargs="*", help="what to answer (default: lines of standard input)")
    parser.add_argument("--attention", metavar="PNG", type=Path, help="draw what the model attended to")
    parser.add_argument("--model", metavar="DIR", type=Path, help="folder of the exports (default: saved_models/TASK)")
    arguments = parser.parse_intermixed_args(argv)  # the inputs may follow the options
    name, entry = named_task("predict", tasks, [arguments.task])
    inputs = arguments.inputs or read_lines()
    if not inputs:
        raise UserError("expected something to answer, as INPUT or on standard input; received nothing")
    directory = arguments.model or Path("saved_models") / name
    if not any(directory.glob("*/saved_model.pb")):  # seen before TensorFlow is loaded
        raise UserError(f"no SavedModel in {directory}: `attention-zoo train {name}` writes one to saved_models/{name}")
    task = load(entry.task)
    return task.predict([task.read_input(argument) for argument in inputs], directory, arguments.attention)


def read_lines():
    """Returns the lines of standard input, decoded as Python decodes arguments: what is not UTF-8 in them is kept."""
    if sys.stdin.isatty():
        print("one input a line, Ctrl-D ends:", file=sys.stderr)
    text = os.fsdecode(sys.stdin.buffer.read())
    return text.removesuffix("\n").replace("\r\n", "\n").split("\n") if text else []
