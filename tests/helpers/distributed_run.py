"""Runs of a few steps, for a process of their own.

How many devices there are is settled when TensorFlow makes its first tensor, and a worker of a cluster is a process.
"""

import json
import os
import signal
from dataclasses import dataclass, field

import keras
import numpy as np
import tensorflow as tf

from attention_zoo.pipelines import models
from attention_zoo.pipelines.engine.run import run as experiment
from attention_zoo.pipelines.engine.settings import TrainingSettings
from attention_zoo.pipelines.engine.task import Task
from attention_zoo.pipelines.engine.text.batching import token_batches
from attention_zoo.pipelines.engine.training.losses import smoothed_cross_entropy
from attention_zoo.pipelines.models.parts.lengths import expect_at_most

V, LONGEST = 20, 9


def next_words():
    """A model that is traced at once, for tests of the loop: it sees only the word before."""
    source, target = (keras.Input((None,), dtype="int32", name=name) for name in ("source", "target"))
    logits = keras.layers.Dense(V)(keras.layers.Embedding(V, 8)(target))
    return keras.Model({"source": source, "target": target}, logits)


MODELS = {
    "next_words": next_words,
    "bahdanau": lambda: models.BahdanauTranslator(V, V, 8, 8, dropout=0.0),
    "transformer": lambda: models.TransformerTranslator(V, V, 8, 1, 2, 16, dropout=0.0),
    "transformer_of_any_length": lambda: models.TransformerTranslator(V, V, 8, 1, 2, 16, dropout=0.0),
}


@dataclass
class Config:
    model: str = "bahdanau"
    data: str = "reversal"
    training: TrainingSettings = field(default_factory=TrainingSettings)


class Reversal(Task):
    """Says a sequence backwards."""

    name = "reversal"
    Config = Config

    def load(self):
        lengths = np.random.default_rng(0).integers(1, LONGEST, size=90)
        self.rows = {"train": self.ragged(lengths[:70], 1), "validation": self.ragged(lengths[70:], 2)}

    def ragged(self, lengths, seed):
        ids = np.random.default_rng(seed).integers(4, V, size=int(lengths.sum()))
        source = tf.RaggedTensor.from_row_lengths(tf.constant(ids, tf.int32), lengths)
        labels = tf.reverse(source.to_tensor(), [1])
        labels = tf.RaggedTensor.from_row_lengths(tf.boolean_mask(labels, labels != 0), lengths)
        begin = tf.fill([len(lengths), 1], tf.constant(2, tf.int32))
        return {"source": source, "target": tf.concat([begin, labels[:, :-1]], axis=1), "labels": labels}

    def adapt(self):
        pass

    def preprocess(self, split, epoch):
        # The smallest batches have a row, fewer than there are replicas.
        return token_batches(self.rows[split], 40, seed=3, epoch=epoch, shuffle=split == "train", window=30)

    def build(self):
        model = MODELS[self.config.model]()
        if not model.built:
            model.build()
        if self.config.model == "transformer":  # as in translation
            expect_at_most(model, LONGEST)
        return model

    def loss(self, model, batch, training):
        logits = model({"source": batch["source"], "target": batch["target"]}, training=training)
        loss, nll, tokens = smoothed_cross_entropy(batch["labels"], logits, 0.1 if training else 0.0)
        return loss, tokens, {"loss": nll, "accuracy": (batch["labels"], logits, batch["labels"] != 0)}

    def metrics(self):
        return {"accuracy": keras.metrics.SparseCategoricalAccuracy()}

    def evaluate(self, model, split):
        return {}

    def illustrate(self, model, directory):
        return []


class Losses(keras.callbacks.Callback):
    """Keeps what the loop reports."""

    def __init__(self):
        super().__init__()
        self.losses = []

    def on_train_batch_end(self, batch, logs=None):
        self.losses.append(logs["loss"])


class KilledAfter(keras.callbacks.Callback):
    """Kills its process after so many steps."""

    def __init__(self, steps):
        super().__init__()
        self.steps = steps

    def on_train_batch_end(self, batch, logs=None):
        self.steps -= 1
        if not self.steps:
            os.kill(os.getpid(), signal.SIGKILL)


def train(directory, model, settings, callbacks=()):
    """Trains a model, and writes the losses that a Keras callback sees to `DIRECTORY/losses-WORKER.json`."""
    training = TrainingSettings(**{"epochs": 2, "learning_rate": 0.01, **settings})
    seen = Losses()
    config = Config(model=model, training=training)
    metrics = experiment.train(Reversal, config, directory, "test", [seen, *callbacks])
    worker = json.loads(os.environ.get("TF_CONFIG", '{"task": {"index": 0}}'))["task"]["index"]
    (directory / f"losses-{worker}.json").write_text(json.dumps({"losses": seen.losses, "metrics": metrics}))


def train_all(runs, cluster, killed_after=0):
    """The process: trains runs, each (folder, model, training settings), as the worker that `TF_CONFIG` names.

    It is killed after so many steps of a run, if any are given.
    """
    os.environ.pop("TF_CONFIG", None)
    if cluster:
        os.environ["TF_CONFIG"] = cluster
    experiment.publish = lambda task, model, metrics, reporter: metrics  # the loop is what is looked at
    experiment.keep_config = lambda *arguments: None  # the settings are of this module, not of a preset
    for directory, model, settings in runs:
        train(directory, model, settings, [KilledAfter(killed_after)] if killed_after else [])
