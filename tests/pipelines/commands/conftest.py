"""A task that notes how it was called, for tests of the commands."""

import sys
import types

import pytest

from attention_zoo.pipelines.commands import arguments, messages
from attention_zoo.pipelines.commands.main import main
from attention_zoo.pipelines.engine.serving.versions import CANDIDATE, complete_versions, version_folder
from attention_zoo.pipelines.registry import Entry

TASK = r'''
"""A task that notes how it was called."""
from dataclasses import dataclass, field
from pathlib import Path
import numpy as np
from attention_zoo.pipelines.engine.task import Task
from attention_zoo.pipelines.engine.views import Alignment

calls = []

@dataclass
class Training:
    """How it learns.

    Args:
        epochs: Passes over the data.
    """
    epochs: int = 1

@dataclass
class Config:
    """Settings.

    Args:
        training: The learning.
    """
    training: Training = field(default_factory=Training)

class Toy(Task):
    name = "toy"
    Config = Config

    View = Alignment
    answers_with = "answer"

    @staticmethod
    def ask(served, inputs, attention):
        calls.append(("ask", served, list(inputs), attention))
        for text in inputs:
            error = "expected a word, received a digit" if text.isdigit() else ""
            yield {"input": text, "error": error, "answer": text.upper(), "score": np.ones(2), "pixels": b"..."}

    @staticmethod
    def say(answer):
        return answer["answer"]

    @staticmethod
    def view(answer):
        if not answer["answer"]:
            return None
        return Alignment(["\u2581a", "b"], ["c"], np.ones((1, 1, 2)), title=answer["input"])
'''
DATASETS = [("numbers", "numbers in words [0, 99]", "CC0")]


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A registry with one task, its presets, an engine that notes its calls, and an empty working directory."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "toy_task.py").write_text(TASK)
    monkeypatch.syspath_prepend(tmp_path / "code")
    monkeypatch.delitem(sys.modules, "toy_task", raising=False)
    (tmp_path / "toy" / "presets").mkdir(parents=True)
    (tmp_path / "toy" / "presets" / "small.yaml").write_text(
        "# attention-zoo train toy\n# Plays small. One core:\n# 3 min, score 97.\ntraining: {epochs: 2}\n# none"
    )
    (tmp_path / "toy" / "presets" / "large.yaml").write_text("training: {epochs: 20}")
    monkeypatch.setattr(arguments, "TASK_FOLDERS", tmp_path)
    monkeypatch.setattr(messages.warnings, "formatwarning", messages.warnings.formatwarning)  # restored afterwards
    import toy_task

    def note(name):
        return lambda task_class, *rest, **_: toy_task.calls.append((name, task_class.name, *rest))

    engine = types.SimpleNamespace(train=note("train"), evaluate=note("evaluate"), export=note("export"))
    monkeypatch.setitem(sys.modules, "attention_zoo.pipelines.engine.run.run", engine)
    versions = types.SimpleNamespace(
        load_saved_model=lambda version, answer: ("served", version),
        version_folder=version_folder,
        complete_versions=complete_versions,
        CANDIDATE=CANDIDATE,
    )
    monkeypatch.setitem(sys.modules, "attention_zoo.pipelines.engine.serving.versions", versions)
    monkeypatch.chdir(tmp_path)
    for exported in ("saved_models/toy/1", "m/toy/1"):
        (tmp_path / exported).mkdir(parents=True)
        (tmp_path / exported / "saved_model.pb").touch()
    tasks = {"toy": Entry("toy_task:Toy", "plays", default_preset="small")}
    return types.SimpleNamespace(
        run=lambda *argv: main(tasks, DATASETS, list(argv)),
        calls=toy_task.calls,
        task=toy_task,
        engine=engine,
        tasks=tasks,
    )
