"""The training loop: what `fit` does, on every strategy, with exact resume.

A run's whole state is the variables (weights, optimiser slots, averages, loss scale, random streams) and a small
`Progress`
record. Both are written together, and the order of the data is a function of (seed, epoch), so that a run that was
killed continues with the batch that would have come next.
"""

import signal
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cached_property

import keras
import numpy as np
import tensorflow as tf

from attention_zoo.pipelines.engine.errors import Preempted, UserError
from attention_zoo.pipelines.engine.training.distribution import is_chief, served, shards, wait_for_all
from attention_zoo.pipelines.engine.training.run_state import RunState
from attention_zoo.pipelines.engine.training.schedules import learning_rate, make_optimizer
from attention_zoo.pipelines.engine.training.updates import Update, update_metrics

RATE_SETTERS = (keras.callbacks.LearningRateScheduler, keras.callbacks.ReduceLROnPlateau)


@dataclass
class Progress:
    """Where a run stands. JSON-able."""

    step: int = 0
    epoch: int = 0
    batch: int = 0  # batches of this epoch that are done
    seconds: float = 0.0
    loss_sum: float = 0.0  # since the last evaluation
    weight_sum: float = 0.0
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
        model: Its model, built, in the scope of the strategy.
        store: `CheckpointStore` of the run.
        reporter: Is told of every step and evaluation: `TrainingReporter`.
        strategy: `tf.distribute.Strategy`. Default None: one device.
        callbacks: Keras callbacks.
    """

    def __init__(self, task, model, store, reporter, strategy=None, callbacks=()):
        self.task, self.model, self.store, self.reporter = task, model, store, reporter
        self.strategy = strategy or tf.distribute.get_strategy()
        self.chief = is_chief(self.strategy)
        self.settings = task.config.training
        with self.strategy.scope():
            self.optimizer = make_optimizer(self.settings)
            self.optimizer.build(model.trainable_variables)
            self.metrics = task.metrics()
        self.state = RunState(model, self.optimizer, self.metrics)
        if any(isinstance(callback, RATE_SETTERS) for callback in callbacks):
            raise UserError(
                "callbacks: expected none that sets the learning rate, which is training.schedule's; received one"
            )
        object.__setattr__(
            model, "optimizer", self.optimizer
        )  # callbacks look for it; the model is not to own its variables
        self.callbacks = keras.callbacks.CallbackList(list(callbacks), model=model)
        self.progress = Progress()
        model.stop_training = False  # a callback may set it
        self.batches_per_epoch = 0
        self._seconds_before = 0.0
        self._started = 0.0
        self._clock = 0.0  # the first process's seconds at the last step: workers must not disagree on when time is up
        self._stop_signal = 0.0

    def fit(self):
        """Trains to the end, or from the newest checkpoint to the end.

        Returns:
            The `Progress` of the finished run. The model holds the best weights.

        Raises:
            Preempted: SIGTERM came; a checkpoint is written.
        """
        with self.listening_for_sigterm():
            self.train()
        if self._stop_signal:  # it came during the last evaluation
            raise Preempted("stopped after the last step; a checkpoint is written, the same command goes on from there")
        wait_for_all(self.strategy)  # until the chief has written what the others are to read
        self.load_best()
        return self.progress

    def train(self):
        """Runs the epochs that are left."""
        if not self.progress.step:
            self.restore()
        spec = self.batches("train", 0).element_spec
        self.update = Update(self.task, self.model, self.optimizer, self.strategy, self.metrics, spec)
        self.batches_per_epoch = self.reporter.survey(self.task.preprocess("train", 0))
        self._seconds_before, self._started = self.progress.seconds, time.monotonic()
        with self.reporter.training(self.progress, self.batches_per_epoch * self.settings.epochs):
            self.callbacks.on_train_begin()
            while not self.progress.finished:
                self.run_epoch()
            self.callbacks.on_train_end()

    def batches(self, split, epoch, skip=0):
        """The batches of an epoch as the strategy wants them, each replica's share at its place."""
        address = self.task.data_service if split == "train" else ""

        def of_this_process(context):
            batches = self.task.preprocess(split, epoch)
            return shards((served(batches, address) if address else batches).skip(skip), context)

        return self.strategy.distribute_datasets_from_function(of_this_process)

    def run_epoch(self):
        """Runs the batches of the current epoch that are not done yet."""
        progress, settings = self.progress, self.settings
        batches = iter(self.batches("train", progress.epoch, skip=progress.batch))
        self.callbacks.on_epoch_begin(progress.epoch)
        while not progress.finished:
            waited = time.monotonic()
            batch = next(batches, None)
            waited = time.monotonic() - waited
            if batch is None:
                progress.epoch, progress.batch = progress.epoch + 1, 0
                if progress.epoch >= settings.epochs:
                    self.finish(f"all {settings.epochs} epochs are done")
                elif not settings.evaluate_every:
                    self.evaluate()
                record = progress.history[-1] if progress.history else {}
                logs = {
                    name: value for name, value in record.items() if name not in ("step", "epoch")
                }  # names of Keras's own
                self.callbacks.on_epoch_end(progress.epoch - 1, logs)
                self.stop_if_a_callback_asks()
                return
            self.take_step(batch, waited)
            if settings.evaluate_every and progress.step % settings.evaluate_every == 0:
                self.evaluate()
            elif settings.checkpoint_every and progress.step % settings.checkpoint_every == 0:
                self.save()
            if settings.max_minutes and self._clock > 60 * settings.max_minutes and not progress.finished:
                self.finish(f"{settings.max_minutes:g} minutes are over")
            self.stop_if_a_callback_asks()

    def take_step(self, batch, waited):
        """One update, and what follows from it."""
        progress = self.progress
        progress.step, progress.batch = progress.step + 1, progress.batch + 1
        rate = learning_rate(self.settings, progress.step, self.passes(), self.settings.epochs)
        self.optimizer.learning_rate.assign(rate)
        self.callbacks.on_train_batch_begin(progress.batch - 1)
        loss, weight, norm, stop, self._clock = self.update(batch, self._stop_signal, self.seconds())
        self.stop_at_nan(loss, norm)
        progress.loss_sum += loss * weight
        progress.weight_sum += weight
        self.reporter.step(progress, loss, weight, rate, waited)
        self.callbacks.on_train_batch_end(progress.batch - 1, {"loss": loss})
        if stop:  # any of the workers was asked to
            self.save()
            raise Preempted(f"stopped at step {progress.step:,}; a checkpoint is written, the same command continues")

    def stop_if_a_callback_asks(self):
        if self.model.stop_training and not self.progress.finished:
            self.finish("a callback stopped it")

    @contextmanager
    def listening_for_sigterm(self):
        """Takes SIGTERM for a request to stop after the current step, in all workers."""

        def note(*_):
            self._stop_signal = 1.0

        try:
            before = signal.signal(signal.SIGTERM, note)
        except ValueError:  # not the main thread: whoever runs us there deals with signals
            yield
            return
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, before)

    @cached_property
    def compiled_evaluation_step(self):
        signature = [self.batches("validation", 0).element_spec]
        return tf.function(self.evaluation_step, input_signature=signature, autograph=False)

    def evaluation_step(self, batch):
        """Returns the sums of a dev batch over all replicas: what `loss` calls its parts, and the weight."""

        def on_replica(batch):
            _, weight, parts = self.task.loss(self.model, batch, training=False)
            return update_metrics(self.metrics, parts), weight

        results = self.strategy.run(on_replica, args=(batch,))
        return tf.nest.map_structure(lambda sums: self.strategy.reduce("SUM", sums, axis=None), results)

    def dev_losses(self):
        """Returns the parts of the loss on the dev split, per unit of weight, as `dev/NAME`."""
        sums, weights = {}, 0.0
        self.reset_metrics()
        for batch in self.batches("validation", 0):
            parts, weight = self.compiled_evaluation_step(batch)
            weights += float(weight)
            for name, value in parts.items():
                sums[name] = sums.get(name, 0.0) + float(value)
        losses = {f"dev/{name}": value / max(weights, 1.0) for name, value in sums.items()}
        return losses | self.reset_metrics("dev")

    def reset_metrics(self, prefix=""):
        """Returns what the Keras metrics stand at, as `PREFIX/NAME`, and sets them to nothing."""
        values = {f"{prefix}/{name}": float(metric.result()) for name, metric in self.metrics.items()}
        for metric in self.metrics.values():
            metric.reset_state()
        return values

    def evaluate(self):
        """Scores the dev split, writes a checkpoint, and decides whether it is the best and whether to stop."""
        progress, settings = self.progress, self.settings
        trained = self.reset_metrics("train")
        with self.state.averaged_weights():
            record = trained | self.dev_losses()
            if settings.monitor not in record:  # the field's metrics need decoding: only where they decide
                scores = self.task.evaluate(self.model, "validation")
                record |= {f"dev/{name}": value for name, value in scores.items()}
        if settings.monitor not in record:
            self.save()  # so that the epoch is not lost
            raise UserError(
                f"training.monitor: expected one of {', '.join(sorted(record))}; received {settings.monitor}"
            )
        value = record[settings.monitor]
        best = progress.best_value
        better = best is None or (value < best if self.falls else value > best)
        if better:
            progress.best_value, progress.best_step, progress.evaluations_without_gain = value, progress.step, 0
        else:
            progress.evaluations_without_gain += 1
        progress.evaluated_steps.append(progress.step)
        record["train/loss"] = progress.loss_sum / max(progress.weight_sum, 1.0)
        progress.loss_sum = progress.weight_sum = 0.0
        record |= self.reporter.since_last_evaluation()
        progress.history.append({"step": progress.step, "epoch": progress.epoch, **record})
        if settings.patience and progress.evaluations_without_gain >= settings.patience:
            progress.finished = f"{settings.patience} evaluations without a better {settings.monitor}"
        self.save()
        self.reporter.evaluation(progress, record, better)

    @property
    def falls(self):
        """Whether the monitored figure is better when it is lower."""
        return self.settings.monitor.removeprefix("dev/") in self.task.falling

    def passes(self):
        """Passes over the data so far, with fraction; under `max_minutes` at least as many as the clock says.

        So `linear` and `cosine` reach zero with the last epoch or the last minute, whichever comes first.
        """
        progress, settings = self.progress, self.settings
        passes = progress.epoch + progress.batch / max(progress.batch, self.batches_per_epoch)
        if not settings.max_minutes:
            return passes
        return max(passes, settings.epochs * min(1.0, self._clock / (60 * settings.max_minutes)))

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
        """Writes a checkpoint of everything that the run's future depends on; in a cluster the chief does."""
        self.progress.seconds = self.seconds()
        needed = {self.progress.best_step, *self.progress.evaluated_steps[-self.settings.average_checkpoints :]}
        arrays = self.state.arrays()  # all workers: what the replicas hold in parts is added up here
        if self.chief:
            self.store.save(self.progress.step, arrays, asdict(self.progress), protected=needed)

    def restore(self):
        """Takes up the newest intact checkpoint, if there is one."""
        step = self.store.newest()
        if step is not None:
            arrays, state = self.store.load(step)
            self.state.assign(arrays)
            self.progress = Progress(**state)
            self._clock = self.progress.seconds

    def load_best(self):
        """Gives the model its best weights: those of the best checkpoint, or the average of the last if it is better.

        A checkpoint that is damaged is passed over for the next best.
        """
        progress, monitor = self.progress, self.settings.monitor
        records = [record for record in progress.history if monitor in record]
        ranked = sorted(records, key=lambda record: record[monitor] if self.falls else -record[monitor])
        best = self.store.first_intact([progress.best_step, *(record["step"] for record in ranked)])
        if best is None:
            raise UserError(
                f"{self.store.directory} holds no evaluated checkpoint; train on with the same command first"
            )
        self.state.assign(self.store.load(best)[0])
        self.state.take_average()
        steps = progress.evaluated_steps[-self.settings.average_checkpoints :]
        steps = [step for step in steps if len(steps) > 1 and self.store.first_intact([step]) is not None]
        if len(steps) < 2:
            return
        best, best_loss = self.state.arrays(), self.dev_losses()["dev/loss"]
        self.state.assign(self.store.average(steps))
        self.state.take_average()
        average_loss = self.dev_losses()["dev/loss"]
        self.reporter.note(
            f"average of {len(steps)} checkpoints: dev/loss {average_loss:.4f}, best one: {best_loss:.4f}"
        )
        if average_loss >= best_loss:
            self.state.assign(best)

    def stop_at_nan(self, loss, norm):
        """Stops before a broken update is written anywhere. A float16 gradient may overflow: its update is skipped."""
        judged = {"loss": loss} if self.update.scales else {"loss": loss, "gradient's norm": norm}
        for name, value in judged.items():
            if not np.isfinite(value):
                raise UserError(
                    f"the {name} is {value} at step {self.progress.step} (epoch {self.progress.epoch}, batch "
                    f"{self.progress.batch}); the last good checkpoint is kept. Try a lower --training.learning_rate"
                )
