"""The loop on a task small enough to see through: exact resume, early stop, averaging, and what it refuses."""

import json
from dataclasses import dataclass, field

import keras
import numpy as np
import pytest
import tensorflow as tf
from attention_zoo.pipelines.engine.checkpoints import CheckpointStore
from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.reporting import TrainingReporter, read_losses
from attention_zoo.pipelines.engine.settings import TrainingSettings
from attention_zoo.pipelines.engine.task import Task
from attention_zoo.pipelines.engine.training import Trainer


@dataclass
class Config:
    training: TrainingSettings = field(default_factory=TrainingSettings)


class Line(Task):
    """Learns y = 2x + 1 through a dropout layer, so that random streams matter too."""

    def preprocess(self, split, epoch):
        x = tf.random.stateless_normal([32, 1], [1 if split == "train" else 2, epoch])
        return tf.data.Dataset.from_tensor_slices({"x": x, "y": 2 * x + 1}).batch(8, drop_remainder=True)

    def build(self):
        keras.utils.set_random_seed(self.config.training.seed)
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dropout(0.3), keras.layers.Dense(1)])
        return model

    def loss(self, model, batch, training):
        total = tf.reduce_sum((model(batch["x"], training=training) - batch["y"]) ** 2)
        return total, tf.cast(tf.shape(batch["x"])[0], tf.float32), {"loss": total}

    def evaluate(self, model, split):
        return {"slope": float(model.weights[0][0, 0])}


class Killed(Exception):
    pass


class KillAt(TrainingReporter):
    """Dies in the middle of a run, as a process does that is killed."""

    def __init__(self, directory, step):
        super().__init__(directory)
        self.kill_step = step

    def step(self, progress, *figures):
        super().step(progress, *figures)
        if progress.step == self.kill_step:
            raise Killed


class Judged(Line):
    """With a Keras metric."""

    def metrics(self):
        return {"error": keras.metrics.MeanAbsoluteError()}

    def loss(self, model, batch, training):
        total, weight, parts = super().loss(model, batch, training)
        return total, weight, parts | {"error": (batch["y"], model(batch["x"], training=False))}


def run(directory, kill_at=0, task=Line, callbacks=(), **settings):
    config = Config(TrainingSettings(**{"epochs": 5, "learning_rate": 0.05, "clip_norm": 0.0, **settings}))
    task = task(config, directory)
    store, reporter = CheckpointStore(directory / "checkpoints"), KillAt(directory, kill_at)
    trainer = Trainer(task, task.build(), store, reporter, callbacks=callbacks)
    return trainer, trainer.fit()


@pytest.mark.parametrize("kills", [(7,), (3, 9, 14)])
def test_a_killed_run_ends_with_the_weights_of_the_uninterrupted_one(tmp_path, kills):
    whole, _ = run(tmp_path / "whole", checkpoint_every=2)
    for step in kills:
        with pytest.raises(Killed):
            run(tmp_path / "killed", kill_at=step, checkpoint_every=2)
    resumed, progress = run(tmp_path / "killed", checkpoint_every=2)
    assert progress.step == 20
    for name, expected in whole.state.arrays().items():
        np.testing.assert_array_equal(resumed.state.arrays()[name], expected, err_msg=name)


def test_the_training_curve_of_a_killed_run_is_that_of_the_uninterrupted_one(tmp_path):
    run(tmp_path / "whole", epochs=13, checkpoint_every=10)
    with pytest.raises(Killed):
        run(tmp_path / "killed", epochs=13, kill_at=41, checkpoint_every=10)
    curve = tmp_path / "killed" / "losses.csv"
    assert [step for step, *_ in read_losses(curve)] == [10, 20, 30, 40]
    curve.write_text(curve.read_text() + "5")  # half a line
    run(tmp_path / "killed", epochs=13, checkpoint_every=10)
    assert curve.read_text() == (tmp_path / "whole" / "losses.csv").read_text()
    assert [step for step, *_ in read_losses(curve)] == [10, 20, 30, 40, 50] and read_losses(tmp_path / "none") == []


def test_a_finished_run_is_not_trained_again(tmp_path):
    _, first = run(tmp_path)
    _, second = run(tmp_path, kill_at=1)  # would die at its first step
    assert second.step == first.step == 20 and "5 epochs" in second.finished


def test_training_stops_early_and_the_best_weights_are_the_ones_that_are_kept(tmp_path):
    trainer, progress = run(tmp_path, epochs=50, learning_rate=3.0, optimizer="adam", patience=2)  # far too large a rate
    assert "2 evaluations without" in progress.finished and progress.epoch < 50
    losses = {record["step"]: record["dev/loss"] for record in progress.history}
    assert progress.best_step == min(losses, key=losses.get)
    np.testing.assert_allclose(trainer.dev_losses()["dev/loss"], losses[progress.best_step], rtol=1e-6)


def test_a_metric_that_rises_can_decide_and_an_unknown_one_is_named(tmp_path):
    _, progress = run(tmp_path / "a", monitor="dev/slope")
    assert progress.best_value == max(record["dev/slope"] for record in progress.history)
    with pytest.raises(UserError, match="expected one of dev/loss, dev/slope; received dev/blue"):
        run(tmp_path / "b", monitor="dev/blue")


def test_the_average_of_checkpoints_is_kept_where_it_is_better(tmp_path):
    trainer, progress = run(tmp_path, epochs=8, learning_rate=0.3, optimizer="sgd", average_checkpoints=4)
    best = min(record["dev/loss"] for record in progress.history)
    assert trainer.dev_losses()["dev/loss"] <= best + 1e-6


