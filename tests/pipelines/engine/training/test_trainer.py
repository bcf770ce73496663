"""The loop on a task small enough to see through: exact resume, early stop, averaging, and what it refuses."""

import json
import signal

import keras
import numpy as np
import pytest
import tensorflow as tf
from line_task import Config, Killed, Line, run

from attention_zoo.pipelines.engine.errors import Preempted, UserError
from attention_zoo.pipelines.engine.run.reporting import TrainingReporter
from attention_zoo.pipelines.engine.settings import TrainingSettings
from attention_zoo.pipelines.engine.storage.checkpoints import CheckpointStore
from attention_zoo.pipelines.engine.storage.run_folder import RunFolder
from attention_zoo.pipelines.engine.training.trainer import Trainer


class Judged(Line):
    """With a Keras metric."""

    def metrics(self):
        return {"error": keras.metrics.MeanAbsoluteError()}

    def loss(self, model, batch, training):
        total, weight, parts = super().loss(model, batch, training)
        return total, weight, parts | {"error": (batch["y"], model(batch["x"], training=False))}


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
    folder = RunFolder(tmp_path / "killed")
    curve = folder.losses
    assert [step for step, *_ in folder.read_losses()] == [10, 20, 30, 40]
    for torn in ("5", "50,1.2", "50,1.2,", "50,1.2,3.1e"):  # what a kill or a full disk leaves of a line
        curve.write_text((text := curve.read_text()) + torn)
        assert [step for step, *_ in folder.read_losses()] == [10, 20, 30, 40]
        curve.write_text(text)
    curve.write_text(text + torn)
    run(tmp_path / "killed", epochs=13, checkpoint_every=10)
    assert curve.read_text() == (tmp_path / "whole" / "losses.csv").read_text()
    assert [step for step, *_ in folder.read_losses()] == [10, 20, 30, 40, 50] and RunFolder(
        tmp_path / "none"
    ).read_losses() == []


def test_a_finished_run_is_not_trained_again(tmp_path):
    _, first = run(tmp_path)
    _, second = run(tmp_path, kill_at=1)  # would die at its first step
    assert second.step == first.step == 20 and "5 epochs" in second.finished


def test_training_stops_early_and_the_best_weights_are_the_ones_that_are_kept(tmp_path):
    trainer, progress = run(
        tmp_path, epochs=50, learning_rate=3.0, optimizer="adam", patience=2
    )  # far too large a rate
    assert "2 evaluations without" in progress.finished and progress.epoch < 50
    losses = {record["step"]: record["dev/loss"] for record in progress.history}
    assert progress.best_step == min(losses, key=losses.get)
    np.testing.assert_allclose(trainer.evaluation.losses()["dev/loss"], losses[progress.best_step], rtol=1e-6)


def test_a_metric_that_rises_can_decide_and_an_unknown_one_is_named(tmp_path):
    _, progress = run(tmp_path / "a", monitor="dev/slope")
    assert progress.best_value == max(record["dev/slope"] for record in progress.history)
    with pytest.raises(UserError, match="expected one of dev/loss, dev/slope; received dev/blue"):
        run(tmp_path / "b", monitor="dev/blue")
    assert CheckpointStore(tmp_path / "b" / "checkpoints").newest() == 4  # the epoch is not lost


class Falling(Line):
    lower_is_better = ("loss", "slope")


def test_a_task_says_which_of_its_metrics_fall(tmp_path):
    _, progress = run(tmp_path, monitor="dev/slope", task=Falling)
    assert progress.best_value == min(record["dev/slope"] for record in progress.history)


class Constant(Line):
    """Its metric has one value."""

    def evaluate(self, model, split):
        return {"accuracy": 100.0}


def test_of_equal_metrics_the_lower_loss_is_best_and_patience_runs_out(tmp_path):
    _, progress = run(tmp_path / "a", monitor="dev/accuracy", task=Constant)
    assert progress.best_step == min(progress.history, key=lambda record: record["dev/loss"])["step"] > 4
    assert progress.best_value == 100.0
    _, progress = run(tmp_path / "b", monitor="dev/accuracy", task=Constant, patience=2)
    assert "2 evaluations without" in progress.finished and progress.step == 12


def test_a_damaged_best_checkpoint_gives_way_to_the_next_best(tmp_path):
    settings = {"epochs": 50, "learning_rate": 3.0, "optimizer": "adam", "patience": 2}  # the best is not the newest
    _, progress = run(tmp_path, **settings)
    ranked = sorted(progress.history, key=lambda record: record["dev/loss"])
    best = next((tmp_path / "checkpoints").glob(f"step-{progress.best_step:08d}-*.safetensors"))
    best.write_bytes(best.read_bytes()[:-9])
    with pytest.warns(UserWarning, match=f"step {progress.best_step} is passed over"):
        trainer, _ = run(tmp_path, **settings)
    there = [
        record for record in ranked[1:] if list((tmp_path / "checkpoints").glob(f"step-{record['step']:08d}.json"))
    ]
    np.testing.assert_allclose(trainer.evaluation.losses()["dev/loss"], there[0]["dev/loss"], rtol=1e-6)


