"""What a finished run does once, however often its command is repeated."""

from dataclasses import dataclass, field

import pytest

from attention_zoo.pipelines.engine.run.publish import baselines
from attention_zoo.pipelines.engine.settings import ExportSettings, TaskConfig, TrainingSettings
from attention_zoo.pipelines.engine.task import Task


@dataclass
class Config(TaskConfig):
    training: TrainingSettings = field(default_factory=TrainingSettings)
    export: ExportSettings = field(default_factory=ExportSettings)


class Counting(Task):
    """Counts how often its baselines are trained."""

    def __init__(self, config, directory, scores):
        super().__init__(config, directory)
        self.scores, self.trained = scores, 0

    def baselines(self):
        self.trained += 1
        return self.scores


@pytest.mark.parametrize(
    ("scores", "change", "trained"),
    [
        ({"svm": 97.5}, {}, 1),
        ({"svm": 97.5}, {"export": ExportSettings(directory="elsewhere")}, 1),
        ({"svm": 97.5}, {"training": TrainingSettings(epochs=99)}, 2),
        ({}, {}, 2),  # one that was left out may be there the next time
    ],
)
def test_baselines_are_trained_once_for_the_same_settings(tmp_path, scores, change, trained):
    task = Counting(Config(), tmp_path, scores)
    assert baselines(task) == scores
    for name, section in change.items():
        setattr(task.config, name, section)
    assert baselines(task) == scores and task.trained == trained
