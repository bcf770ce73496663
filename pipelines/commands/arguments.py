"""Arguments that several commands share: the task, its presets, and a parser with one-line errors."""

import argparse
import itertools
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.registry import Entry

TASK_FOLDERS = Path(__file__).resolve().parent.parent


def presets_of(task: str) -> dict[str, Path]:
    """Returns the presets of a task, by name: `TASK/presets/*.yaml`."""
    return {path.stem: path for path in sorted((TASK_FOLDERS / task / "presets").glob("*.yaml"))}


def head_of(preset: Path) -> str:
    """Returns what the head of a preset says below its command: what it is, how long it takes, what it scores."""
    lines = preset.read_text(encoding="utf-8").splitlines()
    head = [line.removeprefix("#").strip() for line in itertools.takewhile(lambda line: line.startswith("#"), lines)]
    return " ".join(line for line in head if not line.startswith("attention-zoo "))


def named_task(command: str, tasks: Mapping[str, Entry], argv: Sequence[str]) -> tuple[str, Entry]:
    """Returns the name and entry of the task that a command names."""
    known = ", ".join(tasks)
    if not argv or argv[0].startswith("-") and argv[0] not in ("-h", "--help"):
        raise UserError(f"{command}: expected a task first, one of {known}; received {argv[0] if argv else 'none'}")
    if argv[0] in ("-h", "--help"):
        print(f"usage: attention-zoo {command} TASK ...\n\nTASK is one of {known}; {command} TASK --help says more.")
        sys.exit(0)
    if argv[0] not in tasks:
        raise UserError(f"{command}: expected a task, one of {known}; received {argv[0]}{near(argv[0], tasks)}")
    return argv[0], tasks[argv[0]]


def near(name: str, valid: Iterable[str]) -> str:
    """Returns the suggestion of the nearest valid name."""
    from attention_zoo.pipelines.engine.run.options import suggest

    return suggest(name, valid)


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are `UserError`s: one line, without the usage."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, **options)

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{self.prog.split()[-1]}: {message}; see {self.prog} --help")
