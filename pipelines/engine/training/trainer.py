"""The training loop: what `fit` does, on every strategy, with exact resume.

The whole state of a run is its variables (weights, optimiser slots, averages, loss scale, random streams) and a small
`Progress` record. Both are written together, and the order of the data is a function of (seed, epoch). A run that was
killed therefore continues with the batch that would have come next.
"""

import time
from dataclasses import asdict

import keras
import numpy as np
import tensorflow as tf

from attention_zoo.pipelines.engine.errors import Preempted, UserError
from attention_zoo.pipelines.engine.training.data_service import served
from attention_zoo.pipelines.engine.training.distribution import is_chief, shards, wait_for_all
from attention_zoo.pipelines.engine.training.evaluation import Evaluation
from attention_zoo.pipelines.engine.training.progress import Progress
from attention_zoo.pipelines.engine.training.run_state import RunState
from attention_zoo.pipelines.engine.training.schedules import learning_rate, make_optimizer
from attention_zoo.pipelines.engine.training.selection import best_intact_step, is_better, steps_to_average
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
        strategy: `tf.distribute.Strategy`. Defaults to None: one device.
        callbacks: Keras callbacks. Defaults to none.

    Raises:
        UserError: A callback sets the learning rate.
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
        self.evaluation = Evaluation(
            task, model, self.metrics, self.strategy, lambda: self.batches("validation", epoch=0)
        )
        if any(isinstance(callback, RATE_SETTERS) for callback in callbacks):
            raise UserError(
                "callbacks: expected none that sets the learning rate, which is --training.schedule's; received one"
            )
        # Callbacks look for the optimizer there; set like this, its variables do not become the model's.
        object.__setattr__(model, "optimizer", self.optimizer)
        self.callbacks = keras.callbacks.CallbackList(list(callbacks), model=model)
        self.progress = Progress()
        model.stop_training = False  # a callback may set it
        self.batches_per_epoch = 0
        self.stop = StopSignal()
        self._seconds_before = 0.0
        self._started = 0.0
        self._clock = 0.0  # the first process's seconds at the last step: workers must agree on when time is up

    def fit(self):
        """Trains to the end, or from the newest checkpoint to the end.

        Returns:
            The `Progress` of the finished run. The model holds the final weights.

        Raises:
            Preempted: SIGTERM came; a checkpoint is written.
        """
        with self.stop:
            self.train()
        if self.stop.received:  # it came during the last evaluation
            raise Preempted("stopped after the last step; a checkpoint is written, the same command goes on from there")
        wait_for_all(self.strategy)  # until the chief has written the checkpoints that the others read
        self.load_best()
        return self.progress

    def train(self):
        """Runs the epochs that are left."""
        if not self.progress.step:
            self.restore()
        spec = self.batches("train", epoch=0).element_spec
        self.update = Update(self.task, self.model, self.optimizer, self.strategy, self.metrics, spec)
        self.look_ahead()
        self._seconds_before, self._started = self.progress.seconds, time.monotonic()
        with self.reporter.training(self.progress, self.batches_per_epoch * self.settings.epochs):
            self.callbacks.on_train_begin()
            while not self.progress.finished:
                self.run_epoch()
            self.callbacks.on_train_end()

    def look_ahead(self):
        """Counts the batches of an epoch, and reports settings that do not suit them."""
        size = survey(self.task.preprocess("train", 0))
        if not size.batches:
            raise UserError("the training split is smaller than one batch; set a lower --training.batch_tokens")
        self.batches_per_epoch = size.batches
        self.reporter.survey(size)
        if not self.progress.step:
            for line in unsuitable_settings(self.settings, size.batches):
                self.reporter.note(f"note: {line}")

    def batches(self, split, epoch, skip=0):
        """Returns the batches of an epoch, distributed to the replicas."""
        address = self.task.data_service if split == "train" else ""

        def of_this_process(context):
            batches = self.task.preprocess(split, epoch)
            return shards((served(batches, address) if address else batches).skip(skip), context)

        return self.strategy.distribute_datasets_from_function(of_this_process)

    def run_epoch(self):
        """Runs the batches of the current epoch that are not done yet."""
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

    def end_epoch(self):
        """Evaluates where an epoch ends, and ends the run with the last one."""
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

    def take_step(self, batch, waited):
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
        if stop:  # SIGTERM came to any of the workers
            self.save()
            raise Preempted(f"stopped at step {progress.step:,}; a checkpoint is written, the same command continues")

    def after_step(self):
        """Evaluates, saves or ends the run where it is time to."""
        progress, settings = self.progress, self.settings
        if settings.evaluate_every and progress.step % settings.evaluate_every == 0:
            self.evaluate()
        elif settings.checkpoint_every and progress.step % settings.checkpoint_every == 0:
            self.save()
        if settings.max_minutes and self._clock > 60 * settings.max_minutes and not progress.finished:
            self.finish(f"{settings.max_minutes:g} minutes are over")
        self.stop_if_a_callback_asks()

    def stop_if_a_callback_asks(self):
        if self.model.stop_training and not self.progress.finished:
            self.finish("a callback stopped it")

    def stop_at_nan(self, loss, norm):
        """Stops before a broken update is written anywhere. A float16 gradient may overflow: its update is skipped."""
        judged = {"loss": loss} if self.update.scales else {"loss": loss, "gradient's norm": norm}
        for name, value in judged.items():
            if not np.isfinite(value):
                raise UserError(
                    f"the {name} is {value} at step {self.progress.step} (epoch {self.progress.epoch}, batch "
                    f"{self.progress.batch}); the last good checkpoint is kept. Try a lower --training.learning_rate"
                )

    def evaluate(self):
        """Scores the validation split, writes a checkpoint, and decides whether it is the best and whether to stop."""
        progress, settings = self.progress, self.settings
        record = self.scores()
        value = record[settings.monitor]
        better = is_better(value, progress.best_value, self.lower_is_better)
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

    def scores(self):
        """Returns the metrics of training and of the validation split; the monitored one is among them."""
        monitor = self.settings.monitor
        trained = self.evaluation.take_metrics("train")
        with self.state.averaged_weights():
            record = trained | self.evaluation.losses()
            if monitor not in record:  # the field's metrics need decoding: computed only where they decide
                scores = self.task.evaluate(self.model, "validation")
                record |= {f"dev/{name}": value for name, value in scores.items()}
        if monitor not in record:
            self.save()  # so that the epoch is not lost
            raise UserError(f"--training.monitor: expected one of {', '.join(sorted(record))}; received {monitor}")
        return record

    @property
    def lower_is_better(self):
        """Whether the monitored metric is better when it is lower."""
        return self.settings.monitor.removeprefix("dev/") in self.task.lower_is_better

    def dev_losses(self):
        """Returns losses and Keras metrics of the validation split as `dev/NAME`."""
        return self.evaluation.losses()

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
        """Ends the run, and evaluates the steps since the last evaluation, if there are any."""
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
        arrays = self.state.arrays()  # on all workers: values that the replicas hold in parts are summed here
        if self.chief:
            self.store.save(self.progress.step, arrays, asdict(self.progress), protected=needed)

    def restore(self):
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

    def load_best(self):
        """Gives the model its best weights: those of the best checkpoint, or the average of the last if it is better.

        The choice is written to the newest checkpoint, so that `load_chosen_weights` need not make it again.
        """
        step = best_intact_step(self.store, self.progress, self.settings.monitor, self.lower_is_better)
        chosen = [step]
        self.state.assign(self.store.load(step)[0])
        self.state.take_average()
        steps = steps_to_average(self.store, self.progress, self.settings.average_checkpoints)
        if steps:
            best, best_loss = self.state.arrays(), self.dev_losses()["dev/loss"]
            self.state.assign(self.store.average(steps, self.state.renamed))
            self.state.take_average()
            average_loss = self.dev_losses()["dev/loss"]
            self.reporter.note(
                f"average of {len(steps)} checkpoints: dev/loss {average_loss:.4f}, best one: {best_loss:.4f}"
            )
            if average_loss < best_loss:
                chosen = steps
            else:
                self.state.assign(best)
        self.progress.chosen_steps = chosen
        if self.chief:
            self.store.replace_state(self.progress.step, asdict(self.progress))
