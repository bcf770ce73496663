"""A run from the first example to the served model: train, evaluate, illustrate, export."""

import random
import shutil
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from os import PathLike
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.pictures.fonts import missing_font
from attention_zoo.pipelines.engine.run.config import changed, read
from attention_zoo.pipelines.engine.run.console import make_console, no_bars_in_files
from attention_zoo.pipelines.engine.run.illustrate import learned_texts
from attention_zoo.pipelines.engine.run.kept_settings import (
    keep_config,
    refuse_changes,
    refuse_other_data,
    write_config,
)
from attention_zoo.pipelines.engine.run.publish import (
    export_task,
    next_command,
    publish,
    record_of,
    score,
    show_metrics,
    write_metrics,
)
from attention_zoo.pipelines.engine.run.reporting import TrainingReporter
from attention_zoo.pipelines.engine.run.runs import preset_of
from attention_zoo.pipelines.engine.run.starting import copy_vocabulary, load_start_weights, take_settings
from attention_zoo.pipelines.engine.run.tracking import tracking_callbacks
from attention_zoo.pipelines.engine.settings import TaskConfig
from attention_zoo.pipelines.engine.stages import stage
from attention_zoo.pipelines.engine.storage.checkpoints import CheckpointStore
from attention_zoo.pipelines.engine.storage.files import atomic_write, locked
from attention_zoo.pipelines.engine.storage.run_folder import RunFolder
from attention_zoo.pipelines.engine.task import Task
from attention_zoo.pipelines.engine.training.distribution import is_chief, make_strategy, wait_for_all, watching_workers
from attention_zoo.pipelines.engine.training.recomputation import recompute_blocks
from attention_zoo.pipelines.engine.training.selection import load_chosen_weights
from attention_zoo.pipelines.engine.training.sizing import size_to_data
from attention_zoo.pipelines.engine.training.trainer import Trainer

KEPT_IN_AN_EXPORT = {  # why `export` does not change a setting, or "" if it does
    "": "expected a setting of decoding or export; the weights were learned with the others, which `train` changes",
    "decoding": "",
    "export": "",
    "export.promote": "an export is always served; --export.directory exports into another folder",
}

KEPT_IN_AN_EVALUATION = {"": "expected a setting of the data, such as --data.test; received another one", "data": ""}


def train(
    task_class: type[Task],
    config: TaskConfig,
    folder: PathLike[str] | str,
    preset: str,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    typed: Collection[str] | None = None,
    start_from: RunFolder | None = None,
) -> dict[str, float]:
    """Runs a task to its end, or continues a run that was stopped. Writes metrics, pictures and a SavedModel.

    In a cluster every worker calls it with the same arguments and the same run folder, on a shared disk. The chief
    writes.

    Args:
        task_class: The `Task` class.
        config: Its settings.
        folder: `RunFolder` or path of the run, which is made if it does not exist.
        preset: Name of the preset that the settings come from, for the messages.
        callbacks: Keras callbacks, called by the training loop. Defaults to `()`.
        typed: Names of the settings that the user wrote. Training settings that are not among them are adapted to
            small data. Defaults to `None`, which keeps all settings as they are.
        start_from: Another run, whose vocabulary and weights this one begins with. Defaults to `None`, which draws the
            weights from the seed.

    Returns:
        The metrics, also in `metrics.json`; in a worker that is not the chief, an empty dict.

    Raises:
        UserError: Another process trains in this folder, or the folder holds a run of another model or other data, or
            another worker is lost.
        Preempted: SIGTERM or Ctrl-C was received, and a checkpoint is written.
    """
    strategy = make_strategy(config.training.strategy)
    folder = RunFolder(folder)
    folder.path.mkdir(parents=True, exist_ok=True)
    chief = is_chief(strategy)
    with (
        no_empty_folder(folder) if chief else nullcontext(),
        watching_workers(strategy),
        alone_in(folder) if chief else nullcontext(),
    ):
        reporter = TrainingReporter(folder, silent=not chief, unit=task_class.unit)
        free = task_class.changeable_data_settings
        sized = [] if typed is None else [name for name in task_class.sized_settings if name not in typed]
        unknown = {name.partition(".")[2] for name in sized}  # until the data is read
        earlier = keep_config(config, folder, {*free, *unknown}, preset) if chief else None
        reporter.note(f"{task_class.name}, preset {preset}: everything of this run goes to {folder}/")
        if strategy.num_replicas_in_sync > 1:
            reporter.note(f"{strategy.num_replicas_in_sync} replicas, {type(strategy).__name__}")
        if start_from:
            if chief:
                copy_vocabulary(start_from, folder)
            for line in take_settings(start_from, config, sized):
                reporter.note(line)
            typed = None if typed is None else {*typed, *sized}
        task, model = prepare(task_class, config, folder, strategy, typed, reporter.note)
        store = CheckpointStore(folder.checkpoints, config.training.keep_checkpoints)
        continues = bool(store.steps())
        if earlier and continues:  # the sized settings, too
            for section in ("data", "model"):
                refuse_changes(folder, "a run", section, earlier, config, free)
        reporter.note(f"model of {model.count_params():,} parameters")
        if chief and (line := missing_font(learned_texts(folder))):
            reporter.note(f"note: {line}")
        if typed is not None and not task.pretrained:
            with stage("counting the batches of an epoch"):
                lines = size_to_data(
                    config.training,
                    typed,
                    lambda: task.preprocess("train", 0),
                    enough_steps=task.enough_steps,
                    enough_batches=task.enough_batches,
                )
            for line in lines:
                reporter.note(line)
        if start_from and not continues:
            reporter.note(load_start_weights(task, model, start_from))
        callbacks = [*callbacks, *(tracking_callbacks(config, folder) if chief else [])]
        trainer = Trainer(task, model, store, reporter, strategy, callbacks)
        trainer.restore()
        if chief:  # only now is it known that the run can be continued like this
            if earlier:
                refuse_other_data(folder, task.data_version)
                if trainer.progress.finished:
                    refuse_changes(folder, "a finished run", "training", earlier, config, ("strategy",))
            write_config(config, folder, task.data_version, preset)
        trainer.fit()
        metrics = training_figures(trainer, reporter)
        metrics = publish(task, plain_model(task, model, strategy), metrics, reporter) if chief else {}
        wait_for_all(strategy)
    return metrics


