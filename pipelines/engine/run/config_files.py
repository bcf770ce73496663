"""Reads the settings in YAML files: a preset, the file of `--config`, the config.yaml of an earlier run."""

import sys
from collections.abc import Collection, Container, Iterator, Mapping
from dataclasses import fields
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.run.options import Setting, choices_of, suggest

RENAMED = {"layers": "num_layers", "heads": "num_heads", "feed_forward": "intermediate_dim", "dim": "hidden_dim"}
OWN_DATA = ("data.files", "data.folder")  # a task has one of them
FORMER = {"data.directory": "data.folder", "data.folders": "data.folder"}


class Source(NamedTuple):
    """Settings from one place: the beginning of messages about them, and the written values by flat name."""

    place: str
    values: dict


def read_flat(path: PathLike[str] | str, options: list[Setting], config_class: type) -> dict[str, Any]:
    """Returns the values of a YAML file by flat name. Replaces older names, and prints a line that says so."""
    content, known = read_yaml(path), {setting.name for setting in options}
    values = dict(flatten(content, known))
    for old, new in FORMER.items():
        if old in values and old not in known and new in known:
            folders = values.pop(old)
            if folders:
                values[new] = folders if isinstance(folders, str) else common_folder(folders, f"{path}: {old}")
                print(f"{path}: {old} is read as {new}, its name now: {values[new]}", file=sys.stderr)
    for section in choices_of(config_class):
        renamed = {old: new for old, new in RENAMED.items() if f"{section}.{old}" in values}
        if not renamed:
            continue
        values = {rename(name, section, renamed): value for name, value in values.items()}
        drop_other_models(values, section, config_class)
        pairs = ", ".join(f"{old} is {new}" for old, new in renamed.items())
        print(f"{path}: older names of sizes are read as the newer ones: {pairs}", file=sys.stderr)
    return values


def common_folder(folders: list[str], place: str) -> str:
    """Returns the folder whose sub-folders, in the order of their names, an older list holds.

    Raises:
        UserError: There is no such folder. The message begins with `place`.
    """
    parents = {Path(folder).parent for folder in folders}
    there = [str(one) for parent in parents if parent.is_dir() for one in sorted(parent.iterdir()) if one.is_dir()]
    if len(parents) > 1 or there != [str(Path(folder)) for folder in folders]:
        raise UserError(
            f"{place}: expected --data.folder instead, one folder that holds nothing but these, in the order of names: "
            f"{', '.join(map(str, folders))}; move them there, or link them"
        )
    return str(parents.pop())


def unknown_option(name: str, names: Collection[str]) -> str:
    """Returns what to say of an option on the command line that a task does not have.

    Args:
        name: What the user typed, without its dashes.
        names: The options of the task.

    Example:

    >>> unknown_option("data-directory", ["data.folder"]), unknown_option("data.folder", ["data.files"])
    ('; it is --data.folder now', '; your own data is --data.files')
    >>> unknown_option("data.file", ["data.files"])
    '; did you mean --data.files?'
    """
    dotted = name.replace("-", ".", 1)
    if FORMER.get(dotted) in names:
        return f"; it is --{FORMER[dotted]} now"
    if dotted in (*FORMER, *OWN_DATA):
        return "".join(f"; your own data is --{one}" for one in OWN_DATA if one in names)
    return suggest(name, names, "--")


def read_yaml(path: PathLike[str] | str) -> dict[str, Any]:
    """Returns the nested dict of a YAML file."""
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: expected UTF-8 text: {error.reason} at byte {error.start}") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise UserError(f"{path}: expected sections with settings, received {content!r}")
    return content


def rename(name: str, section: str, renamed: Mapping[str, str]) -> str:
    """Returns the newer name of a setting."""
    before, _, option = name.partition(".")
    return f"{section}.{renamed[option]}" if before == section and option in renamed else name


def drop_other_models(values: dict[str, Any], section: str, config_class: type) -> None:
    """Removes the options of other models, which an older file holds too."""
    models = choices_of(config_class)[section]
    if f"{section}.name" not in values:
        first = next(iter(models))
        usual = {one.name for one in fields(models[first])}
        others = (
            name
            for name, one in models.items()
            if any(values.get(f"{section}.{option.name}") for option in fields(one) if option.name not in usual)
        )
        values[f"{section}.name"] = next(others, first)
    known = {one.name for one in fields(models[values[f"{section}.name"]])}
    for name in [n for n in values if n.startswith(f"{section}.") and n.partition(".")[2] not in known]:
        del values[name]


def flatten(content: Mapping[str, Any], known: Container[str], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yields (dotted name, value) of nested dicts."""
    for key, value in content.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and name not in known:
            yield from flatten(value, known, f"{name}.") if value else [(name, value)]
        else:
            yield name, value
