"""The training loop: what `fit` does, on every strategy, with exact resume.

The whole state of a run is its variables (weights, optimiser slots, averages, loss scale, random streams) and a small
`Progress` record. Both are written together, and the order of the data is a function of (seed, epoch). A run that was
killed therefore continues with the next batch.
"""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from attention_zoo.pipelines.engine.errors import Preempted, UserError
from attention_zoo.pipelines.engine.stages import stage
from attention_zoo.pipelines.engine.storage.checkpoints import CheckpointStore
from attention_zoo.pipelines.engine.task import Task
from attention_zoo.pipelines.engine.training.data_service import served
from attention_zoo.pipelines.engine.training.distribution import is_chief, shards, wait_for_all
from attention_zoo.pipelines.engine.training.evaluation import Evaluation
from attention_zoo.pipelines.engine.training.progress import Progress
from attention_zoo.pipelines.engine.training.run_state import RunState
from attention_zoo.pipelines.engine.training.schedules import factors_of, learning_rate, make_optimizer
from attention_zoo.pipelines.engine.training.selection import assign_best_weights, is_better, rank
from attention_zoo.pipelines.engine.training.stop_signal import StopSignal
from attention_zoo.pipelines.engine.training.suitability import unsuitable_settings
from attention_zoo.pipelines.engine.training.survey import survey
from attention_zoo.pipelines.engine.training.updates import Update

RATE_SETTERS = (keras.callbacks.LearningRateScheduler, keras.callbacks.ReduceLROnPlateau)