def training_figures(trainer: Trainer, reporter: TrainingReporter) -> dict[str, float]:
    """Returns the metrics that a training leaves, and prints how it ended."""
    progress, monitor = trainer.progress, trainer.task.config.training.monitor
    minutes = progress.seconds / 60
    reporter.note(f"training ended after {minutes:.1f} minutes, {progress.step:,} steps: {progress.finished}")
    metrics = {
        **trainer.evaluation.losses(),
        "parameters": trainer.model.count_params(),
        "train/minutes": minutes,
        "train/steps": progress.step,
        "train/epochs": progress.epoch + progress.batch / max(1, trainer.batches_per_epoch),
    }
    if progress.best_value is not None:
        metrics.setdefault(monitor, progress.best_value)
    if reporter.padding_share is not None:
        metrics["input/padding_share"] = reporter.padding_share
    return metrics


def plain_model(task: Task, model: keras.Model, strategy: tf.distribute.Strategy) -> keras.Model:
    """Returns the model on one device, since mirrored variables decode slowly and cannot be exported."""
    if strategy.num_replicas_in_sync == 1:
        return model
    plain = task.build()
    for variable, trained in zip(plain.variables, model.variables, strict=True):
        variable.assign(np.array(trained))
    return plain


def evaluate(task_class: type[Task], folder: PathLike[str] | str, changes: Sequence[str] = ()) -> dict[str, float]:
    """Scores a finished run again, on its test split or on that of other data.

    Args:
        task_class: The `Task` class.
        folder: `RunFolder` or path of the run.
        changes: Settings of the data that replace the run's, such as `["--data.test", "a.en", "a.fr"]`. The scores are
            then written into a folder of their own inside the run's. Defaults to `()`, the run's own test split.

    Returns:
        The metrics.

    Raises:
        UserError: There is no such run, a setting cannot be changed, or the model does not suit the data.
    """
    folder = RunFolder(folder)
    with alone_in(folder):
        task, model = on_other_data(task_class, folder, changes) if changes else finished(task_class, folder)
        known = {} if changes else folder.read_metrics()  # keeps the figures of the training
        metrics = known | score(task, model)
        write_metrics(task.folder, metrics)
        show_metrics(make_console(), metrics)
        if changes:
            make_console(soft_wrap=True).print(f"scores on {task.data_version}: {task.folder.metrics}")
    return metrics


def on_other_data(task_class: type[Task], folder: RunFolder, changes: Sequence[str]) -> tuple[Task, keras.Model]:
    """Returns the task and the model of a run on other data; the task has a folder of its own inside the run's."""
    fixed = "the model was made with the run's own; train another run to change it"
    refused = KEPT_IN_AN_EVALUATION | {
        name: fixed for name in (*task_class.sized_settings, *task_class.adapted_settings)
    }
    config = changed(read(task_class.Config, folder.config), changes, refused)
    other = folder.evaluation(changes)
    other.path.mkdir(parents=True, exist_ok=True)
    copy_vocabulary(folder, other)
    if folder.labels.is_file():
        atomic_write(other.labels, folder.labels.read_bytes())
    try:
        task, model = prepare(task_class, config, other)
    except UserError:
        if not other.metrics.is_file():  # no earlier scores on the same data
            shutil.rmtree(other.path)
        raise
    write_config(config, other, task.data_version, preset_of(folder))
    load_final_weights(task, model, folder)
    return task, model


