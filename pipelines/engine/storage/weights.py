"""Weights named by the layer that they belong to, so that one model's weights can start another."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from attention_zoo.pipelines.engine.errors import UserError

if TYPE_CHECKING:
    import keras


def variables_by_path(model: "keras.Model") -> dict[str, "keras.Variable"]:
    """Names the variables of a model by the layers that own them.

    Keras appends a counter of the process to the names that it makes up: the second model of a process has a
    "dense_1" where the first one has a "dense". This function numbers the names below each layer again, in the order of
    the variables, so that the same code gives the same paths. The model's own name is left out.

    Args:
        model: A built `keras.Model`.

    Returns:
        Dict of unique paths to variables, in the order of `model.variables`.

    Example:

    >>> import keras
    >>> models = [keras.Sequential([keras.Input((1,)), keras.layers.Dense(2), keras.layers.Dense(3)]) for _ in "ab"]
    >>> [list(variables_by_path(model)) for model in models] == 2 * [
    ...     ["dense/kernel", "dense/bias", "dense_1/kernel", "dense_1/bias"]
    ... ]
    True
    """
    paths = [variable.path.removeprefix(f"{model.name}/").split("/") for variable in model.variables]
    children = {}  # a prefix of a path -> the names below it, in order
    for parts in paths:
        for depth, name in enumerate(parts):
            children.setdefault(tuple(parts[:depth]), {})[name] = None
    renamed = {parent: _renumbered(names) for parent, names in children.items()}
    variables = {}
    for parts, variable in zip(paths, model.variables, strict=True):
        path = "/".join(renamed[tuple(parts[:depth])][name] for depth, name in enumerate(parts))
        same = sum(known == path or known.startswith(f"{path}#") for known in variables)
        variables[f"{path}#{same}" if same else path] = variable  # siblings that were given one name
    return variables


def _renumbered(names):
    """Maps names to themselves, with the counters "dense_4", "dense_5" replaced by "dense", "dense_1"."""
    groups = {}
    for name in names:
        groups.setdefault(re.sub(r"_[1-9]\d*$", "", name), []).append(name)
    renamed, taken = {}, set(names)
    for base, group in groups.items():
        explicit = f"{base}_0" in taken  # Keras never counts from 0: these names were given
        for number, name in enumerate(group):
            renamed[name] = name if explicit else f"{base}_{number}" if number else base
    return renamed


def load_fitting_weights(model: "keras.Model", arrays: Mapping[str, np.ndarray]) -> tuple[list[str], list[str]]:
    """Sets the weights of a model that have the same path and shape as an array; the others stay unchanged.

    Args:
        model: A built `keras.Model`.
        arrays: Dict of paths, as `variables_by_path` gives them, to arrays.

    Returns:
        (loaded, kept): sorted lists of paths of the model's weights.

    Example:

    >>> import keras, numpy as np
    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(2)])
    >>> load_fitting_weights(model, {"dense/kernel": np.ones((1, 2)), "dense/bias": np.ones(5)})
    (['dense/kernel'], ['dense/bias'])
    """
    weights = {id(variable) for variable in model.weights}  # without random streams
    variables = {path: v for path, v in variables_by_path(model).items() if id(v) in weights}
    loaded = {
        path: variable
        for path, variable in variables.items()
        if path in arrays and tuple(variable.shape) == tuple(arrays[path].shape)
    }
    for path, variable in loaded.items():
        variable.assign(arrays[path])
    return sorted(loaded), sorted(set(variables) - set(loaded))


def load_weights_by_path(
    model: "keras.Model", arrays: Mapping[str, np.ndarray]
) -> tuple[list[str], list[str], list[str]]:
    """Sets the weights of a model that have the same path as an array; the others stay unchanged.

    Args:
        model: A built `keras.Model`.
        arrays: Dict of paths, as `variables_by_path` gives them, to arrays.

    Returns:
        (loaded, missing, unexpected): sorted lists of paths. `missing` are variables without an array, `unexpected`
        arrays without a variable.

    Raises:
        UserError: An array has another shape than its variable; nothing is set.

    Example:

    >>> import keras, numpy as np
    >>> first = keras.Sequential([keras.Input((1,)), keras.layers.Dense(2, name="body")])
    >>> second = keras.Sequential([keras.Input((1,)), keras.layers.Dense(2, name="body"), keras.layers.Dense(3)])
    >>> arrays = {path: np.array(variable) for path, variable in variables_by_path(first).items()}
    >>> load_weights_by_path(second, arrays)
    (['body/bias', 'body/kernel'], ['dense/bias', 'dense/kernel'], [])
    """
    variables = variables_by_path(model)
    loaded = sorted(set(variables) & set(arrays))
    for path in loaded:
        if tuple(variables[path].shape) != tuple(arrays[path].shape):
            raise UserError(
                f"weights of {path}: expected shape {tuple(variables[path].shape)}, "
                f"received {tuple(arrays[path].shape)}"
            )
    for path in loaded:
        variables[path].assign(arrays[path])
    return loaded, sorted(set(variables) - set(arrays)), sorted(set(arrays) - set(variables))
