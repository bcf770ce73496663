"""A run from the first example to the served model: train, evaluate, illustrate, export."""

import json
import platform
import random
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from rich.console import Console
from rich.table import Table

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.run.config import dump, read
from attention_zoo.pipelines.engine.run.reporting import TrainingReporter
from attention_zoo.pipelines.engine.serving.export import export_saved_model
from attention_zoo.pipelines.engine.storage.checkpoints import CheckpointStore
from attention_zoo.pipelines.engine.storage.files import atomic_write, locked
from attention_zoo.pipelines.engine.training.distribution import is_chief, make_strategy, wait_for_all, watching_workers
from attention_zoo.pipelines.engine.training.trainer import Trainer


def train(task_class, config, run_directory, preset, callbacks=()):
    """Runs a task to its end, or takes up a run that was stopped, and leaves metrics, pictures and a SavedModel.

    In a cluster every worker calls it with the same arguments and the same run folder, on a disk that all of them see;
    the chief writes.

    Args:
        task_class: The `Task`.
        config: Its settings.
        run_directory: Folder of the run; made if it is not there.
        preset: Name of the preset the settings came from, for the messages.
        callbacks: Keras callbacks, called by the training loop.

    Returns:
        The metrics, also in `metrics.json`; in a worker that is not the chief, an empty dict.

    Raises:
        UserError: another process trains in this folder, or the folder holds a run of another model or other data, or
            another worker is lost.
        Preempted: SIGTERM came; a checkpoint is written.
    """
    strategy = make_strategy(config.training.strategy)
    run_directory = Path(run_directory)
    run_directory.mkdir(parents=True, exist_ok=True)
    chief = is_chief(strategy)
    with watching_workers(strategy), alone_in(run_directory) if chief else nullcontext():
        earlier = keep_config(config, run_directory, task_class.not_of_the_data) if chief else None
        reporter = TrainingReporter(run_directory, silent=not chief, unit=task_class.unit)
        reporter.note(f"{task_class.name}, preset {preset}: everything of this run goes to {run_directory}/")
        if strategy.num_replicas_in_sync > 1:
            reporter.note(f"{strategy.num_replicas_in_sync} replicas, {type(strategy).__name__}")
        task, model = prepare(task_class, config, run_directory, strategy)
        reporter.note(f"model of {model.count_params():,} parameters")
        store = CheckpointStore(run_directory / "checkpoints", config.training.keep_checkpoints)
        trainer = Trainer(task, model, store, reporter, strategy, callbacks)
        trainer.restore()
        if chief:  # only now is it known that the run can be continued like this
            known = recorded_version(run_directory) if earlier else ""
            if known and known != task.data_version:
                raise UserError(
                    f"{run_directory} holds a run on {known}, received {task.data_version}; choose another --name"
                )
            if earlier and trainer.progress.finished:
                refuse_changes(run_directory, "a finished run", "training", earlier, config, ("strategy",))
            write_config(config, run_directory, task.data_version)
        progress = trainer.fit()
        reporter.note(
            f"training ended after {progress.seconds / 60:.1f} minutes, {progress.step:,} steps: {progress.finished}"
        )
        metrics = {
            **trainer.dev_losses(),
            "parameters": model.count_params(),
            "train/minutes": progress.seconds / 60,
            "train/steps": progress.step,
            "train/epochs": progress.epoch + progress.batch / max(1, trainer.batches_per_epoch),
        }
        if reporter.padding_share is not None:
            metrics["input/padding_share"] = reporter.padding_share
        metrics = publish(task, plain_model(task, model, strategy), metrics, reporter) if chief else {}
        wait_for_all(strategy)
    return metrics


def publish(task, model, metrics, reporter):
    """Scores the finished model, draws, exports, tries the export out, and says where everything is. Returns all metrics."""
    metrics = metrics | score(task, model)
    write_metrics(task.run_directory, metrics)
    pictures = task.illustrate(model, task.run_directory / "pictures")
    exported = export_task(task, model)
    if figures := task.try_out(exported):
        metrics |= figures
        write_metrics(task.run_directory, metrics)
    show_metrics(reporter.console, metrics)
    for picture in pictures:
        reporter.note(f"picture: {picture}")
    reporter.note(f"SavedModel: {exported}")
    reporter.note(f"next: {task.next_command()}")
    return metrics


def plain_model(task, model, strategy):
    """The model on one device: what mirrors its variables neither decodes fast nor exports."""
    if strategy.num_replicas_in_sync == 1:
        return model
    plain = task.build()
    for variable, trained in zip(plain.variables, model.variables, strict=True):
        variable.assign(np.array(trained))
    return plain


def evaluate(task_class, run_directory):
    """Scores a finished run on its test split again. Returns the metrics."""
    run_directory = Path(run_directory)
    with alone_in(run_directory):
        task, model = finished(task_class, run_directory)
        path = run_directory / "metrics.json"
        known = json.loads(path.read_text()) if path.is_file() else {}  # figures of the training stay
        metrics = known | score(task, model)
        write_metrics(run_directory, metrics)
        show_metrics(Console(highlight=False), metrics)
    return metrics