def export(task_class: type[Task], folder: PathLike[str] | str, changes: Sequence[str] = ()) -> Path:
    """Writes the next version of the SavedModel of a finished run.

    Args:
        task_class: The `Task` class.
        folder: `RunFolder` or path of the run.
        changes: Settings of decoding and export that replace the run's for this version, such as
            `["--decoding.beam_size", "4"]`. Defaults to `()`.

    Returns:
        The folder of the version.

    Raises:
        UserError: There is no such run, or a setting cannot be changed.
    """
    folder = RunFolder(folder)
    task, model = finished(task_class, folder, changes)
    directory = Path(task.config.export.directory) / task.name
    version, note = export_task(task, model, directory, record_of(task, model, folder.read_metrics()))
    make_console(soft_wrap=True).print(f"{note}\nnext: {next_command(task, directory)}")
    return version


def prepare(
    task_class: type[Task],
    config: TaskConfig,
    folder: PathLike[str] | str,
    strategy: tf.distribute.Strategy | None = None,
    typed: Collection[str] | None = None,
    note: Callable[[str], None] = print,
) -> tuple[Task, keras.Model]:
    """Returns the task with its data loaded, and its model with initial weights, made in the strategy's scope.

    Settings that are not among `typed` are sized to the data, and `note` gets the lines that say so; with `None` all
    stay as they are.
    """
    keras.config.set_dtype_policy(config.training.precision)
    # Before all else: setting a seed empties TensorFlow's kernel cache, and with it tables and tokenisers made earlier.
    keras.utils.set_random_seed(config.training.seed)
    no_bars_in_files()
    folder = RunFolder(folder)
    task = task_class(config, folder.path)
    with stage("preparing the data"):
        task.load()
    if typed is not None:
        for line in task.size_to_data(typed):
            note(line)
    with stage("learning from the training split"), locked(folder.adapt_lock, wait=True):  # the others read
        task.adapt()
    # Keras draws the seeds of weights and dropout from `random`, and so does the first preparation of a dataset.
    random.seed(config.training.seed)
    with stage("building the model"), strategy.scope() if strategy else nullcontext():
        try:
            model = task.build()
            if config.training.recompute:
                recompute_blocks(model)
            return task, model
        except UserError:
            raise
        except ValueError as error:  # a layer refuses an argument, which it names in backticks
            options = vars(config.model) if hasattr(config, "model") else {}
            option = next((f"--model.{name}" for name in options if f"`{name}`" in str(error)), "--model")
            raise UserError(f"{option}: {error}") from error


def finished(
    task_class: type[Task], folder: PathLike[str] | str, changes: Sequence[str] = ()
) -> tuple[Task, keras.Model]:
    """Returns the task and the model of a run, with its final weights, and its settings with changes of `export`."""
    folder = RunFolder(folder)
    if not folder.config.is_file():
        raise UserError(f"no run in {folder}: expected {folder.config.name} there; train one first")
    config = changed(read(task_class.Config, folder.config), changes, KEPT_IN_AN_EXPORT)
    task, model = prepare(task_class, config, folder)
    load_final_weights(task, model, folder)
    return task, model


def load_final_weights(task: Task, model: keras.Model, folder: RunFolder) -> None:
    """Gives a model the final weights of a run."""
    settings, store = task.config.training, CheckpointStore(folder.checkpoints)
    load_chosen_weights(model, store, settings.monitor, task.prefers_lower(settings.monitor), ema=bool(settings.ema))


@contextmanager
def no_empty_folder(folder: RunFolder) -> Iterator[None]:
    """Removes the folder of a run that the user's error ended before anything was learned."""
    try:
        yield
    except UserError:
        if set(folder.path.iterdir()) <= {folder.config, folder.lock, folder.adapt_lock}:
            shutil.rmtree(folder.path)
        raise


@contextmanager
def alone_in(folder: RunFolder) -> Iterator[None]:
    """Holds the lock of a run, so that one process at a time writes to it."""
    if not folder.path.is_dir():
        raise UserError(f"no run in {folder}: train one first")
    with ExitStack() as held:
        try:
            held.enter_context(locked(folder.lock))
        except BlockingIOError:
            raise UserError(f"{folder} is in use by another process; wait for it, or choose another --name") from None
        yield
