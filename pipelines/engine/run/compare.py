"""Two runs side by side: scores, settings that differ, and their curves in one picture."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import yaml

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.run.runs import read_or
from attention_zoo.pipelines.engine.storage.run_folder import RunFolder


@dataclass(frozen=True)
class Comparison:
    """The differences between two runs.

    Args:
        names: Names of the two runs, for people.
        scores: Dict of metrics to pairs; None where a run lacks one.
        settings: Dict of the settings that differ, "section.option", to pairs; None where a run lacks one.
    """

    names: tuple
    scores: dict
    settings: dict


def compare_runs(first: PathLike[str] | str, second: PathLike[str] | str) -> Comparison:
    """Compares two runs, without loading TensorFlow.

    Args:
        first: Folder of a run.
        second: Folder of another run.

    Returns:
        A `Comparison`. The scores of a run that has not finished are those of its last evaluation.

    Raises:
        UserError: A folder holds no run.
    """
    folders = [RunFolder(first), RunFolder(second)]
    for folder in folders:
        if not folder.config.is_file():
            raise UserError(f"no run in {folder}: expected {folder.config.name} there; `attention-zoo runs` lists them")
    settings = [flat(yaml.safe_load(folder.config.read_text(encoding="utf-8")) or {}) for folder in folders]
    scores = [all_scores(folder) for folder in folders]
    differ = {name: pair for name, pair in pairs(*settings).items() if pair[0] != pair[1]}
    return Comparison(names_of(folders), pairs(*scores), differ)


def draw_comparison(first: PathLike[str] | str, second: PathLike[str] | str, path: str | Path) -> Path | None:
    """Draws the curves of two runs in one picture.

    Args:
        first: Folder of a run.
        second: Folder of another run.
        path: The file, PNG, SVG or PDF.

    Returns:
        The `Path`; None if neither run has been evaluated yet.
    """
    from attention_zoo.pipelines.engine.pictures.comparison import draw_compared_curves

    folders = [RunFolder(first), RunFolder(second)]
    histories = [read_or(folder.read_history, []) for folder in folders]
    if not any(histories):
        return None
    return draw_compared_curves(dict(zip(names_of(folders), histories)), path)


def names_of(folders: Sequence[RunFolder]) -> tuple[str, str]:
    """Returns the names of two runs: those of their folders if they differ, else their whole paths."""
    first, second = (folder.path for folder in folders)
    short = first.resolve().name, second.resolve().name
    if short[0] != short[1]:
        return short
    return (str(first), str(second)) if str(first) != str(second) else (f"{first} (1)", f"{second} (2)")


def all_scores(folder: RunFolder) -> dict[str, float]:
    """Returns the metrics of a run, or the figures of its last evaluation if it has not finished."""
    metrics = read_or(folder.read_metrics, {})
    if metrics:
        return metrics
    history = read_or(folder.read_history, [])
    return {name: value for name, value in (history[-1] if history else {}).items() if "/" in name}


def pairs(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Returns a dict of all names in two dicts to pairs of values, sorted by name.

    Example:

    >>> pairs({"b": 1}, {"a": 2, "b": 3})
    {'a': (None, 2), 'b': (1, 3)}
    """
    return {name: (first.get(name), second.get(name)) for name in sorted({*first, *second})}


def flat(nested: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Returns a nested dict as a flat one with dotted names.

    Example:

    >>> flat({"training": {"epochs": 3}})
    {'training.epochs': 3}
    """
    values = {}
    for name, value in nested.items():
        values |= flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return values