def export(task_class, run_directory):
    """Writes the next version of the SavedModel of a finished run. Returns its folder."""
    task, model = finished(task_class, run_directory)
    directory = export_task(task, model)
    Console(highlight=False, soft_wrap=True).print(f"SavedModel: {directory}\nnext: {task.next_command()}")
    return directory


def prepare(task_class, config, run_directory, strategy=None):
    """Returns the task with its data at hand, and its model with weights drawn from the seed, in the strategy's scope."""
    keras.config.set_dtype_policy(config.training.precision)
    # First of all: setting a seed empties TensorFlow's kernel cache, and with it every table or tokeniser made before.
    keras.utils.set_random_seed(config.training.seed)
    task = task_class(config, run_directory)
    task.load()
    with locked(Path(run_directory) / ".adapt", wait=True):  # one worker learns, the others read
        task.adapt()
    # Keras takes the seeds of weights and dropout from here, and preparing a dataset for the first time draws from it,
    # too.
    random.seed(config.training.seed)
    with strategy.scope() if strategy else nullcontext():
        try:
            return task, task.build()
        except UserError:
            raise
        except ValueError as error:  # a layer that a setting does not suit
            raise UserError(f"model: {error}") from error


def finished(task_class, run_directory):
    """Returns the task and the model of a run, with the weights it is to be judged by."""
    run_directory = Path(run_directory)
    if not (run_directory / "config.yaml").is_file():
        raise UserError(f"no run in {run_directory}: expected config.yaml there; train one first")
    config = read(task_class.Config, run_directory / "config.yaml")
    task, model = prepare(task_class, config, run_directory)
    store = CheckpointStore(run_directory / "checkpoints", config.training.keep_checkpoints)
    if store.newest() is None:
        raise UserError(f"no checkpoint in {store.directory}: train first")
    trainer = Trainer(task, model, store, TrainingReporter(run_directory, unit=task_class.unit))
    trainer.restore()
    trainer.load_best()
    return task, model


def score(task, model):
    """Returns the test metrics as `test/NAME`; a name with a group of its own, such as `baseline/svm`, stays as it is."""
    return {name if "/" in name else f"test/{name}": value for name, value in task.evaluate(model, "test").items()}


def export_task(task, model):
    """Exports what the task serves."""
    trackables, signatures, warm_up = task.signatures(model)
    directory = Path(task.config.export.directory) / task.name
    return export_saved_model(directory, trackables, signatures, warm_up)


def keep_config(config, run_directory, not_of_the_data=()):
    """Writes the effective settings, and refuses a folder whose run has other data or another model.

    What failed before anything was learned binds nobody: its data until words were learned from them, its model until
        the first
    checkpoint.

    Returns:
        The earlier settings, which stay in the file until it is known that the run can be continued; None where
        nothing is bound.
    """
    path = run_directory / "config.yaml"
    kept = {file.name for file in run_directory.iterdir()} - {path.name, ".lock", ".adapt"}
    binding = ("data", "model") if CheckpointStore(run_directory / "checkpoints").steps() else ("data",) if kept else ()
    if not binding or not path.is_file():
        return write_config(config, run_directory)
    earlier = read(type(config), path)
    for section in binding:
        refuse_changes(run_directory, "a run", section, earlier, config, not_of_the_data)
    return earlier


def refuse_changes(run_directory, what, section, earlier, config, free=()):
    """UserError where settings of a section differ from those of an earlier start, but for those that are free."""
    before, now = (vars(getattr(settings, section)) for settings in (earlier, config))
    changed = [name for name in now if before[name] != now[name] and name not in free]
    if changed:
        differences = ", ".join(f"{section}.{name} {before[name]!r}, received {now[name]!r}" for name in changed)
        raise UserError(f"{run_directory} holds {what} with {differences}; choose another --name, or remove the folder")


def write_config(config, run_directory, data_version=""):
    """Writes the effective settings, headed by what they were run with."""
    heads = [f"Python {platform.python_version()}, TensorFlow {tf.__version__}, Keras {keras.__version__}"]
    heads += [f"Data: {data_version}"] * bool(data_version)
    atomic_write(run_directory / "config.yaml", "".join(f"# {head}\n" for head in heads) + dump(config))


def recorded_version(run_directory):
    """Which data the run was last started with, as `write_config` noted it; "" where it did not."""
    lines = (run_directory / "config.yaml").read_text(encoding="utf-8").splitlines()
    return next((line.removeprefix("# Data: ") for line in lines if line.startswith("# Data: ")), "")


@contextmanager
def alone_in(run_directory):
    """Lets one process at a time write to a run."""
    if not run_directory.is_dir():
        raise UserError(f"no run in {run_directory}: train one first")
    with ExitStack() as held:
        try:
            held.enter_context(locked(run_directory / ".lock"))
        except BlockingIOError:
            raise UserError(
                f"{run_directory} is in use by another process; wait for it, or choose another --name"
            ) from None
        yield


def write_metrics(run_directory, metrics):
    """Writes flat names to numbers."""
    atomic_write(run_directory / "metrics.json", json.dumps(metrics, indent=1, sort_keys=True) + "\n")


def show_metrics(console, metrics):
    """Prints the metrics as a table."""
    table = Table("metric", "value")
    for name, value in sorted(metrics.items()):
        table.add_row(name, f"{value:,.4g}" if isinstance(value, float) else f"{value:,}")
    console.print(table)
