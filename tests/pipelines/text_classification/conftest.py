"""Settings of small runs of text classification, and how they are trained."""

from dataclasses import replace

import pytest

from attention_zoo.pipelines.engine.run import run as experiment
from attention_zoo.pipelines.text_classification.settings import (
    BaselineSettings,
    DataSettings,
    FineTuningSettings,
    ModelSettings,
    TextClassificationConfig,
)
from attention_zoo.pipelines.text_classification.task import TextClassification


@pytest.fixture
def config(tiny_data, tmp_path):
    """Returns a function of options of data, model and training to the settings of a run of seconds."""

    def make(**options):
        def given(section):
            return {name: value for name, value in options.items() if name in section.__dataclass_fields__}

        sizes = {"num_layers": 1, "num_heads": 2, "hidden_dim": 8, "intermediate_dim": 8, "dropout": 0.0}
        made = TextClassificationConfig(
            data=DataSettings(**tiny_data("text_classification") | given(DataSettings)),
            model=ModelSettings(**sizes | given(ModelSettings)),
            training=FineTuningSettings(**{"epochs": 1, "batch_tokens": 300} | given(FineTuningSettings)),
            baselines=BaselineSettings(names=[]),
        )
        return replace(made, export=replace(made.export, directory=str(tmp_path / "saved_models")))

    return make


@pytest.fixture
def trained(monkeypatch):
    """Returns a function that trains without scores, pictures and export, and returns the model."""

    def train(config, run):
        monkeypatch.setattr(experiment, "publish", lambda task, model, metrics, reporter: metrics)
        experiment.train(TextClassification, config, run, preset="tiny")
        return experiment.finished(TextClassification, run)[1]

    return train
