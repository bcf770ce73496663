"""One update of the weights: the same on one device, on the GPUs of a machine and on the workers of a cluster."""

import keras
import tensorflow as tf

from attention_zoo.pipelines.engine.errors import UserError


class Update:
    """Takes a step on a global batch whose rows lie with the replicas.

    Each replica sums its loss over its own rows; sums, weights and gradients are added over all replicas at once, and
    divided
    once by the weight of the whole batch. So every token weighs the same, wherever it was computed and however few
    rows a replica got.

    Args:
        task: Has `loss`.
        model: Its model, made in the strategy's scope.
        optimizer: As `make_optimizer` makes it: it takes gradients that are reduced already.
        strategy: `tf.distribute.Strategy`.
        metrics: Dict of names to Keras metrics, see `Task.metrics`.
        spec: Element spec of the distributed batches.
    """

    def __init__(self, task, model, optimizer, strategy, metrics, spec):
        self.task, self.model, self.optimizer, self.strategy, self.metrics = task, model, optimizer, strategy, metrics
        self.settings = settings = task.config.training
        self.scales = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
        signature = [spec, tf.TensorSpec([2], tf.float32)]
        self._compiled = tf.function(self._step, input_signature=signature, autograph=False)
        if settings.jit:  # of one part of one replica's rows: neither loops over open shapes nor collectives are XLA's
            if strategy.num_replicas_in_sync > 1 and not tf.config.list_physical_devices("GPU"):
                raise UserError(
                    "--training.jit: expected one device or GPUs, received several replicas on CPUs, "
                    "which XLA can't serve"
                )
            self._sums_of = tf.function(self._sums_of, jit_compile=True, autograph=False)

    def __call__(self, batch, stop, seconds):
        """Updates the weights.

        Args:
            batch: An element of the distributed dataset.
            stop: 1.0 in a process that was asked to stop, else 0.0.
            seconds: What the clock of this process says.

        Returns:
            Five floats, the same in all processes: the loss per unit of weight, the weight of the global batch, the
                norm of its
            gradient, whether any process was asked to stop (above 0), and the seconds of the first one.
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
        sums = replicas.all_reduce(
            "SUM", [*self._sums(batch), signals * tf.stack([1.0, first])]
        )  # all may stop, one has the time
        gradients, (total, weight, signals) = sums[: len(variables)], sums[len(variables) :]
        divisor = tf.maximum(weight, 1.0)
        gradients = [gradient / tf.cast(divisor, gradient.dtype) for gradient in gradients]
        norm = tf.linalg.global_norm(gradients) / self._scale()
        if self.settings.clip_norm:
            gradients, _ = tf.clip_by_global_norm(gradients, self.settings.clip_norm, use_norm=norm)
        self.optimizer.apply(gradients, variables)
        return total / divisor, weight, norm, signals

    def _sums(self, batch):
        """Gradient of the summed loss, that loss and the weight, over the rows of one replica."""
        parts = self.settings.accumulate
        if parts == 1:
            return self._sums_of(batch)

        def add(part, sums):
            rows = tf.nest.map_structure(lambda tensor: tensor[part::parts], batch)
            return part + 1, [before + more for before, more in zip(sums, self._sums_of(rows))]

        zeros = [*(tf.zeros(v.shape, v.dtype) for v in self.model.trainable_variables), tf.zeros([]), tf.zeros([])]
        # One part at a time: that is what saves the memory.
        _, sums = tf.while_loop(lambda part, _: part < parts, add, (0, zeros), parallel_iterations=1)
        return sums

    def _sums_of(self, batch):
        variables = self.model.trainable_variables
        with tf.GradientTape() as tape:
            total, weight, parts = self.task.loss(self.model, batch, training=True)
            # float16 holds the gradient of a mean better than that of a sum; the float32 gradients become that of the
            # sum again.
            divisor = tf.maximum(weight, 1.0) if self.scales else 1.0
            scaled = total * self._scale() / divisor
        gradients = tape.gradient(scaled, variables, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        gradients = [tf.convert_to_tensor(gradient) for gradient in gradients]
        if self.scales:
            gradients = [gradient * divisor for gradient in gradients]
        update_metrics(self.metrics, parts)
        return [*gradients, total, weight]

    def _scale(self):
        """What float16 losses are multiplied by, so that small gradients do not vanish."""
        return tf.convert_to_tensor(self.optimizer.dynamic_scale) if self.scales else 1.0


def update_metrics(metrics, parts):
    """Gives each metric its part of a loss, and returns the other parts."""
    for name, metric in metrics.items():
        metric.update_state(*parts[name])
    return {name: part for name, part in parts.items() if name not in metrics}
