"""Trains a changed task beside a run, such as one without attention, to measure what the change costs."""

from typing import Any

import keras

from attention_zoo.pipelines.engine.run.reporting import TrainingReporter
from attention_zoo.pipelines.engine.storage.checkpoints import CheckpointStore
from attention_zoo.pipelines.engine.storage.run_folder import RunFolder
from attention_zoo.pipelines.engine.task import Task
from attention_zoo.pipelines.engine.training.progress import Progress
from attention_zoo.pipelines.engine.training.sizing import size_to_data
from attention_zoo.pipelines.engine.training.trainer import Trainer


def train_twin(
    task: Task, note: str, folder: RunFolder | None = None, sized: bool = False, **changes: Any
) -> tuple[Task, keras.Model, Progress]:
    """Trains a twin of a task, with the same data, the same loop and the changes of the caller.

    The twin has its own folder inside the run's, with checkpoints. A twin that was stopped is continued, and a finished
    twin is only loaded.

    Args:
        task: The `Task` of the run, with its data at hand.
        note: Line that is printed before the training.
        folder: Folder of the twin. Defaults to `None`, the run's `no_attention`.
        sized: Whether to give the twin more epochs where a user's own data is small, as the run got them. Defaults to
            `False`.
        **changes: Attributes of the twin that differ from the task's, such as `config`.

    Returns:
        The twin, its model, and the progress of its training.
    """
    twin = task.in_folder(folder or task.folder.twin)
    for name, value in changes.items():
        setattr(twin, name, value)
    reporter = TrainingReporter(twin.folder, unit=twin.unit)
    if sized and task.config.typed:  # the user wrote something, such as the place of the data
        kept = {"training.batch_tokens", "training.warmup_steps", *task.config.typed} - {"training.epochs"}
        enough = (twin.enough_steps, twin.enough_batches)
        for line in size_to_data(twin.config.training, kept, lambda: twin.preprocess("train", 0), *enough):
            reporter.note(f"{line} ({note})")
    model = twin.build()
    reporter.note(f"{note}; {model.count_params():,} parameters")
    store = CheckpointStore(twin.folder.checkpoints, twin.config.training.keep_checkpoints)
    progress = Trainer(twin, model, store, reporter).fit()
    return twin, model, progress
