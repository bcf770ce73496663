"""Imported once, before the first command: what all tasks import, so that no process of a command imports it again.

No op runs here. TensorFlow has then started no threads, which a fork would lose.
"""

import gc
import importlib

import keras  # noqa: F401
import sklearn.manifold  # noqa: F401
import sklearn.svm  # noqa: F401
import tensorflow  # noqa: F401
import tensorflow_text  # noqa: F401

from attention_zoo.pipelines.commands import main  # noqa: F401
from attention_zoo.pipelines.engine.run import run  # noqa: F401
from attention_zoo.pipelines.registry import TASKS

for name in TASKS:
    importlib.import_module(f"attention_zoo.pipelines.{name}.task")
gc.collect()
gc.freeze()  # the garbage collectors of the processes need not visit what was imported
