"""Typed settings: a preset, then a file, then the command line.

The settings of a task are a dataclass whose fields are sections, dataclasses themselves. jsonargparse converts each
value to the type of its field. Names and values are checked here, so that a misspelt name gets the same message, with
the nearest valid name, on the command line and in files.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, is_dataclass, replace
from os import PathLike
from typing import Any, Literal, NamedTuple, get_args, get_origin

import yaml
from jsonargparse import ArgumentParser

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.run.config_files import Source, flatten, read_flat, unknown_option
from attention_zoo.pipelines.engine.run.help import CONTROLS, print_help
from attention_zoo.pipelines.engine.run.options import (
    Setting,
    all_settings,
    choices_of,
    in_words,
    settings_of,
    suggest,
    with_models,
)

SWITCHES = ("help", "print-config")


class Run(NamedTuple):
    """The request of a command line."""

    config: Any
    preset: str
    name: str
    workers: int = 1
    start_from: str = ""


def parse(
    config_class: type,
    argv: Sequence[str],
    presets: Mapping[str, PathLike[str] | str],
    default_preset: str,
    prog: str,
    description: str = "",
) -> Run:
    """Reads a command line.

    `--preset NAME` replaces the default preset, `--config FILE` overrides it, `--section.option VALUE` overrides both,
    and `--name RUN` names the run (default: the name of the preset); `--workers N` is handed on. `--help` lists every
    setting with its value and `--print-config` prints the effective settings; both end the program.

    Args:
        config_class: Dataclass of sections, all with defaults; every field has a line under `Args:` in its section's
            docstring.
        argv: The arguments.
        presets: Dict of names to YAML files.
        default_preset: Its name.
        prog: Name of the program, for the help.
        description: One line that says what the program does, for the help. Defaults to `""`.

    Returns:
        `Run`: the settings (an instance of `config_class`, whose attribute `typed` holds the names of those that the
        user wrote), the names of preset and run, the number of workers.

    Raises:
        UserError: An unknown name or a wrong value. The message says where it stands and what was expected.
        SystemExit: After `--help` and `--print-config`.
    """
    options = all_settings(config_class)
    controls, given = scan(argv, options)
    preset = controls.get("preset", default_preset)
    if preset not in presets:
        raise UserError(
            f"--preset: expected one of {', '.join(sorted(presets))}; received {preset}{suggest(preset, presets)}"
        )
    sources = [Source(f"{presets[preset]}: ", read_flat(presets[preset], options, config_class))]
    if "config" in controls:
        sources.append(Source(f"{controls['config']}: ", read_flat(controls["config"], options, config_class)))
    sources.append(Source("--", given))
    defaults, given = chosen_values(config_class, options, sources)
    values = {name: value for one in given for name, value in one.items()}
    config = assemble(defaults, values)
    config.typed = frozenset(name for one in given[1:] for name in one)
    if "help" in controls:
        settings = settings_of(defaults)
        shown = [replace(setting, default=values.get(setting.name, setting.default)) for setting in settings]
        print_help(shown, presets, prog, description, preset, getattr(config_class, "common", ()))
        sys.exit(0)
    if "print-config" in controls:
        print(dump(config), end="")
        sys.exit(0)
    workers = controls.get("workers", "1")
    if not workers.isdecimal() or int(workers) < 1:
        raise UserError(f"--workers: expected a whole number, at least 1; received {workers}")
    return Run(config, preset, controls.get("name", preset), int(workers), controls.get("start-from", ""))


def read(config_class: type, path: PathLike[str] | str) -> Any:
    """Returns the settings that a YAML file holds. Settings that it leaves out have the dataclass's defaults.

    Raises:
        UserError: The file does not exist, is not YAML, or has an unknown name or a wrong value.
    """
    options = all_settings(config_class)
    source = Source(f"{path}: ", read_flat(path, options, config_class))
    defaults, (values,) = chosen_values(config_class, options, [source])
    return assemble(defaults, values)


def changed(config: Any, argv: Sequence[str], refused: Mapping[str, str]) -> Any:
    """Returns the settings of a run with the changes of a command line.

    Args:
        config: The settings.
        argv: Options, as `--section.option VALUE`.
        refused: Why a setting cannot be changed, by the name of the setting or of its section; "" for all others.

    Raises:
        UserError: An unknown name, a wrong value, or a setting that cannot be changed.
    """
    controls, given = scan(argv, all_settings(type(config)))
    for name in [*controls, *given]:
        reason = refused.get(name, refused.get(name.partition(".")[0], refused[""]))
        if reason:
            raise UserError(f"--{name}: {reason}")
    settings = settings_of(config)
    return assemble(config, checked(given, settings, typed_parser(settings), "--"))


def dump(config: Any) -> str:
    """Returns YAML text that `read` turns into equal settings.

    Example:

    >>> from dataclasses import dataclass
    >>> @dataclass
    ... class Section:
    ...     rate: float = 0.001
    >>> @dataclass
    ... class Settings:
    ...     training: Section
    >>> print(dump(Settings(Section())), end="")
    training:
      rate: 0.001
    """
    return yaml.safe_dump(asdict(config), sort_keys=False, allow_unicode=True)


def typed_parser(settings: list[Setting]) -> ArgumentParser:
    """Returns the jsonargparse parser that gives values the types of the settings."""
    parser = ArgumentParser(exit_on_error=False)
    for setting in settings:
        kind = {"type": setting.type}
        if get_origin(setting.type) is list:
            kind = {"type": get_args(setting.type)[0], "nargs": "*"}
        parser.add_argument(f"--{setting.name}", **kind, default=setting.default)
    return parser


def scan(argv: Sequence[str], settings: list[Setting]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Splits a command line into controls and settings. Names are looked up; values stay as they were typed."""
    lists = {setting.name for setting in settings if get_origin(setting.type) is list}
    names = [setting.name for setting in settings]
    dashed = {name.replace(".", "-").replace("_", "-"): name for name in names}  # --data-files is --data.files too
    controls, given = {}, {}
    words = ["--help" if word == "-h" else word for word in argv]
    while words:
        word = words.pop(0)
        name, equals, value = word.removeprefix("--").partition("=")
        if not word.startswith("--"):
            hint = suggest(word.strip("-"), [*CONTROLS, *SWITCHES, *names], "--") if word.startswith("-") else ""
            raise UserError(f"expected an option such as --{names[0]} VALUE, received {word}{hint}")
        if name and any(known.startswith(f"{name}.") for known in names):
            raise UserError(f"--{name}: expected one of its settings, such as --{name}.OPTION VALUE; --help lists them")
        name = dashed.get(name, name)
        if name not in (*CONTROLS, *SWITCHES, *names):
            raise UserError(f"--{name}: no such option{unknown_option(name, [*CONTROLS, *SWITCHES, *names])}")
        if name in SWITCHES:
            controls[name] = True
            continue
        values = [value] if equals else []
        while words and not words[0].startswith("--") and (not values or name in lists and not equals):
            values.append(words.pop(0))
        if not values and name not in lists:
            raise UserError(f"--{name}: expected a value, received none")
        (controls if name in CONTROLS else given)[name] = values if name in lists else values[0]
    return controls, given


