"""Scores a model on the validation split during training, on every strategy."""

from collections.abc import Callable, Mapping
from typing import Any

import keras
import tensorflow as tf

from attention_zoo.pipelines.engine.task import Task
from attention_zoo.pipelines.engine.training.updates import update_metrics


class Evaluation:
    """Computes losses and Keras metrics of a split.

    Args:
        task: The `Task`, whose `loss` is computed.
        model: Its model.
        metrics: Dict of names to Keras metrics, see `Task.metrics`; training uses them too.
        strategy: `tf.distribute.Strategy`.
        batches: Function that returns the batches of the validation split, distributed by the strategy.
    """

    def __init__(
        self,
        task: Task,
        model: keras.Model,
        metrics: Mapping[str, keras.Metric],
        strategy: tf.distribute.Strategy,
        batches: Callable[[], tf.distribute.DistributedDataset],
    ):
        self.task, self.model, self.metrics, self.strategy, self.batches = task, model, metrics, strategy, batches
        self._split: Any = None
        self._compiled: Any = None

    def losses(self) -> dict[str, float]:
        """Returns the parts of the loss per unit of weight, and the Keras metrics, as `dev/NAME`."""
        if self._split is None:  # a dataset is traced when it is made, and this one is the same at each evaluation
            self._split = self.batches()
            self._compiled = tf.function(self._step, input_signature=[self._split.element_spec], autograph=False)
        sums, weights = {}, 0.0
        self.take_metrics()
        for batch in self._split:
            parts, weight = self._compiled(batch)
            weights += float(weight)
            for name, value in parts.items():
                sums[name] = sums.get(name, 0.0) + float(value)
        losses = {f"dev/{name}": value / max(weights, 1.0) for name, value in sums.items()}
        return losses | self.take_metrics("dev")

    def take_metrics(self, prefix: str = "") -> dict[str, float]:
        """Returns the values of the Keras metrics as `PREFIX/NAME`, and resets them."""
        values = {f"{prefix}/{name}": float(metric.result()) for name, metric in self.metrics.items()}
        for metric in self.metrics.values():
            metric.reset_state()
        return values

    def _step(self, batch):
        """Returns the sums of a batch over all replicas: the named parts of the loss, and the weight."""

        def on_replica(batch):
            _, weight, parts = self.task.loss(self.model, batch, training=False)
            return update_metrics(self.metrics, parts), weight

        results = self.strategy.run(on_replica, args=(batch,))
        return tf.nest.map_structure(lambda sums: self.strategy.reduce("SUM", sums, axis=None), results)
