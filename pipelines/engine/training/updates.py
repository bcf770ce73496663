"""One update of the weights: the same on one device, on the GPUs of a machine and on the workers of a cluster."""

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.task import Task


class Update:
    """Updates the weights with a global batch whose rows are distributed to the replicas.

    Each replica sums its loss over its own rows. Sums, weights and gradients are added over all replicas, and divided
    once by the weight of the whole batch. Every token therefore has the same weight, whichever replica computed it and
    however few rows a replica got.

    Args:
        task: The `Task`, whose `loss` is minimised.
        model: Its model, made in the strategy's scope.
        optimizer: An optimiser as `make_optimizer` returns it: it takes gradients that are already reduced.
        strategy: `tf.distribute.Strategy`.
        metrics: Dict of names to Keras metrics, see `Task.metrics`.
        spec: Element spec of the distributed batches.
    """

    def __init__(
        self,
        task: Task,
        model: keras.Model,
        optimizer: keras.optimizers.Optimizer,
        strategy: tf.distribute.Strategy,
        metrics: Mapping[str, keras.Metric],
        spec: Any,
    ):
        self.task, self.model, self.optimizer, self.strategy, self.metrics = task, model, optimizer, strategy, metrics
        self.settings = settings = task.config.training
        self.scales = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
        # Gradients of embeddings stay lists of rows, duplicates included, where a step only adds them to the weights.
        # Other optimisers change all rows, and clipping, accumulation and replicas need the sum.
        one_sum = not (
            settings.clip_norm or settings.momentum or self.scales or settings.jit or settings.accumulate > 1
        )
        self.keeps_rows = settings.optimizer == "sgd" and one_sum and strategy.num_replicas_in_sync == 1
        signature = [spec, tf.TensorSpec([2], tf.float32)]
        self._compiled = tf.function(self._step, input_signature=signature, autograph=False)
        if settings.jit:  # XLA compiles neither loops over unknown shapes nor collectives, so only this part
            if strategy.num_replicas_in_sync > 1 and not tf.config.list_physical_devices("GPU"):
                raise UserError(
                    "--training.jit: expected one device or GPUs, received several replicas on CPUs, "
                    "which XLA can't serve"
                )
            self._sums_of = tf.function(self._sums_of, jit_compile=True, autograph=False)

    def __call__(self, batch: Any, stop: float, seconds: float) -> tuple[float, float, float, float, float]:
        """Updates the weights.

        Args:
            batch: An element of the distributed dataset.
            stop: 1.0 in a process that was asked to stop, else 0.0.
            seconds: Seconds of training so far by the clock of this process.

        Returns:
            Five floats, the same in all processes: the loss per unit of weight, the weight of the global batch, the
            norm of its gradient (where rows are kept, that of their list), whether any process was asked to stop (above
            0), and the seconds of the first process.
        """
        loss, weight, norm, (stop, seconds) = (
            result.numpy() for result in self._compiled(batch, tf.constant([stop, seconds]))
        )
        return float(loss), float(weight), float(norm), float(stop), float(seconds)

    def _step(self, batch, signals):
        results = self.strategy.run(self._replica_step, args=(batch, signals))
        return [self.strategy.experimental_local_results(result)[0] for result in results]  # all replicas have the same

    def _replica_step(self, batch, signals):
        variables = self.model.trainable_variables
        replicas = tf.distribute.get_replica_context()
        first = tf.cast(tf.equal(replicas.replica_id_in_sync_group, 0), tf.float32)
        signals = signals * tf.stack([1.0, first])  # any process may ask to stop; the first one has the clock
        sums = replicas.all_reduce("SUM", [*self._sums(batch), signals])
        gradients, (total, weight, signals) = sums[: len(variables)], sums[len(variables) :]
        divisor = tf.maximum(weight, 1.0)
        if not self.keeps_rows:  # else they are divided already
            gradients = [gradient / tf.cast(divisor, gradient.dtype) for gradient in gradients]
        norm = tf.linalg.global_norm(gradients) / self._scale()
        if self.settings.clip_norm:
            gradients, _ = tf.clip_by_global_norm(gradients, self.settings.clip_norm, use_norm=norm)
        self.optimizer.apply(gradients, variables)
        return total / divisor, weight, norm, signals

    def _sums(self, batch):
        """Returns the gradient of the summed loss, that loss and the weight, over the rows of one replica."""
        parts = self.settings.accumulate
        if parts == 1:
            return self._sums_of(batch)

        def add(part, sums):
            rows = tf.nest.map_structure(lambda tensor: tensor[part::parts], batch)
            return part + 1, [before + more for before, more in zip(sums, self._sums_of(rows))]

        zeros = [*(tf.zeros(v.shape, v.dtype) for v in self.model.trainable_variables), tf.zeros([]), tf.zeros([])]
        # One part at a time, to save memory.
        _, sums = tf.while_loop(lambda part, _: part < parts, add, (0, zeros), parallel_iterations=1)
        return sums

    def _sums_of(self, batch):
        variables = self.model.trainable_variables
        with tf.GradientTape() as tape:
            total, weight, parts = self.task.loss(self.model, batch, training=True)
            # float16 holds the gradient of a mean better than that of a sum; the float32 gradients become that of the
            # sum again. Rows that are kept are divided here, too, since dividing a scalar costs nothing.
            divisor = tf.maximum(weight, 1.0) if self.scales or self.keeps_rows else 1.0
            scaled = total * self._scale() / divisor
        gradients = [
            tf.zeros(variable.shape, variable.dtype)
            if gradient is None
            else gradient  # a loss that is off reaches none
            for variable, gradient in zip(variables, tape.gradient(scaled, variables))
        ]
        if not self.keeps_rows:
            gradients = [tf.convert_to_tensor(gradient) for gradient in gradients]
            if self.scales:
                gradients = [gradient * divisor for gradient in gradients]
        update_metrics(self.metrics, parts)
        return [*gradients, total, weight]

    def _scale(self):
        """Returns the factor of float16 losses, which keeps small gradients from vanishing."""
        return tf.convert_to_tensor(self.optimizer.dynamic_scale) if self.scales else 1.0


def update_metrics(metrics: Mapping[str, keras.Metric], parts: Mapping[str, Any]) -> dict[str, Any]:
    """Updates each metric with its part of a loss, and returns the other parts."""
    for name, metric in metrics.items():
        metric.update_state(*parts[name])
    return {name: part for name, part in parts.items() if name not in metrics}
