"""The same task without attention, trained beside a run, so that attention can be compared with its absence."""

import copy
from typing import Any

import keras

from attention_zoo.pipelines.engine.run.reporting import TrainingReporter
from attention_zoo.pipelines.engine.storage.checkpoints import CheckpointStore
from attention_zoo.pipelines.engine.task import Task
from attention_zoo.pipelines.engine.training.progress import Progress
from attention_zoo.pipelines.engine.training.trainer import Trainer


def train_twin(task: Task, note: str, **changes: Any) -> tuple[Task, keras.Model, Progress]:
    """Trains a twin of a task: the same data and the same loop, and whatever the caller changes.

    The twin has a folder of its own in the run's, with checkpoints: a twin that was stopped is continued, and a finished
    one is only loaded.

    Args:
        task: The `Task` of the run, with its data at hand.
        note: What is said before the training.
        **changes: Attributes of the twin that differ from the task's, such as `config`.

    Returns:
        The twin, its model, and the progress of its training.
    """
    twin = copy.copy(task)
    twin.run_directory = task.folder.twin.path
    for name, value in changes.items():
        setattr(twin, name, value)
    twin.folder.path.mkdir(parents=True, exist_ok=True)
    reporter = TrainingReporter(twin.folder, unit=twin.unit)
    model = twin.build()
    reporter.note(f"{note}; {model.count_params():,} parameters")
    store = CheckpointStore(twin.folder.checkpoints, twin.config.training.keep_checkpoints)
    progress = Trainer(twin, model, store, reporter).fit()
    return twin, model, progress