def test_a_finished_run_is_taken_up_with_the_weights_that_were_best(tmp_path):
    settings = {"epochs": 8, "learning_rate": 0.3, "optimizer": "sgd", "average_checkpoints": 4}
    trainer, _ = run(tmp_path, **settings)
    task = Line(Config(TrainingSettings(**settings)), tmp_path)
    later = Trainer(task, task.build(), CheckpointStore(tmp_path / "checkpoints"), TrainingReporter(tmp_path))
    later.restore()
    later.load_best()
    for name, expected in trainer.state.arrays().items():
        np.testing.assert_array_equal(later.state.arrays()[name], expected, err_msg=name)


def test_gradient_accounts_for_every_token_alike_and_the_norm_is_clipped(tmp_path):
    trainer, _ = run(tmp_path, epochs=1, optimizer="sgd", learning_rate=0.1, clip_norm=0.5)
    before = trainer.state.arrays()
    batch = {"x": tf.fill([8, 1], 100.0), "y": tf.fill([8, 1], -100.0)}
    trainer.optimizer.learning_rate.assign(0.1)
    trainer.update(batch, 0.0, 0.0)
    moved = [trainer.state.arrays()[n] - before[n] for n in before if n.endswith(("kernel", "bias"))]
    np.testing.assert_allclose(np.sqrt(sum((m**2).sum() for m in moved)), 0.1 * 0.5, rtol=1e-3)


def test_a_nan_stops_the_run_names_the_step_and_leaves_the_checkpoint(tmp_path):
    with pytest.raises(UserError, match="the loss is (nan|inf) at step"):
        run(tmp_path, learning_rate=1e30, optimizer="sgd", checkpoint_every=1)
    store = CheckpointStore(tmp_path / "checkpoints")
    arrays, _ = store.load(store.newest())
    assert all(np.isfinite(a).all() for a in arrays.values() if a.dtype.kind == "f")


def test_keras_callbacks_see_every_batch_and_epoch_and_may_stop_the_run(tmp_path):
    seen = []

    class Watcher(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append((batch, logs["loss"]))

        def on_epoch_end(self, epoch, logs=None):
            seen.append((epoch, sorted(logs)))
            self.model.stop_training = epoch == 1

    trainer, progress = run(tmp_path, callbacks=[Watcher()])
    assert progress.finished == "a callback stopped it" and progress.epoch == 2 and progress.step == 8
    assert [place for place, _ in seen] == [0, 1, 2, 3, 0, 0, 1, 2, 3, 1]
    assert all(isinstance(loss, float) for place, loss in seen[:4]) and "dev/loss" in seen[4][1]


def test_keras_metrics_are_reported_for_training_and_dev_and_survive_a_kill(tmp_path):
    def history(directory, kill_at=0):
        try:
            run(directory, kill_at=kill_at, task=Judged, epochs=2, checkpoint_every=1)
        except Killed:
            run(directory, task=Judged, epochs=2, checkpoint_every=1)
        return [(r["train/error"], r["dev/error"], r["train/loss"]) for r in json.loads((directory / "history.json").read_text())]

    whole = history(tmp_path / "whole")
    assert whole[1][1] < whole[0][1] and history(tmp_path / "killed", kill_at=6) == whole


def test_a_moving_average_is_what_is_scored_and_kept(tmp_path):
    plain, _ = run(tmp_path / "plain", epochs=1)
    averaged, progress = run(tmp_path / "averaged", epochs=1, ema=0.5)
    slots = CheckpointStore(tmp_path / "averaged" / "checkpoints").load(progress.step)[0]
    kernel = next(name for name in slots if name.endswith("kernel"))
    np.testing.assert_array_equal(slots[kernel], plain.state.arrays()[kernel])  # trained on as without
    final = averaged.state.arrays()[kernel]
    assert not np.array_equal(final, slots[kernel])
    assert any(name.startswith("optimizer/") and np.array_equal(array, final) for name, array in slots.items())
    assert averaged.dev_losses()["dev/loss"] == progress.history[-1]["dev/loss"]


def test_time_is_counted_over_restarts(tmp_path):
    _, progress = run(tmp_path, epochs=10_000, max_minutes=0.02)
    assert "minutes are over" in progress.finished and 1.2 <= progress.seconds < 60


def test_the_learning_rate_has_fallen_when_the_minutes_are_over(tmp_path, monkeypatch):
    rates = []
    step = TrainingReporter.step
    monkeypatch.setattr(TrainingReporter, "step", lambda self, *a: (rates.append(a[3]), step(self, *a)))
    _, progress = run(tmp_path, epochs=10_000, max_minutes=0.1, schedule="linear", learning_rate=0.1)
    assert progress.epoch < 5_000
    assert rates[0] > 0.05 and rates[-1] < 0.03 and rates == sorted(rates, reverse=True)


def test_a_checkpoint_of_another_model_is_refused(tmp_path):
    run(tmp_path)

    class Wider(Line):
        def build(self):
            return keras.Sequential([keras.Input((1,)), keras.layers.Dense(2), keras.layers.Dense(1)])

    task = Wider(Config(), tmp_path)
    trainer = Trainer(task, task.build(), CheckpointStore(tmp_path / "checkpoints"), TrainingReporter(tmp_path))
    with pytest.raises(UserError, match="belong to another model"):
        trainer.fit()


def test_history_holds_the_figures_of_every_evaluation(tmp_path):
    _, progress = run(tmp_path)
    history = json.loads((tmp_path / "history.json").read_text())
    assert len(history) == 5 == len(progress.history)
    assert {"step", "epoch", "dev/loss", "train/loss", "train/tokens_per_second", "input/wait_share"} <= set(history[0])
    assert list((tmp_path / "tensorboard").glob("events*"))
