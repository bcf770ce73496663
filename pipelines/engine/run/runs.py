"""Lists the runs below a folder, with their states and scores."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from attention_zoo.pipelines.engine.storage.checkpoints import CheckpointStore
from attention_zoo.pipelines.engine.storage.files import locked
from attention_zoo.pipelines.engine.storage.run_folder import RunFolder, runs_of

T = TypeVar("T")

PRESET, DATA = "Preset", "Data"  # what the lines at the head of config.yaml name, besides versions


@dataclass(frozen=True)
class RunSummary:
    """One run.

    Args:
        task: Name of the task.
        name: Name of the run.
        preset: Preset that its settings come from; empty if an earlier version wrote the run.
        date: When the run was last started.
        scores: Metrics by name: those of the test split, or of the last evaluation if the run has not finished.
        state: "finished", "running", "stopped at step N" or "no checkpoint".
    """

    task: str
    name: str
    preset: str
    date: datetime
    scores: dict
    state: str


def list_runs(directory: str | Path = "runs", task: str | None = None) -> list[RunSummary]:
    """Lists the runs in a folder, without loading TensorFlow.

    Args:
        directory: Folder of TASK/NAME/. Defaults to `"runs"`.
        task: Name of the task whose runs are listed. Defaults to `None`, which lists all tasks.

    Returns:
        List of `RunSummary`, by task, the newest run first.
    """
    summaries = [summarize(path) for path in runs_of(task or "*", directory)]
    return sorted(summaries, key=lambda run: (run.task, -run.date.timestamp(), run.name))


def summarize(path: Path) -> RunSummary:
    """Returns the `RunSummary` of a run folder."""
    folder = RunFolder(path)
    path = folder.path.resolve()
    date = datetime.fromtimestamp(folder.config.stat().st_mtime)
    return RunSummary(path.parent.name, path.name, preset_of(folder), date, scores_of(folder), state_of(folder))


def preset_of(folder: RunFolder) -> str:
    """Returns the preset that the head of a run's config.yaml names; empty if it names none."""
    return head_of(folder, PRESET)


def head_of(folder: RunFolder, what: str) -> str:
    """Returns what the head of a run's config.yaml says of `what`, such as "Data"; empty if it says nothing."""
    begin, lines = f"# {what}: ", folder.config.read_text(encoding="utf-8").splitlines()
    return next((line.removeprefix(begin) for line in lines if line.startswith(begin)), "")


def scores_of(folder: RunFolder) -> dict[str, float]:
    """Returns the test metrics of a finished run, or the validation metrics of the last evaluation."""
    metrics = read_or(folder.read_metrics, {})
    tested = {name: value for name, value in metrics.items() if name.startswith("test/")}
    if tested:
        return tested
    history = read_or(folder.read_history, [])
    last = history[-1] if history else {}
    return {name: value for name, value in last.items() if name.startswith("dev/")}


def state_of(folder: RunFolder) -> str:
    """Returns the state of a run, such as "finished"."""
    if folder.lock.is_file():
        try:
            with locked(folder.lock):
                pass
        except BlockingIOError:
            return "running"
    if folder.metrics.is_file():
        return "finished"
    steps = CheckpointStore(folder.checkpoints).steps()
    return f"stopped at step {steps[-1]:,}" if steps else "no checkpoint"


def read_or(read: Callable[[], T], default: T) -> T:
    """Returns the result of `read`, or the default if the file is damaged."""
    try:
        return read()
    except (json.JSONDecodeError, UnicodeDecodeError):
        return default
