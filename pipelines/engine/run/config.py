"""Typed settings: a preset, then a file, then the command line.

The settings of a task are a dataclass whose fields are sections, dataclasses themselves. jsonargparse turns what was
written into the type of a field and prints the help. Names are looked up here, so that a misspelt one gets the same
answer, with the nearest valid name, wherever it was written; and so is each value, so that the answer names it.
"""

import difflib
import sys
from argparse import SUPPRESS
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

import yaml
from docstring_parser import parse as parse_docstring
from jsonargparse import ArgumentParser

from attention_zoo.pipelines.engine.errors import UserError

CONTROLS = {"preset": "NAME", "config": "FILE", "name": "RUN", "workers": "N"}
SWITCHES = ("help", "print-config")


@dataclass
class Setting:
    """One field: `training.epochs`, its type, default and reason."""

    name: str
    type: Any
    default: Any
    reason: str
    section: str  # first line of the section's docstring


class Run(NamedTuple):
    """What a command line asks for."""

    config: Any
    preset: str
    name: str
    workers: int = 1


def parse(config_class, argv, presets, default_preset, prog, description=""):
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
        description: What it does, for the help.

    Returns:
        `Run`: the settings (an instance of `config_class`, whose attribute `typed` holds the names of those that the
        user wrote), the names of preset and run, the number of workers.

    Raises:
        UserError: an unknown name or a wrong value, in one line with where it stands and what was expected.
        SystemExit: after `--help` and `--print-config`.
    """
    settings = settings_of(config_class())
    parser = typed_parser(settings, prog=prog)
    controls, given = scan(argv, settings)
    preset = controls.get("preset", default_preset)
    if preset not in presets:
        raise UserError(
            f"--preset: expected one of {', '.join(sorted(presets))}; received {preset}{suggest(preset, presets)}"
        )
    values = checked(read_yaml(presets[preset]), settings, parser, f"{presets[preset]}: ")
    typed = (
        checked(read_yaml(controls["config"]), settings, parser, f"{controls['config']}: ")
        if "config" in controls
        else {}
    )
    typed |= checked(given, settings, parser, "--")
    values |= typed
    config = assemble(config_class(), values)
    config.typed = frozenset(typed)
    if "help" in controls:
        chosen = [replace(setting, default=values.get(setting.name, setting.default)) for setting in settings]
        usage = f"{prog} [--preset NAME] [--config FILE] [--name RUN] [--workers N] [--section.option VALUE ...]"
        about = f"{description.rstrip('.')}. The defaults shown are those of preset {preset}.".lstrip(". ")
        typed_parser(chosen, presets=presets, prog=prog, usage=usage, description=about).print_help()
        sys.exit(0)
    if "print-config" in controls:
        print(dump(config), end="")
        sys.exit(0)
    workers = controls.get("workers", "1")
    if not workers.isdecimal() or int(workers) < 1:
        raise UserError(f"--workers: expected a whole number, at least 1; received {workers}")
    return Run(config, preset, controls.get("name", preset), int(workers))


def read(config_class, path):
    """Returns the settings that a YAML file holds; what it leaves out has the dataclass's default.

    Raises:
        UserError: the file is not there, is not YAML, or has an unknown name or a wrong value.
    """
    settings = settings_of(config_class())
    return assemble(config_class(), checked(read_yaml(path), settings, typed_parser(settings), f"{path}: "))


def dump(config):
    """Returns YAML text that `read` turns into equal settings.

    Example:

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


def settings_of(defaults, prefix="", section=""):
    """Lists the `Setting`s of a dataclass instance that holds the defaults, those of its sections included."""
    described = parse_docstring(type(defaults).__doc__ or "").params
    reasons = {part.arg_name: " ".join((part.description or "").split()) for part in described}
    types, found = get_type_hints(type(defaults)), []
    for field in fields(defaults):
        name, value = prefix + field.name, getattr(defaults, field.name)
        if is_dataclass(value):
            heading = parse_docstring(value.__doc__ or "").short_description or ""
            found += settings_of(value, f"{name}.", heading)
        else:
            found.append(Setting(name, types[field.name], value, reasons.get(field.name, ""), section))
    return found


