"""Everything of a run that a checkpoint holds, as arrays and back."""

from contextlib import contextmanager

import numpy as np

from attention_zoo.pipelines.engine.errors import UserError


class RunState:
    """The variables of a run: weights and random streams, optimiser slots and loss scale, moving averages, metrics.

    Args:
        model: Built.
        optimizer: Built.
        metrics: Dict of names to Keras metrics.
    """

    def __init__(self, model, optimizer, metrics):
        self.model, self.optimizer, self.metrics = model, optimizer, metrics

    def variables(self):
        """Names all variables by their places; Keras numbers layers anew in each process, so their paths don't last."""
        metrics = [variable for metric in self.metrics.values() for variable in metric.variables]
        return (
            {f"model/{i:03d}/{variable.name}": variable for i, variable in enumerate(self.model.variables)}
            | {f"optimizer/{i:03d}": variable for i, variable in enumerate(self.optimizer.variables)}
            | {f"metric/{i:03d}": variable for i, variable in enumerate(metrics)}
        )

    def arrays(self):
        """Returns all variables as NumPy arrays."""
        return {name: np.array(variable) for name, variable in self.variables().items()}

    def assign(self, arrays):
        """Sets all variables.

        Raises:
            UserError: the arrays are those of another model.
        """
        variables = self.variables()
        if set(arrays) != set(variables):
            odd = sorted(set(arrays) ^ set(variables))[0]
            raise UserError(
                f"the checkpoints of this run belong to another model (they differ in {odd}); choose another --name, or remove "
                "its folder"
            )
        for name, variable in variables.items():
            if tuple(arrays[name].shape) != tuple(variable.shape):
                raise UserError(
                    f"the checkpoints of this run belong to a model of another size: {name} has shape {tuple(variable.shape)}, "
                    f"received {arrays[name].shape}; choose another --name, or remove its folder"
                )
            variable.assign(arrays[name])

    def take_average(self):
        """Gives the model the moving average of its weights, if the optimiser keeps one."""
        if self._averaging().use_ema:
            self._averaging().finalize_variable_values(self.model.trainable_variables)

    def _averaging(self):
        return getattr(self.optimizer, "inner_optimizer", self.optimizer)

    @contextmanager
    def averaged_weights(self):
        """Lends the model the moving average of its weights while the block runs."""
        weights = (
            [np.array(variable) for variable in self.model.trainable_variables] if self._averaging().use_ema else []
        )
        self.take_average()
        try:
            yield
        finally:
            for variable, weight in zip(self.model.trainable_variables, weights):
                variable.assign(weight)