class StopsItself(keras.callbacks.Callback):
    """Sends signals to this process in the third step."""

    def __init__(self, *signals):
        super().__init__()
        self.signals = signals

    def on_train_batch_begin(self, batch, logs=None):
        if batch == 2:
            for number in self.signals:
                signal.raise_signal(number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_writes_a_checkpoint_and_continues_there(tmp_path, number, capsys):
    before = signal.getsignal(number)
    with pytest.raises(Preempted, match="stopped at step 3; a checkpoint is written") as stopped:
        run(tmp_path, epochs=2, callbacks=[StopsItself(number)])
    assert stopped.value.number == number and signal.getsignal(number) == before
    capsys.readouterr()
    trainer, progress = run(tmp_path, epochs=2)
    assert progress.step == 8 and "continues at step 3" in capsys.readouterr().out


def test_a_second_ctrl_c_stops_at_once(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, epochs=2, callbacks=[StopsItself(signal.SIGINT, signal.SIGINT)])


def test_sigterm_during_the_last_evaluation_is_not_lost(tmp_path):
    class Impatient(Line):
        def evaluate(self, model, split):
            signal.raise_signal(signal.SIGTERM)
            return super().evaluate(model, split)

    with pytest.raises(Preempted, match="after the last step"):
        run(tmp_path, task=Impatient, epochs=1, monitor="dev/slope")
    _, progress = run(tmp_path, epochs=1, monitor="dev/slope")
    assert progress.step == 4 and progress.finished


def test_under_a_time_limit_the_learning_rate_of_a_resumed_run_does_not_jump(tmp_path):
    settings = {"epochs": 10_000, "max_minutes": 1.0, "schedule": "linear", "learning_rate": 0.1, "checkpoint_every": 1}
    with pytest.raises(Killed):
        run(tmp_path, kill_at=20, **settings)
    rates = []

    class Noting(TrainingReporter):
        def step(self, progress, loss, weight, rate, waited):
            rates.append(rate)
            raise Killed

    task = Line(Config(TrainingSettings(**settings | {"clip_norm": 0.0})), tmp_path)
    store = CheckpointStore(tmp_path / "checkpoints")
    with pytest.raises(Killed):
        Trainer(task, task.build(), store, Noting(tmp_path)).fit()
    seconds = store.load(store.newest())[1]["seconds"]
    assert rates[0] <= 0.1 * (1 - seconds / 60) + 1e-6


def test_the_average_of_checkpoints_is_kept_where_it_is_better(tmp_path):
    trainer, progress = run(tmp_path, epochs=8, learning_rate=0.3, optimizer="sgd", average_checkpoints=4)
    best = min(record["dev/loss"] for record in progress.history)
    assert trainer.evaluation.losses()["dev/loss"] <= best + 1e-6


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


def test_the_usual_callbacks_of_keras_work_in_the_loop(tmp_path):
    best = tmp_path / "best.keras"
    callbacks = [
        keras.callbacks.ModelCheckpoint(best, monitor="dev/loss", mode="min", save_best_only=True),
        keras.callbacks.EarlyStopping("dev/loss", mode="min", patience=50),
        keras.callbacks.CSVLogger(tmp_path / "log.csv"),
        keras.callbacks.TensorBoard(tmp_path / "board"),
        keras.callbacks.TerminateOnNaN(),
    ]
    trainer, progress = run(tmp_path, callbacks=callbacks)
    assert progress.epoch == 5 and len((tmp_path / "log.csv").read_text().splitlines()) == 6
    np.testing.assert_array_equal(keras.models.load_model(best).weights[0], trainer.model.weights[0])


def test_a_callback_that_would_set_the_learning_rate_is_refused(tmp_path):
    with pytest.raises(UserError, match="--training.schedule"):
        run(tmp_path, callbacks=[keras.callbacks.ReduceLROnPlateau("dev/loss")])


@pytest.mark.parametrize("accumulate", [1, 2])
def test_compiled_by_xla_the_updates_are_the_same(tmp_path, accumulate):
    class Steady(Line):
        def build(self):
            keras.utils.set_random_seed(1)
            return keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])

    plain, _ = run(tmp_path / "plain", task=Steady, epochs=2)
    compiled, _ = run(tmp_path / "compiled", task=Steady, epochs=2, jit=True, accumulate=accumulate)
    np.testing.assert_allclose(compiled.model.weights[0], plain.model.weights[0], rtol=1e-4)


def test_keras_metrics_are_reported_for_training_and_dev_and_survive_a_kill(tmp_path):
    def history(directory, kill_at=0):
        try:
            run(directory, kill_at=kill_at, task=Judged, epochs=2, checkpoint_every=1)
        except Killed:
            run(directory, task=Judged, epochs=2, checkpoint_every=1)
        return [
            (r["train/error"], r["dev/error"], r["train/loss"])
            for r in json.loads((directory / "history.json").read_text())
        ]

    whole = history(tmp_path / "whole")
    assert whole[1][1] < whole[0][1] and history(tmp_path / "killed", kill_at=6) == whole


def test_a_moving_average_is_what_is_scored_and_kept(tmp_path):
    plain, _ = run(tmp_path / "plain", epochs=1)
    averaged, progress = run(tmp_path / "averaged", epochs=1, ema=0.5)
    slots = CheckpointStore(tmp_path / "averaged" / "checkpoints").load(progress.step)[0]
    kernel = next(name for name in slots if name.startswith("model/") and name.endswith("kernel"))
    np.testing.assert_array_equal(slots[kernel], plain.state.arrays()[kernel])  # trained on as without
    final = averaged.state.arrays()[kernel]
    assert not np.array_equal(final, slots[kernel])
    assert any(name.startswith("optimizer/") and np.array_equal(array, final) for name, array in slots.items())
    assert averaged.evaluation.losses()["dev/loss"] == progress.history[-1]["dev/loss"]


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