class Trainer:
    """Trains one model of one task.

    Args:
        task: A `Task` whose data is loaded and adapted.
        model: Its model, built, in the scope of the strategy.
        store: `CheckpointStore` of the run.
        reporter: `TrainingReporter`, which is called with every step and evaluation.
        strategy: `tf.distribute.Strategy`. Defaults to `None`, one device.
        callbacks: Keras callbacks. Defaults to none.

    Raises:
        UserError: A callback sets the learning rate.
    """

    def __init__(
        self,
        task: Task,
        model: keras.Model,
        store: CheckpointStore,
        reporter: Any,
        strategy: tf.distribute.Strategy | None = None,
        callbacks: Sequence[keras.callbacks.Callback] = (),
    ):
        self.task, self.model, self.store, self.reporter = task, model, store, reporter
        self.strategy = strategy or tf.distribute.get_strategy()
        self.chief = is_chief(self.strategy)
        self.settings = task.config.training
        with self.strategy.scope():
            factors = factors_of(model, task.rate_factors(model))
            self.optimizer = make_optimizer(self.settings, factors, task.undecayed)
            self.optimizer.build(model.trainable_variables)
            self.metrics = task.metrics()
        self.state = RunState(model, self.optimizer, self.metrics)
        self.evaluation = Evaluation(
            task, model, self.metrics, self.strategy, lambda: self.batches("validation", epoch=0)
        )
        if any(isinstance(callback, RATE_SETTERS) for callback in callbacks):
            raise UserError(
                "callbacks: expected none that sets the learning rate, which is --training.schedule's; received one"
            )
        # Callbacks expect the optimizer there. Set like this, Keras does not track its variables as the model's.
        object.__setattr__(model, "optimizer", self.optimizer)
        self.callbacks = keras.callbacks.CallbackList(list(callbacks), model=model)
        self.progress = Progress()
        model.stop_training = False  # a callback may set it
        self.batches_per_epoch = 0
        self.stop = StopSignal()
        self._seconds_before = self._started = 0.0
        self._clock = 0.0  # seconds of the first process at the last step, so that all workers stop at the same step

    def fit(self) -> Progress:
        """Trains to the end, or from the newest checkpoint to the end.

        Returns:
            The `Progress` of the finished run. The model holds the final weights.

        Raises:
            Preempted: SIGTERM or Ctrl-C was received; a checkpoint is written.
        """
        with self.stop:
            self.train()
        if self.stop.received:  # during the last evaluation
            raise Preempted(
                "stopped after the last step; a checkpoint is written, the same command goes on from there",
                self.stop.number,
            )
        wait_for_all(self.strategy)  # until the chief has written the checkpoints that the others read
        self.load_best()
        return self.progress

    def train(self) -> None:
        """Runs the epochs that are left."""
        if not self.progress.step:
            self.restore()
        spec = self.batches("train", epoch=0).element_spec
        self.update = Update(self.task, self.model, self.optimizer, self.strategy, self.metrics, spec)
        self.look_ahead()
        self._seconds_before, self._started = self.progress.seconds, time.monotonic()
        steps, seconds = self.batches_per_epoch * self.settings.epochs, 60 * self.settings.max_minutes or math.inf
        with self.reporter.training(self.progress, steps, seconds - self.progress.seconds):
            self.callbacks.on_train_begin()
            while not self.progress.finished:
                self.run_epoch()
            self.callbacks.on_train_end()

    def look_ahead(self) -> None:
        """Counts the batches of an epoch, and reports settings that do not suit them."""
        with stage("counting the batches of an epoch"):
            size = survey(self.task.preprocess("train", 0))
        if not size.batches:
            raise UserError("the training split is smaller than one batch; set a lower --training.batch_tokens")
        self.batches_per_epoch = size.batches
        self.reporter.survey(size)
        if not self.progress.step:
            for line in unsuitable_settings(self.settings, size.batches):
                self.reporter.note(f"note: {line}")

    def batches(self, split: str, epoch: int, skip: int = 0) -> Any:
        """Returns the batches of an epoch, distributed to the replicas."""
        address = self.task.data_service if split == "train" else ""

        def of_this_process(context):
            batches = self.task.preprocess(split, epoch)
            return shards((served(batches, address) if address else batches).skip(skip), context)

        return self.strategy.distribute_datasets_from_function(of_this_process)

    def run_epoch(self) -> None:
        """Trains on the remaining batches of the current epoch."""
        progress = self.progress
        batches = iter(self.batches("train", progress.epoch, skip=progress.batch))
        self.callbacks.on_epoch_begin(progress.epoch)
        while not progress.finished:
            asked = time.monotonic()
            batch = next(batches, None)
            waited = time.monotonic() - asked
            if batch is None:
                self.end_epoch()
                return
            self.take_step(batch, waited)
            self.after_step()

    def end_epoch(self) -> None:
        """Evaluates at the end of an epoch, and ends the run after the last one."""
        progress, settings = self.progress, self.settings
        progress.epoch, progress.batch = progress.epoch + 1, 0
        if progress.epoch >= settings.epochs:
            self.finish(f"all {settings.epochs} epochs are done")
        elif not settings.evaluate_every:
            self.evaluate()
        record = progress.history[-1] if progress.history else {}
        logs = {name: value for name, value in record.items() if name not in ("step", "epoch")}  # Keras has these
        self.callbacks.on_epoch_end(progress.epoch - 1, logs)
        self.stop_if_a_callback_asks()

    def take_step(self, batch: Any, waited: float) -> None:
        """Updates the weights with one batch, and reports it."""
        progress = self.progress
        progress.step, progress.batch = progress.step + 1, progress.batch + 1
        rate = learning_rate(self.settings, progress.step, self.passes(), self.settings.epochs)
        self.optimizer.learning_rate.assign(rate)
        self.callbacks.on_train_batch_begin(progress.batch - 1)
        loss, weight, norm, stop, self._clock = self.update(batch, self.stop.received, self.seconds())
        self.stop_at_nan(loss, norm)
        progress.loss_sum += loss * weight
        progress.weight_sum += weight
        self.reporter.step(progress, loss, weight, rate, waited)
        self.callbacks.on_train_batch_end(progress.batch - 1, {"loss": loss})
        if stop:  # a signal came to any of the workers
            self.save()
            raise Preempted(
                f"stopped at step {progress.step:,}; a checkpoint is written, the same command continues",
                self.stop.number,
            )

    def after_step(self) -> None:
        """Evaluates, saves or ends the run if the settings say so for this step."""
        progress, settings = self.progress, self.settings
        if settings.evaluate_every and progress.step % settings.evaluate_every == 0:
            self.evaluate()
        elif settings.checkpoint_every and progress.step % settings.checkpoint_every == 0:
            self.save()
        if settings.max_minutes and self._clock > 60 * settings.max_minutes and not progress.finished:
            self.finish(f"{settings.max_minutes:g} minutes are over")
        self.stop_if_a_callback_asks()

    def stop_if_a_callback_asks(self) -> None:
        """Ends the run if a callback has set `model.stop_training`."""
        if self.model.stop_training and not self.progress.finished:
            self.finish("a callback stopped it")

    def stop_at_nan(self, loss: float, norm: float) -> None:
        """Raises before NaN reaches a checkpoint. A float16 gradient may overflow: its update is skipped."""
        judged = {"loss": loss} if self.update.scales else {"loss": loss, "gradient's norm": norm}
        for name, value in judged.items():
            if not np.isfinite(value):
                raise UserError(
                    f"the {name} is {value} at step {self.progress.step} (epoch {self.progress.epoch}, batch "
                    f"{self.progress.batch}); the last good checkpoint is kept. Try a lower --training.learning_rate"
                )

    def evaluate(self) -> None:
        """Scores the validation split, writes a checkpoint, and decides whether it is the best and whether to stop."""
        progress, settings = self.progress, self.settings
        with stage("scoring the dev split"):
            record = self.scores()
        value = record[settings.monitor]
        gain = is_better(value, progress.best_value, self.lower_is_better)
        best = next((one for one in progress.history if one["step"] == progress.best_step), None)
        better = gain or (best is not None and self.rank(record) < self.rank(best))
        progress.evaluations_without_gain = 0 if gain else progress.evaluations_without_gain + 1
        if better:
            progress.best_value, progress.best_step = value, progress.step
        progress.evaluated_steps.append(progress.step)
        record["train/loss"] = progress.loss_sum / max(progress.weight_sum, 1.0)
        progress.loss_sum = progress.weight_sum = 0.0
        record |= self.reporter.since_last_evaluation()
        progress.history.append({"step": progress.step, "epoch": progress.epoch, **record})
        if settings.patience and progress.evaluations_without_gain >= settings.patience:
            progress.finished = f"{settings.patience} evaluations without a better {settings.monitor}"
        self.save()
        self.reporter.evaluation(progress, record, better)

    def scores(self) -> dict[str, float]:
        """Returns the metrics of training and of the validation split; the monitored one is among them."""
        monitor = self.settings.monitor
        trained = self.evaluation.take_metrics("train")
        with self.state.averaged_weights():
            record = trained | self.evaluation.losses()
            if monitor not in record:  # a metric of `Task.evaluate`, which is slow: it decodes
                scores = self.task.evaluate(self.model, "validation")
                record |= {f"dev/{name}": value for name, value in scores.items()}
        if monitor not in record:
            self.save()  # so that the epoch is not lost
            raise UserError(f"--training.monitor: expected one of {', '.join(sorted(record))}; received {monitor}")
        return record

    def rank(self, record: Mapping[str, float]) -> tuple[float, float]:
        """Returns what the records of evaluations are sorted by, best first."""
        return rank(record, self.settings.monitor, self.lower_is_better)

    @property
    def lower_is_better(self) -> bool:
        """Whether the monitored metric is better when it is lower."""
        return self.task.prefers_lower(self.settings.monitor)

    def passes(self) -> float:
        """Returns the passes over the data so far, a fraction included; with `max_minutes` at least the share of time.

        `linear` and `cosine` therefore reach zero with the last epoch or the last minute, whichever comes first.
        """
        progress, settings = self.progress, self.settings
        passes = progress.epoch + progress.batch / max(progress.batch, self.batches_per_epoch)
        if not settings.max_minutes:
            return passes
        return max(passes, settings.epochs * min(1.0, self._clock / (60 * settings.max_minutes)))

    def finish(self, reason: str) -> None:
        """Ends the run, and evaluates the steps since the last evaluation, if there are any."""
        self.progress.finished = reason
        if not self.progress.evaluated_steps or self.progress.evaluated_steps[-1] != self.progress.step:
            self.evaluate()
        else:
            self.save()

    def seconds(self) -> float:
        """Returns the seconds of training so far, those before a restart included."""
        return self._seconds_before + time.monotonic() - self._started

    def save(self) -> None:
        """Writes a checkpoint of the whole state of the run; in a cluster only the chief does."""
        self.progress.seconds = self.seconds()
        needed = {self.progress.best_step, *self.progress.evaluated_steps[-self.settings.average_checkpoints :]}
        arrays = self.state.arrays()  # on all workers: values that the replicas hold in parts are summed here
        if self.chief:
            self.store.save(self.progress.step, arrays, asdict(self.progress), protected=needed)

    def restore(self) -> None:
        """Continues from the newest intact checkpoint, if there is one."""
        step = self.store.newest()
        if step is None:
            return
        arrays, state = self.store.load(step)
        if self.state.assign(arrays):
            self.reporter.note(
                "the checkpoints are of an earlier version: weights are matched by position, not by layer"
            )
        self.progress = Progress(**state)
        self._clock = self.progress.seconds
        if not self.progress.finished:
            self.reporter.note(f"continues at step {self.progress.step:,}")

    def load_best(self) -> None:
        """Gives the model its best weights: those of the best checkpoint, or the average of the last if it is better.

        The choice is written to the newest checkpoint, where `load_chosen_weights` reads it.
        """
        self.progress.chosen_steps = assign_best_weights(
            self.state, self.store, self.progress, self.settings, self.lower_is_better, self.evaluation, self.reporter
        )
        if self.chief:
            self.store.replace_state(self.progress.step, asdict(self.progress))
