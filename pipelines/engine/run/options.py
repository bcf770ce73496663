"""The options of a task, listed from its dataclasses: names, types in words, and the models a section can hold."""

import difflib
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, Literal, get_args, get_origin, get_type_hints

from docstring_parser import parse as parse_docstring

WORDS = {int: "a whole number", float: "a number", str: "a text", bool: "true or false", type(None): "null"}


@dataclass
class Setting:
    """One field: `training.epochs`, its type, default and reason."""

    name: str
    type: Any
    default: Any
    reason: str
    section: str  # first line of the section's docstring
    models: tuple[str, ...] = field(default=())  # the models that have the option; empty outside a choice of models


def settings_of(defaults: Any, prefix: str = "", section: str = "") -> list[Setting]:
    """Lists the `Setting`s of a dataclass instance that holds the defaults, those of its sections included."""
    reasons: dict[str, str] = {}
    for ancestor in reversed(type(defaults).__mro__):
        described = parse_docstring(ancestor.__doc__ or "").params
        reasons |= {part.arg_name: " ".join((part.description or "").split()) for part in described}
    types, listed = get_type_hints(type(defaults)), []
    for one in fields(defaults):
        name, value = prefix + one.name, getattr(defaults, one.name)
        if is_dataclass(value):
            inner = settings_of(value, f"{name}.", parse_docstring(value.__doc__ or "").short_description or "")
            names = tuple(models_of(types[one.name]))
            for setting in inner:
                if names and setting.name == f"{name}.name":
                    setting.type = Literal[names]  # any of the models may be chosen
            listed += inner
        else:
            listed.append(Setting(name, types[one.name], value, reasons.get(one.name, ""), section))
    return listed


def models_of(kind: Any) -> dict[str, type]:
    """Returns the dataclasses of a section that is a union of them, by the value of their field `name`."""
    classes = [one for one in get_args(kind) if is_dataclass(one) and isinstance(one, type)]
    return {one().name: one for one in classes}


def choices_of(config_class: type) -> dict[str, dict[str, type]]:
    """Returns, for each section that is a choice of models, their dataclasses by name."""
    hints = get_type_hints(config_class)
    models = {one.name: models_of(hints[one.name]) for one in fields(config_class)}  # type: ignore[arg-type]
    return {section: classes for section, classes in models.items() if classes}


def with_models(config_class: type, chosen: dict[str, str]) -> Any:
    """Returns the defaults of a task, with the defaults of the chosen models in their sections."""
    defaults = config_class()
    for section, models in choices_of(config_class).items():
        name = chosen.get(section) or getattr(defaults, section).name
        if name != getattr(defaults, section).name:
            defaults = replace(defaults, **{section: models[name]()})
    return defaults


def all_settings(config_class: type) -> list[Setting]:
    """Lists the settings of a task, the options of every model included, each once."""
    listed: dict[str, Setting] = {}
    for setting in settings_of(config_class()):
        listed.setdefault(setting.name, setting)
    for section, models in choices_of(config_class).items():
        for name in models:
            for setting in settings_of(with_models(config_class, {section: name})):
                if setting.name.startswith(f"{section}."):
                    known = listed.setdefault(setting.name, setting)
                    known.models = (*known.models, name)
    return list(listed.values())


def in_words(kind: Any, name: str = "") -> str:
    """Returns the description of a type for users.

    Args:
        kind: The type.
        name: Name of the setting, for the example of a list. Defaults to `""`.

    Example:

    >>> in_words(Literal["adam", "sgd"]), in_words(int | None)
    ('one of adam, sgd', 'a whole number or null')
    >>> in_words(list[Literal["knn", "svm", "cnn"]], "baselines.names")
    'one or more of knn, svm, cnn, as --baselines.names knn svm'
    """
    if get_origin(kind) is Literal:
        return f"one of {', '.join(map(str, get_args(kind)))}"
    if get_origin(kind) is list:
        (item,) = get_args(kind)
        choices = get_args(item) if get_origin(item) is Literal else ()
        listed = f"one or more of {', '.join(choices)}" if choices else "one or more texts"
        example = " ".join(choices[:2]) if choices else "A B"
        return f"{listed}, as --{name} {example}" if name else listed
    if get_args(kind):
        return " or ".join(map(in_words, get_args(kind)))
    return WORDS.get(kind, str(kind))


def suggest(name: str, valid: Any, prefix: str = "") -> str:
    """Returns "; did you mean ...?" with the nearest valid name, or `""` if no name is near.

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
