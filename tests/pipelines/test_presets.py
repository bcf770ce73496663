"""Presets are runs that anyone can repeat: each is valid, and its head says the command."""

from pathlib import Path

import pytest
from attention_zoo.pipelines import TASKS
from attention_zoo.pipelines.engine.command_line import load, presets_of
from attention_zoo.pipelines.engine.config import read

PRESETS = [pytest.param(task, name, path, id=f"{task}-{name}") for task in TASKS for name, path in presets_of(task).items()]


@pytest.mark.parametrize("task, name, path", PRESETS)
def test_a_preset_is_valid_and_says_its_command(task, name, path):
    read(load(TASKS[task].settings), path)
    first, second = Path(path).read_text(encoding="utf-8").splitlines()[:2]
    expected = f"# attention-zoo train {task}" + ("" if name == TASKS[task].default_preset else f" --preset {name}")
    assert first == expected and second.startswith("# ")


def test_every_documented_system_has_a_small_and_a_paper_preset():
    names = set(presets_of("translation"))
    for system in ("rnn", "seq2seq", "bahdanau", "luong", "transformer"):
        assert {system, f"wmt14_{system}"} <= names
    assert "dates" in names
