"""Every example in a docstring runs, and every public name has a docstring."""

import doctest
import importlib
import inspect
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MODULES = sorted(
    "attention_zoo." + ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in [*ROOT.glob("layers/**/*.py"), *ROOT.glob("pipelines/**/*.py")]
    if not path.name.startswith("__")
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_run(name):
    module = importlib.import_module(name)
    result = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    assert result.failed == 0


@pytest.mark.parametrize("name", MODULES)
def test_public_names_are_documented(name):
    module = importlib.import_module(name)
    for label, thing in vars(module).items():
        defined_here = getattr(thing, "__module__", None) == name and (
            inspect.isclass(thing) or inspect.isfunction(thing)
        )
        if defined_here and not label.startswith("_"):
            assert inspect.getdoc(thing), f"{name}.{label} has no docstring"


@pytest.mark.parametrize("name", [name for name in MODULES if ".layers." in name])
def test_every_public_layer_shows_an_example(name):
    import keras

    module = importlib.import_module(name)
    for label, thing in vars(module).items():
        if (
            inspect.isclass(thing)
            and issubclass(thing, keras.layers.Layer)
            and thing.__module__ == name
            and label[0] != "_"
        ):
            assert ">>>" in thing.__doc__, f"{name}.{label} has no example"
