import shlex
import subprocess

import pytest

from attention_zoo.pipelines.engine.task import Task, predict_command
from attention_zoo.pipelines.registry import TASKS


def test_a_task_without_a_next_command_names_predict(tmp_path):
    class Toy(Task):
        name = "toy"

    assert Toy(None, tmp_path).next_command() == "attention-zoo predict toy"


@pytest.mark.parametrize("text", ["what's 2 * $HOME", 'say "no"', "`ls`; ok", "東京", "a\\n%s"])
def test_a_shell_passes_the_inputs_of_the_next_command_unchanged(text):
    command = predict_command("toy", text, picture="my picture.png")
    assert shlex.split(command) == ["attention-zoo", "predict", "toy", text, "--attention", "my picture.png"]
    piped = predict_command("toy", f"- {text}").replace("attention-zoo predict toy", "cat")
    assert subprocess.run(["sh", "-c", piped], capture_output=True, text=True).stdout == f"- {text}\n"


def test_the_default_preset_stands_in_the_registry_only():
    assert not hasattr(Task, "default_preset") and "default_preset" not in Task.__annotations__
    assert all(entry.default_preset for entry in TASKS.values())