def typed_parser(settings, presets=None, **options):
    """Returns the jsonargparse parser of the settings; with `presets`, the one whose help a user reads."""
    parser = ArgumentParser(exit_on_error=False, **options)
    if presets is not None:
        reasons = {
            "preset": f"the settings to begin with: {', '.join(sorted(presets))}",
            "config": "YAML file that overrides the preset, such as the config.yaml of a run",
            "name": "name of the run's folder (default: the preset)",
            "workers": "try a cluster: start so many processes on this machine (without effect where TF_CONFIG names one)",
        }
        for name, metavar in CONTROLS.items():
            parser.add_argument(f"--{name}", metavar=metavar, default=SUPPRESS, help=reasons[name])
        parser.add_argument(
            "--print-config", action="store_true", default=SUPPRESS, help="print the effective settings and exit"
        )
    groups = {}
    for setting in settings:
        section = setting.name.rpartition(".")[0]
        if section and section not in groups:
            groups[section] = parser.add_argument_group(section, setting.section)
        group = groups.get(section, parser)
        kind = {"type": setting.type}
        if get_origin(setting.type) is list:
            kind = {"type": get_args(setting.type)[0], "nargs": "*"}
        group.add_argument(f"--{setting.name}", **kind, default=setting.default, help=setting.reason)
    return parser


def scan(argv, settings):
    """Splits a command line into the controls and the settings, names looked up and values as they were typed."""
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
        if any(known.startswith(f"{name}.") for known in names):
            raise UserError(f"--{name}: expected one of its settings, such as --{name}.OPTION VALUE; --help lists them")
        name = dashed.get(name, name)
        if name not in (*CONTROLS, *SWITCHES, *names):
            raise UserError(f"--{name}: no such option{suggest(name, [*CONTROLS, *SWITCHES, *names], '--')}")
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


def read_yaml(path):
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


def checked(content, settings, parser, place):
    """Returns a flat dict of names to values of the right type; `place` begins the message about one that is not."""
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
        for part in reversed(name.split(".")):
            nested = {part: nested}
        try:
            # jsonargparse takes None for every type: it marks what was not given.
            if value is None and type(None) not in get_args(setting.type):
                raise ValueError(value)
            values[name] = parser.parse_object(nested, defaults=False)[name]
        except Exception:  # jsonargparse names several classes; whichever it is, the value does not fit
            hint = suggest(str(value), get_args(setting.type)) if get_origin(setting.type) is Literal else ""
            raise UserError(f"{place}{name}: expected {type_name(setting.type)}, received {received}{hint}") from None
    return values


def flatten(content, known, prefix=""):
    """Yields (dotted name, value) of nested dicts."""
    for key, value in content.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and name not in known:
            yield from flatten(value, known, f"{name}.") if value else [(name, value)]
        else:
            yield name, value


def assemble(defaults, values, prefix=""):
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
        raise UserError(f"{prefix}{error}") from None


def suggest(name, valid, prefix=""):
    """Returns "; did you mean ...?" with the nearest valid name, or nothing where none is near.

    Example:

    >>> suggest("epoch", ["training.epochs", "model.units"], "--")
    '; did you mean --training.epochs?'
    """
    spelt = {str(name).rpartition(".")[2].lower(): name for name in reversed(list(valid))}
    spelt |= {str(name).lower(): name for name in valid}
    name = name.lower()
    for wanted in (name, name.replace("-", "_"), name.rpartition(".")[2]):
        near = difflib.get_close_matches(wanted, spelt, n=1, cutoff=0.6)
        if near:
            return f"; did you mean {prefix}{spelt[near[0]]}?"
    return ""


def type_name(kind):
    """Returns a type as a user would say it.

    Example:

    >>> type_name(Literal["adam", "sgd"]), type_name(int | None), type_name(list[str])
    ('one of adam, sgd', 'int or null', 'list[str]')
    """
    if get_origin(kind) is Literal:
        return f"one of {', '.join(map(str, get_args(kind)))}"
    if kind is type(None):
        return "null"
    if get_args(kind) and get_origin(kind) is not list:
        return " or ".join(map(type_name, get_args(kind)))
    return getattr(kind, "__name__", str(kind)) if get_origin(kind) is None else str(kind)
