"""Starts a run from another one: its vocabulary, and all weights that fit."""

from collections.abc import Iterable
from pathlib import Path

import keras

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.run.config import read
from attention_zoo.pipelines.engine.settings import TaskConfig, describe_change
from attention_zoo.pipelines.engine.storage.checkpoints import CheckpointStore
from attention_zoo.pipelines.engine.storage.files import atomic_write
from attention_zoo.pipelines.engine.storage.run_folder import RunFolder, runs_of
from attention_zoo.pipelines.engine.storage.weights import load_fitting_weights
from attention_zoo.pipelines.engine.task import Task
from attention_zoo.pipelines.engine.training.run_state import weights_to_judge
from attention_zoo.pipelines.engine.training.selection import chosen_arrays

SHOWN = 3  # names of weights that a message lists


def copy_vocabulary(source: RunFolder, folder: RunFolder) -> None:
    """Copies the vocabulary of a run into a new one, so that its embeddings keep their meaning.

    Raises:
        UserError: The new run has another vocabulary already.
    """
    for file in source.vocabularies():
        copy = folder.path / file.relative_to(source.path)
        if not file.is_file():
            continue
        if copy.is_file() and copy.read_bytes() != file.read_bytes():
            raise UserError(
                f"--start-from: expected {copy} to be that of {source}, received another one; choose another --name"
            )
        if not copy.is_file():
            atomic_write(copy, file.read_bytes())


def take_settings(source: RunFolder, config: TaskConfig, names: Iterable[str]) -> list[str]:
    """Gives a new run the settings of another one that decide whether its weights fit, such as the size of images.

    Args:
        source: The other run.
        config: Settings of the new run, which are changed in place.
        names: Dotted names of the settings, those that the user did not write.

    Returns:
        A line for each changed setting.
    """
    earlier, lines = read(type(config), source.config), []
    for section, _, option in (name.partition(".") for name in names):
        before, now = getattr(earlier, section), getattr(config, section)
        if hasattr(before, option) and hasattr(now, option):
            value = getattr(before, option)
            lines += describe_change(f"{section}.{option}", getattr(now, option), value, f"as in {source}")
            setattr(now, option, value)
    return lines


def load_start_weights(task: Task, model: keras.Model, source: RunFolder) -> str:
    """Gives a model the final weights of another run where layer paths and shapes agree.

    Args:
        task: The task of the new run.
        model: Its model, built.
        source: The other run.

    Returns:
        A line that says how many weights were taken, and which of the model keep their initial values.

    Raises:
        UserError: The other run has no checkpoint, or no weight fits.
    """
    monitor = read(type(task.config), source.config).training.monitor
    arrays = chosen_arrays(CheckpointStore(source.checkpoints), monitor, task.prefers_lower(monitor))
    loaded, kept = load_fitting_weights(model, weights_to_judge(arrays, model))
    if not loaded:
        raise UserError(f"--start-from: expected a run of the same model, received {source}, no weight of which fits")
    line = f"starts from {source}: {len(loaded):,} of {len(loaded) + len(kept):,} weights"
    if kept:
        names = ", ".join(kept[:SHOWN]) + (", ..." if len(kept) > SHOWN else "")
        line += f"; new are {names}"
    return line


def find_run(task: str, name: str) -> RunFolder:
    """Returns the folder of the run that `--start-from` names: a path, or the name of a run in runs/TASK.

    Raises:
        UserError: There is no such run.
    """
    for path in (Path(name), Path("runs") / task / name):
        if RunFolder(path).config.is_file():
            return RunFolder(path)
    there = ", ".join(path.name for path in runs_of(task))
    raise UserError(f"--start-from: expected a run, one of {there or 'none so far'}; received {name}")
