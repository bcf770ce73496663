"""The training loop: what `fit` does, with exact resume.

A run's whole state is the variables (weights, optimiser slots, random streams) and a small `Progress` record. Both are
written together, and the order of the data is a function of (seed, epoch), so that a run that was killed
continues with the batch that would have come next.
"""

import time
from dataclasses import asdict, dataclass, field

import numpy as np
import tensorflow as tf

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.schedules import learning_rate, make_optimizer


@dataclass
class Progress:
    """Where a run stands. JSON-able."""

    step: int = 0
    epoch: int = 0
    batch: int = 0  # batches of this epoch that are done
    seconds: float = 0.0
    best_value: float | None = None
    best_step: int = 0
    evaluations_without_gain: int = 0
    evaluated_steps: list = field(default_factory=list)
    history: list = field(default_factory=list)
    finished: str = ""  # the reason, once there is one


class Trainer:
    """Trains one model of one task.

    Args:
        task: A `Task` whose data is loaded and adapted.
        model: Its model, built.
        store: `CheckpointStore` of the run.
        reporter: Is told of every step and evaluation: `TrainingReporter`.
    """

    def __init__(self, task, model, store, reporter):
        self.task, self.model, self.store, self.reporter = task, model, store, reporter
        self.settings = task.config.training
        self.optimizer = make_optimizer(self.settings)
        self.optimizer.build(model.trainable_variables)
        self.progress = Progress()
        self.batches_per_epoch = 0
        self._seconds_before = 0.0
        self._started = 0.0

    def fit(self):
        """Trains to the end, or from the newest checkpoint to the end.

        Returns:
            The `Progress` of the finished run. The model holds the best weights.
        """
        self.restore()
        spec = self.task.preprocess("train", 0).element_spec
        train_step = tf.function(self.train_step, input_signature=[spec], jit_compile=self.settings.jit)
        self._evaluation_step = tf.function(self.evaluation_step, input_signature=[spec])
        self.batches_per_epoch = self.reporter.survey(self.task.preprocess("train", 0))
        self._seconds_before, self._started = self.progress.seconds, time.monotonic()
        with self.reporter.training(self.progress, self.batches_per_epoch * self.settings.epochs):
            while not self.progress.finished:
                self.run_epoch(train_step)
        self.load_best()
        return self.progress

    def run_epoch(self, train_step):
        """Runs the batches of the current epoch that are not done yet."""
        progress, settings = self.progress, self.settings
        batches = iter(self.task.preprocess("train", progress.epoch).skip(progress.batch))
        while not progress.finished:
            waited = time.monotonic()
            batch = next(batches, None)
            waited = time.monotonic() - waited
            if batch is None:
                progress.epoch, progress.batch = progress.epoch + 1, 0
                if not settings.evaluate_every:
                    self.evaluate()
                if progress.epoch >= settings.epochs and not progress.finished:
                    self.finish(f"all {settings.epochs} epochs are done")
                return
            progress.step, progress.batch = progress.step + 1, progress.batch + 1
            rate = learning_rate(settings, progress.step, self.passes(), settings.epochs)
            self.optimizer.learning_rate.assign(rate)
            loss, weight = train_step(batch)
            self.stop_at_nan(float(loss))
            self.reporter.step(progress, float(loss), float(weight), rate, waited)
            if settings.evaluate_every and progress.step % settings.evaluate_every == 0:
                self.evaluate()
            elif settings.checkpoint_every and progress.step % settings.checkpoint_every == 0:
                self.save()
            if settings.max_minutes and self.seconds() > 60 * settings.max_minutes and not progress.finished:
                self.finish(f"{settings.max_minutes:g} minutes are over")

    def train_step(self, batch):
        """One update. Returns the loss per token and the number of tokens of the batch."""
        with tf.GradientTape() as tape:
            total, weight, _ = self.task.loss(self.model, batch, training=True)
            loss = total / tf.maximum(weight, 1.0)
        gradients = tape.gradient(loss, self.model.trainable_variables)
        if self.settings.clip_norm:
            gradients, _ = tf.clip_by_global_norm(gradients, self.settings.clip_norm)
        self.optimizer.apply(gradients, self.model.trainable_variables)
        return loss, weight

    def evaluation_step(self, batch):
        """Returns the sums of a dev batch: what `loss` calls its parts, and the weight."""
        _, weight, parts = self.task.loss(self.model, batch, training=False)
        return parts, weight

    def dev_losses(self):
        """Returns the parts of the loss on the dev split, per unit of weight, as `dev/NAME`."""
        sums, weights = {}, 0.0
        for batch in self.task.preprocess("validation", 0):
            parts, weight = self._evaluation_step(batch)
            weights += float(weight)
            for name, value in parts.items():
                sums[name] = sums.get(name, 0.0) + float(value)
        return {f"dev/{name}": value / max(weights, 1.0) for name, value in sums.items()}

    def evaluate(self):
        """Scores the dev split, writes a checkpoint, and decides whether it is the best and whether to stop."""
        progress, settings = self.progress, self.settings
        record = self.dev_losses()
        if settings.monitor not in record:  # the field's metrics need decoding: only where they decide
            scores = self.task.evaluate(self.model, "validation")
            record |= {f"dev/{name}": value for name, value in scores.items()}
        if settings.monitor not in record:
            raise UserError(f"training.monitor: expected one of {', '.join(sorted(record))}; received {settings.monitor}")
        value = record[settings.monitor]
        best = progress.best_value
        better = best is None or (value < best if settings.monitor == "dev/loss" else value > best)
        if better:
            progress.best_value, progress.best_step, progress.evaluations_without_gain = value, progress.step, 0
        else:
            progress.evaluations_without_gain += 1
        progress.evaluated_steps.append(progress.step)
        record |= self.reporter.since_last_evaluation()
        progress.history.append({"step": progress.step, "epoch": progress.epoch, **record})
        self.reporter.evaluation(progress, record, better)
        if settings.patience and progress.evaluations_without_gain >= settings.patience:
            progress.finished = f"{settings.patience} evaluations without a better {settings.monitor}"
        self.save()

    def passes(self):
        """Passes over the data so far, with fraction; under `max_minutes` at least as many as the clock says.

        So `linear` and `cosine` reach zero with the last epoch or the last minute, whichever comes first.
        """
        progress, settings = self.progress, self.settings
        passes = progress.epoch + progress.batch / max(progress.batch, self.batches_per_epoch)
        if not settings.max_minutes:
            return passes
        return max(passes, settings.epochs * min(1.0, self.seconds() / (60 * settings.max_minutes)))

    def finish(self, reason):
        """Ends the run: what came after the last evaluation is evaluated too."""
        self.progress.finished = reason
        if not self.progress.evaluated_steps or self.progress.evaluated_steps[-1] != self.progress.step:
            self.evaluate()
        else:
            self.save()

    def seconds(self):
        """Seconds of training so far, those before a restart included."""
        return self._seconds_before + time.monotonic() - self._started

    def save(self):
        """Writes a checkpoint of everything that the run's future depends on."""
        self.progress.seconds = self.seconds()
        needed = {self.progress.best_step, *self.progress.evaluated_steps[-self.settings.average_checkpoints :]}
        self.store.save(self.progress.step, self.arrays(), asdict(self.progress), protected=needed)

    def restore(self):
        """Takes up the newest intact checkpoint, if there is one."""
        step = self.store.newest()
        if step is not None:
            arrays, state = self.store.load(step)
            self.assign(arrays)
            self.progress = Progress(**state)

    def load_best(self):
        """Gives the model its best weights: those of the best checkpoint, or the average of the last if it is better."""
        progress = self.progress
        self.assign(self.store.load(progress.best_step)[0])
        steps = progress.evaluated_steps[-self.settings.average_checkpoints :]
        if len(steps) < 2:
            return
        best, best_loss = self.arrays(), self.dev_losses()["dev/loss"]
        self.assign(self.store.average(steps))
        average_loss = self.dev_losses()["dev/loss"]
        self.reporter.note(f"average of {len(steps)} checkpoints: dev/loss {average_loss:.4f}, best one: {best_loss:.4f}")
        if average_loss >= best_loss:
            self.assign(best)

    def variables(self):
        """Names all variables of the run by their places; Keras numbers layers anew, so their paths don't last."""
        model = {f"model/{i:03d}/{variable.name}": variable for i, variable in enumerate(self.model.variables)}
        return model | {f"optimizer/{i:03d}": variable for i, variable in enumerate(self.optimizer.variables)}

    def arrays(self):
        """Returns all variables as NumPy arrays."""
        return {name: np.array(variable) for name, variable in self.variables().items()}

    def assign(self, arrays):
        """Sets all variables, and refuses a checkpoint of another model."""
        variables = self.variables()
        if set(arrays) != set(variables):
            odd = sorted(set(arrays) ^ set(variables))[0]
            raise UserError(
                f"the checkpoints in {self.store.directory} belong to another model (they differ in {odd}); "
                "choose another --name, or remove the folder"
            )
        for name, variable in variables.items():
            if tuple(arrays[name].shape) != tuple(variable.shape):
                raise UserError(
                    f"the checkpoints in {self.store.directory} belong to a model of another size: {name} has shape "
                    f"{tuple(variable.shape)}, received {arrays[name].shape}; choose another --name, or remove the folder"
                )
            variable.assign(arrays[name])

    def stop_at_nan(self, loss):
        """Stops before a broken update is written anywhere."""
        if not np.isfinite(loss):
            raise UserError(
                f"the loss is {loss} at step {self.progress.step} (epoch {self.progress.epoch}, batch "
                f"{self.progress.batch}); the last good checkpoint is kept. Try a lower --training.learning_rate"
            )
