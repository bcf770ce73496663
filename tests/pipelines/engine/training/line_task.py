"""A task small enough to see through, and runs of it that die where a test wants them to."""

from dataclasses import dataclass, field

import keras
import tensorflow as tf

from attention_zoo.pipelines.engine.run.reporting import TrainingReporter
from attention_zoo.pipelines.engine.settings import TrainingSettings
from attention_zoo.pipelines.engine.storage.checkpoints import CheckpointStore
from attention_zoo.pipelines.engine.task import Task
from attention_zoo.pipelines.engine.training.trainer import Trainer


@dataclass
class Config:
    training: TrainingSettings = field(default_factory=TrainingSettings)


class Line(Task):
    """Learns y = 2x + 1 through a dropout layer, so that random streams matter too."""

    def preprocess(self, split, epoch):
        x = tf.random.stateless_normal([32, 1], [1 if split == "train" else 2, epoch])
        return tf.data.Dataset.from_tensor_slices({"x": x, "y": 2 * x + 1}).batch(8, drop_remainder=True)

    def build(self):
        keras.utils.set_random_seed(self.config.training.seed)
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dropout(0.3), keras.layers.Dense(1)])
        return model

    def loss(self, model, batch, training):
        total = tf.reduce_sum((model(batch["x"], training=training) - batch["y"]) ** 2)
        return total, tf.cast(tf.shape(batch["x"])[0], tf.float32), {"loss": total}

    def evaluate(self, model, split):
        return {"slope": float(model.weights[0][0, 0])}


class Killed(Exception):
    pass


class KillAt(TrainingReporter):
    """Dies in the middle of a run, as a process does that is killed."""

    def __init__(self, directory, step):
        super().__init__(directory)
        self.kill_step = step

    def step(self, progress, *figures):
        super().step(progress, *figures)
        if progress.step == self.kill_step:
            raise Killed


def run(directory, kill_at=0, task=Line, callbacks=(), **settings):
    config = Config(TrainingSettings(**{"epochs": 5, "learning_rate": 0.05, "clip_norm": 0.0, **settings}))
    task = task(config, directory)
    store, reporter = CheckpointStore(directory / "checkpoints"), KillAt(directory, kill_at)
    trainer = Trainer(task, task.build(), store, reporter, callbacks=callbacks)
    return trainer, trainer.fit()
