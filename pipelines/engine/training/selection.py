"""Chooses the final weights of a run: those of its best checkpoint, or the average of its last ones."""

from collections.abc import Mapping
from typing import Any

import keras

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.settings import TrainingSettings
from attention_zoo.pipelines.engine.storage.checkpoints import Arrays, CheckpointStore
from attention_zoo.pipelines.engine.storage.weights import load_weights_by_path
from attention_zoo.pipelines.engine.training.evaluation import Evaluation
from attention_zoo.pipelines.engine.training.progress import Progress
from attention_zoo.pipelines.engine.training.run_state import POSITIONAL, RunState, weights_to_judge


def is_better(value: float, best: float | None, lower_is_better: bool) -> bool:
    """Returns whether a monitored value improves on the best one so far, which may be None.

    Example:

    >>> is_better(1.0, None, True), is_better(1.0, 2.0, True), is_better(1.0, 2.0, False)
    (True, True, False)
    """
    if best is None:
        return True
    return value < best if lower_is_better else value > best


def rank(record: Mapping[str, float], monitor: str, lower_is_better: bool) -> tuple[float, float]:
    """Returns what the records of evaluations are sorted by, best first.

    Of equal values of the monitored metric, the one with the lower loss is better: on a small validation split, many
    evaluations reach an accuracy of 100, and the first of them is far from the last.

    Example:

    >>> records = [{"dev/f1": 100.0, "dev/loss": 0.9}, {"dev/f1": 100.0, "dev/loss": 0.1}]
    >>> min(records, key=lambda record: rank(record, "dev/f1", lower_is_better=False))["dev/loss"]
    0.1
    """
    value = record[monitor]
    return (value if lower_is_better else -value), record["dev/loss"]


def best_intact_step(store: CheckpointStore, progress: Progress, monitor: str, lower_is_better: bool) -> int:
    """Returns the step of the best checkpoint that can be read; a damaged one is skipped for the next best.

    Args:
        store: `CheckpointStore`.
        progress: `Progress` of the run.
        monitor: Name of the monitored value in the records of `progress.history`.
        lower_is_better: Whether a lower value is better.

    Raises:
        UserError: No evaluated checkpoint can be read.
    """
    records = [record for record in progress.history if monitor in record]
    ranked = sorted(records, key=lambda record: rank(record, monitor, lower_is_better))
    step = store.first_intact([progress.best_step, *(record["step"] for record in ranked)])
    if step is None:
        raise UserError(f"{store.directory} holds no evaluated checkpoint; train on with the same command first")
    return step


def steps_to_average(store: CheckpointStore, progress: Progress, count: int) -> list[int]:
    """Returns the steps of the last `count` evaluated checkpoints that can be read; none if fewer than two can."""
    if count < 2:
        return []
    steps = [step for step in progress.evaluated_steps[-count:] if store.first_intact([step]) is not None]
    return steps if len(steps) > 1 else []


def assign_best_weights(
    state: RunState,
    store: CheckpointStore,
    progress: Progress,
    settings: TrainingSettings,
    lower_is_better: bool,
    evaluation: Evaluation,
    reporter: Any,
) -> list[int]:
    """Gives the model of a finished run its best weights.

    They are those of the best checkpoint, or the average of the last ones if its loss on the validation split is lower.

    Args:
        state: `RunState` of the run, whose variables are set.
        store: `CheckpointStore` of the run.
        progress: `Progress` of the run.
        settings: `TrainingSettings` of the run.
        lower_is_better: Whether a lower value of `settings.monitor` is better.
        evaluation: `Evaluation` of the model on the validation split.
        reporter: `TrainingReporter`, whose `note` is called with both losses.

    Returns:
        The steps of the checkpoints whose weights they are; several are averaged.

    Raises:
        UserError: No evaluated checkpoint can be read.
    """
    step = best_intact_step(store, progress, settings.monitor, lower_is_better)
    state.assign(store.load(step)[0])
    state.take_average()
    steps = steps_to_average(store, progress, settings.average_checkpoints)
    if not steps:
        return [step]
    best, best_loss = state.arrays(), evaluation.losses()["dev/loss"]
    state.assign(store.average(steps, state.renamed))
    state.take_average()
    average_loss = evaluation.losses()["dev/loss"]
    reporter.note(f"average of {len(steps)} checkpoints: dev/loss {average_loss:.4f}, best one: {best_loss:.4f}")
    if average_loss < best_loss:
        return steps
    state.assign(best)
    return [step]


def chosen_arrays(store: CheckpointStore, monitor: str, lower_is_better: bool) -> Arrays:
    """Returns the checkpoint of a run that holds its final weights; the arguments are those of `load_chosen_weights`.

    Raises:
        UserError: There is no checkpoint to read.
    """
    newest = store.newest()
    if newest is None:
        raise UserError(f"no checkpoint in {store.directory}: train first")
    progress = Progress(**store.load(newest)[1])
    steps = progress.chosen_steps
    if not steps or any(store.first_intact([step]) is None for step in steps):
        steps = [best_intact_step(store, progress, monitor, lower_is_better)]
    return store.load(steps[0])[0] if len(steps) == 1 else store.average(steps)


def load_chosen_weights(
    model: keras.Model, store: CheckpointStore, monitor: str, lower_is_better: bool, ema: bool = False
) -> None:
    """Gives a model the final weights of a run from its checkpoints; it needs no optimiser, and scores nothing.

    `Trainer.load_best` has recorded which checkpoints they are. For a run that has not finished, or one of an earlier
    version, they are those of the best checkpoint.

    Args:
        model: The run's model, built.
        store: `CheckpointStore` of the run.
        monitor: `training.monitor` of the run.
        lower_is_better: Whether a lower value of it is better.
        ema: Whether the run keeps moving averages. Defaults to `False`.

    Raises:
        UserError: There is no checkpoint to read, or it belongs to another model.
    """
    arrays = chosen_arrays(store, monitor, lower_is_better)
    if ema and any(POSITIONAL.fullmatch(name) for name in arrays):
        raise UserError(
            f"{store.directory} is of an earlier version, whose moving averages have no names; "
            "start another run with another --name"
        )
    _, missing, unexpected = load_weights_by_path(model, weights_to_judge(arrays, model))
    if missing or unexpected:
        raise UserError(f"{store.directory} belongs to another model (they differ in {(missing + unexpected)[0]})")
