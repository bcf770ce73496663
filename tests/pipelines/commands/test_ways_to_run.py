"""The console script, `python -m` and `python FOLDER` run the same command, and hide no module of the user's."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from attention_zoo.pipelines.registry import TASKS

ROOT = Path(__file__).resolve().parents[3]
CONSOLE = (
    "import sys; from attention_zoo.pipelines.__main__ import main; sys.exit(main())"  # what the script of pip holds
)


def ways(task):
    """The three command lines of a task, each up to its options."""
    return {
        "console": [sys.executable, "-P", "-c", CONSOLE, "train", task],
        "module": [sys.executable, "-m", f"attention_zoo.pipelines.{task}"],
        "folder": [sys.executable, str(ROOT / "pipelines" / task)],
    }


@pytest.mark.parametrize("task", TASKS)
def test_help_is_the_same_and_silent_on_standard_error(task, tmp_path):
    outputs = []
    for words in ways(task).values():
        done = subprocess.run([*words, "--help"], cwd=tmp_path, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
        outputs.append(done.stdout)
    assert outputs[0].startswith(f"usage: attention-zoo train {task} ")
    assert outputs[1] == outputs[0] and outputs[2] == outputs[0]


@pytest.mark.parametrize("way", ["console", "module", "folder"])
def test_a_package_of_the_users_own_is_not_hidden_by_our_folders(way, tmp_path):
    # The site module imports `sitecustomize` in every process; ours reports at exit which modules were importable.
    (tmp_path / "datasets.py").write_text("whose = 'the user'\n")
    (tmp_path / "settings.py").write_text("whose = 'the user'\n")
    report = "import datasets, settings; print(datasets.whose, settings.whose)"
    (tmp_path / "sitecustomize.py").write_text(f"import atexit\natexit.register(lambda: exec({report!r}))\n")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    (elsewhere := tmp_path / "elsewhere").mkdir()
    environment = {**os.environ, "PYTHONPATH": path}
    words = [*ways("translation")[way], "--help"]
    done = subprocess.run(words, cwd=elsewhere, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "the user the user"


def test_help_takes_at_most_half_a_second(tmp_path):
    words = [*ways("translation")["module"], "--help"]
    seconds = []
    for _ in range(3):
        before = os.times()
        subprocess.run(words, check=True, capture_output=True, cwd=tmp_path)
        after = os.times()  # CPU time: other processes of the machine do not count
        seconds.append(after.children_user + after.children_system - before.children_user - before.children_system)
    assert min(seconds) <= 0.5
