"""The settings that a run folder keeps in config.yaml, and which of them a continued run may change."""

import platform
from collections.abc import Container
from os import PathLike

import keras
import tensorflow as tf

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.run.config import dump, read
from attention_zoo.pipelines.engine.run.runs import DATA, PRESET, head_of
from attention_zoo.pipelines.engine.settings import TaskConfig
from attention_zoo.pipelines.engine.storage.checkpoints import CheckpointStore
from attention_zoo.pipelines.engine.storage.files import atomic_write
from attention_zoo.pipelines.engine.storage.run_folder import RunFolder


def keep_config(
    config: TaskConfig, folder: PathLike[str] | str, changeable_data_settings: Container[str] = (), preset: str = ""
) -> TaskConfig | None:
    """Writes the effective settings, and refuses a folder whose run has other data or another model.

    A run that failed early pins no settings: its data settings are free until the task has learned from the data, its
    model settings until the first checkpoint.

    Returns:
        The earlier settings, which stay in the file until it is known that the run can be continued; `None` if no
        settings are pinned.
    """
    folder = RunFolder(folder)
    kept = set(folder.path.iterdir()) - {folder.config, folder.lock, folder.adapt_lock}
    binding = ("data", "model") if CheckpointStore(folder.checkpoints).steps() else ("data",) if kept else ()
    if not binding or not folder.config.is_file():
        return write_config(config, folder, preset=preset)
    earlier = read(type(config), folder.config)
    for section in binding:
        refuse_changes(folder, "a run", section, earlier, config, changeable_data_settings)
    return earlier


def refuse_changes(
    folder: RunFolder, what: str, section: str, earlier: TaskConfig, config: TaskConfig, free: Container[str] = ()
) -> None:
    """Raises a UserError if settings of a section differ from those of an earlier start, except those in `free`."""
    before, now = (vars(getattr(settings, section)) for settings in (earlier, config))
    names = now if before.get("name") == now.get("name") else ["name"]  # another model has other options
    changed = [name for name in names if before[name] != now[name] and name not in free]
    if changed:
        differences = ", ".join(f"--{section}.{name} {before[name]!r}, received {now[name]!r}" for name in changed)
        raise UserError(
            f"{folder} holds {what} with {differences}; choose another --name (with --start-from {folder.path.name} it "
            "begins with these weights), or remove the folder"
        )


def refuse_other_data(folder: RunFolder, data_version: str) -> None:
    """Raises a UserError if the folder holds a run on other data."""
    known = head_of(folder, DATA)
    if known and known != data_version:
        raise UserError(f"{folder} holds a run on {known}, received {data_version}; choose another --name")


def write_config(config: TaskConfig, folder: RunFolder, data_version: str = "", preset: str = "") -> None:
    """Writes the effective settings, headed by versions, preset and data."""
    heads = [f"Python {platform.python_version()}, TensorFlow {tf.__version__}, Keras {keras.__version__}"]
    if preset:
        heads.append(f"{PRESET}: {preset}")
    if data_version:
        heads.append(f"{DATA}: {data_version}")
    atomic_write(folder.config, "".join(f"# {head}\n" for head in heads) + dump(config))
