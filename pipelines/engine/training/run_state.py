"""Converts the variables of a run to the arrays of a checkpoint, and back."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import keras
import numpy as np

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.storage.checkpoints import Arrays
from attention_zoo.pipelines.engine.storage.weights import variables_by_path

MODEL, AVERAGE = "model/", "optimizer/average/"  # prefixes of the names in a checkpoint
POSITIONAL = re.compile(r"model/\d{3,}/[^/]+")  # how earlier versions named a weight: by its place in the model


class RunState:
    """The variables of a run: weights and random streams, optimiser slots and loss scale, moving averages, metrics.

    Args:
        model: The model, built.
        optimizer: Its optimiser, built.
        metrics: Dict of names to Keras metrics.
    """

    def __init__(self, model: keras.Model, optimizer: keras.optimizers.Optimizer, metrics: Mapping[str, keras.Metric]):
        self.model, self.optimizer, self.metrics = model, optimizer, metrics

    def variables(self) -> dict[str, keras.Variable]:
        """Returns all variables by name: weights and their averages by layer path, the others by position."""
        weights = variables_by_path(self.model)
        paths = {id(variable): path for path, variable in weights.items()}
        averages = {}
        if self._averaging().use_ema:
            averages = dict(zip(map(id, self._averages()), (paths[id(v)] for v in self.model.trainable_variables)))
        named = {f"{MODEL}{path}": variable for path, variable in weights.items()}
        for i, variable in enumerate(self.optimizer.variables):
            path = averages.get(id(variable))
            named[f"optimizer/{i:03d}" if path is None else f"{AVERAGE}{path}"] = variable
        metrics = [variable for metric in self.metrics.values() for variable in metric.variables]
        return named | {f"metric/{i:03d}": variable for i, variable in enumerate(metrics)}

    def arrays(self) -> Arrays:
        """Returns all variables as NumPy arrays."""
        return {name: np.array(variable) for name, variable in self.variables().items()}

    def renamed(self, arrays: Arrays) -> Arrays:
        """Names the arrays of a checkpoint by layer path; earlier versions named weights by position.

        Arrays with other names are returned unchanged, and so are those that do not fit the model in number and shapes.
        """
        if not any(POSITIONAL.fullmatch(name) for name in arrays):
            return arrays
        variables = self.variables()
        groups = ("model/", "optimizer/", "metric/")  # the order of `variables`
        earlier = sorted(arrays, key=lambda name: ([name.startswith(group) for group in groups].index(True), name))
        fits = len(earlier) == len(variables) and all(
            tuple(arrays[old].shape) == tuple(variable.shape) for old, variable in zip(earlier, variables.values())
        )
        return {new: arrays[old] for new, old in zip(variables, earlier)} if fits else arrays

    def assign(self, arrays: Arrays) -> bool:
        """Sets all variables.

        Args:
            arrays: The arrays of a checkpoint, weights named by layer path or, by earlier versions, by position.

        Returns:
            Whether the names were positions.

        Raises:
            UserError: The arrays belong to another model.
        """
        variables, given = self.variables(), arrays
        arrays = self.renamed(given)
        if set(arrays) != set(variables):
            odd = sorted(set(arrays) ^ set(variables))[0]
            raise UserError(
                f"the checkpoints of this run belong to another model (they differ in {odd}); choose another --name, "
                "or remove its folder"
            )
        for name, variable in variables.items():
            if tuple(arrays[name].shape) != tuple(variable.shape):
                raise UserError(
                    f"the checkpoints of this run belong to a model of another size: {name} has shape "
                    f"{tuple(variable.shape)}, received {arrays[name].shape}; choose another --name, or remove its "
                    "folder"
                )
            variable.assign(arrays[name])
        return arrays is not given

    def take_average(self) -> None:
        """Gives the model the moving average of its weights, if the optimiser keeps one."""
        if self._averaging().use_ema:
            self._averaging().finalize_variable_values(self.model.trainable_variables)

    def _averaging(self):
        return self.optimizer.inner_optimizer if hasattr(self.optimizer, "inner_optimizer") else self.optimizer

    def _averages(self):
        return self._averaging()._model_variables_moving_average  # in the order of the trainable variables

    @contextmanager
    def averaged_weights(self) -> Iterator[None]:
        """Gives the model the moving average of its weights while the block runs, and its weights back afterwards."""
        weights = (
            [np.array(variable) for variable in self.model.trainable_variables] if self._averaging().use_ema else []
        )
        self.take_average()
        try:
            yield
        finally:
            for variable, weight in zip(self.model.trainable_variables, weights):
                variable.assign(weight)


def weights_to_judge(arrays: Arrays, model: keras.Model) -> Arrays:
    """Returns the weights in a checkpoint by layer path: the moving averages where there are some.

    Args:
        arrays: The arrays of a checkpoint, as `RunState.arrays` names them, or by position as earlier versions did.
        model: The model, by which positions are mapped to paths.

    Returns:
        Dict as `load_weights_by_path` takes it.
    """
    positions = sorted(name for name in arrays if POSITIONAL.fullmatch(name))
    if positions:
        return {path: arrays[name] for path, name in zip(variables_by_path(model), positions)}
    weights = {name.removeprefix(MODEL): array for name, array in arrays.items() if name.startswith(MODEL)}
    averages = {name.removeprefix(AVERAGE): array for name, array in arrays.items() if name.startswith(AVERAGE)}
    return weights | averages
