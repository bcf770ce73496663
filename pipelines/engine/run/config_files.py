"""Reads the settings in YAML files: a preset, the file of `--config`, the config.yaml of an earlier run."""

import sys
from collections.abc import Container, Iterator, Mapping
from dataclasses import fields
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.run.options import Setting, choices_of

RENAMED = {"layers": "num_layers", "heads": "num_heads", "feed_forward": "intermediate_dim", "dim": "hidden_dim"}


class Source(NamedTuple):
    """Settings from one place: the beginning of messages about them, and the written values by flat name."""

    place: str
    values: dict


def read_flat(path: PathLike[str] | str, options: list[Setting], config_class: type) -> dict[str, Any]:
    """Returns the values of a YAML file by flat name. Replaces older names of sizes, and prints a line that says so."""
    content = read_yaml(path)
    values = dict(flatten(content, {setting.name for setting in options}))
    for section in choices_of(config_class):
        renamed = {old: new for old, new in RENAMED.items() if f"{section}.{old}" in values}
        if not renamed:
            continue
        values = {rename(name, section, renamed): value for name, value in values.items()}
        drop_other_models(values, section, config_class)
        pairs = ", ".join(f"{old} is {new}" for old, new in renamed.items())
        print(f"{path}: older names of sizes are read as the newer ones: {pairs}", file=sys.stderr)
    return values


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