def chosen_values(
    config_class: type, options: list[Setting], sources: Sequence[Source]
) -> tuple[Any, list[dict[str, Any]]]:
    """Returns the defaults of the task with the chosen models, and the values of each source, checked."""
    chosen = choose_models(config_class, sources)
    defaults = with_models(config_class, chosen)
    settings = settings_of(defaults)
    parser = typed_parser(settings)
    return defaults, [
        checked(without_other_models(source, options, chosen), settings, parser, source.place) for source in sources
    ]


def choose_models(config_class: type, sources: Sequence[Source]) -> dict[str, str]:
    """Returns the name of the model that the last source names, for each section that is a choice of models."""
    chosen = {}
    for section, models in choices_of(config_class).items():
        chosen[section] = getattr(config_class(), section).name
        for source in sources:
            name = source.values.get(f"{section}.name", chosen[section])
            if name not in models:
                expected = f"expected one of {', '.join(models)}, received {name!r}{suggest(str(name), models)}"
                raise UserError(f"{source.place}{section}.name: {expected}")
            chosen[section] = name
    return chosen


def without_other_models(source: Source, options: list[Setting], chosen: Mapping[str, str]) -> dict[str, Any]:
    """Returns the values of a source, without the options of another model if the source names that model itself.

    Raises:
        UserError: The user wrote an option that the chosen model lacks.
    """
    models_with, kept = {setting.name: setting.models for setting in options}, {}
    for name, value in source.values.items():
        section = name.partition(".")[0]
        having = models_with.get(name, ())
        if section not in chosen or not having or chosen[section] in having:
            kept[name] = chosen[section] if section in chosen and name == f"{section}.name" else value
            continue
        if source.values.get(f"{section}.name", chosen[section]) == chosen[section]:
            raise UserError(
                f"{source.place}{name}: the model {chosen[section]} has no such option; {', '.join(having)} has"
            )
    return kept


def checked(content: Mapping[str, Any], settings: list[Setting], parser: ArgumentParser, place: str) -> dict[str, Any]:
    """Returns the values by flat name, each of the right type. `place` begins the message about a value that is not."""
    known = {setting.name: setting for setting in settings}
    sections = {name.rpartition(".")[0] for name in known} - {""}
    values = {}
    for name, value in flatten(content, known):
        if name in sections and value in (None, {}):  # all its lines are commented out
            continue
        if name in sections:
            raise UserError(f"{place}{name}: expected a section with settings, received {value!r}")
        if name not in known:
            raise UserError(f"{place}{name}: no such setting{suggest(name, [*known, *sections])}")
        setting = known[name]
        nested, received = value, repr(value)  # jsonargparse may change what it was given
        if place == "--" and isinstance(value, list):
            received = " ".join(value)
        for part in reversed(name.split(".")):
            nested = {part: nested}
        try:
            # jsonargparse takes None for every type: it marks what was not given.
            if value is None and type(None) not in get_args(setting.type):
                raise ValueError(value)
            values[name] = parser.parse_object(nested, defaults=False)[name]
        except Exception:  # jsonargparse raises several classes; each means that the value does not fit
            hint = suggest(str(value), get_args(setting.type)) if get_origin(setting.type) is Literal else ""
            raise UserError(
                f"{place}{name}: expected {in_words(setting.type, name)}, received {received}{hint}"
            ) from None
    return values


def assemble(defaults: Any, values: Mapping[str, Any], prefix: str = "") -> Any:
    """Returns a copy of a dataclass instance with the flat `values` in their places."""
    changed = {}
    for field in fields(defaults):
        name, value = prefix + field.name, getattr(defaults, field.name)
        if is_dataclass(value):
            changed[field.name] = assemble(value, values, f"{name}.")
        elif name in values:
            changed[field.name] = values[name]
    try:
        return replace(defaults, **changed)
    except UserError as error:  # a section that checks its values knows its fields, but not its own name
        raise UserError(f"--{prefix}{error}") from None
