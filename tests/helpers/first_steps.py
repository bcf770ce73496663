"""One training step of a preset of a paper's size, for a process of its own: its gigabytes go with the process."""

import keras
import numpy as np
import tensorflow_datasets as tfds

from attention_zoo.pipelines.commands.arguments import presets_of
from attention_zoo.pipelines.commands.loading import load
from attention_zoo.pipelines.engine.run import run as experiment
from attention_zoo.pipelines.engine.run.config import read
from attention_zoo.pipelines.registry import TASKS


class OneStep(keras.callbacks.Callback):
    """Ends the training with its first step."""

    def on_train_batch_end(self, batch, logs=None):
        self.loss, self.model.stop_training = logs["loss"], True


def take_a_step(name, directory):
    """Trains a preset of translation for a step on data of its kind, and checks what it reports."""
    experiment.publish = lambda task, model, metrics, reporter: metrics
    task = load(TASKS["translation"].task)
    config = read(task.Config, presets_of("translation")[name])
    config.data.limit, config.data.vocabulary_size = 12, 30  # the sizes of the model are the paper's
    callback = OneStep()
    with tfds.testing.mock_data(num_examples=12):
        metrics = experiment.train(task, config, directory, preset=name, callbacks=[callback])
    assert metrics["train/steps"] == 1 and 0 < callback.loss < 2 * np.log(30) and np.isfinite(metrics["dev/loss"])
