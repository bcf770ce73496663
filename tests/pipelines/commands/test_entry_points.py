"""A task has three entry points, and they do the same."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from attention_zoo.pipelines.registry import TASKS

ROOT = Path(__file__).resolve().parents[3]


def entry_points(task):
    """The command lines of `attention-zoo train TASK`, `python -m ... TASK` and `python pipelines/TASK`."""
    script = (
        "import sys; sys.argv[0] = 'attention-zoo'; from attention_zoo.pipelines.__main__ import main; sys.exit(main())"
    )
    return {
        "script": [sys.executable, "-c", script, "train", task],
        "module": [sys.executable, "-m", f"attention_zoo.pipelines.{task}"],
        "folder": [sys.executable, str(ROOT / "pipelines" / task)],
    }


@pytest.mark.parametrize("task", TASKS)
def test_the_entry_points_print_the_same_help_and_nothing_else(task, tmp_path):
    printed = {}
    for name, words in entry_points(task).items():
        done = subprocess.run([*words, "--help"], capture_output=True, text=True, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, ""), name
        printed[name] = done.stdout
    assert f"usage: attention-zoo train {task}" in printed["script"]
    assert printed["script"] == printed["module"] == printed["folder"]


def test_help_takes_at_most_half_a_second(tmp_path):
    words = [*entry_points("translation")["module"], "--help"]
    seconds = []
    for _ in range(5):
        before = os.times()
        subprocess.run(words, check=True, capture_output=True, cwd=tmp_path)
        after = os.times()
        used = after.children_user + after.children_system - before.children_user - before.children_system
        seconds.append(used)  # CPU time: other processes of the machine do not count
    assert min(seconds) <= 0.5


@pytest.mark.parametrize("name", ["script", "module", "folder"])
def test_a_users_own_package_named_datasets_is_imported(name, tmp_path):
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets" / "__init__.py").write_text("")
    # `sitecustomize` runs at the start; at the exit it imports `datasets` from the path that the command has left.
    (tmp_path / "sitecustomize.py").write_text(
        "import atexit\n"
        "def show():\n"
        "    import datasets, sys\n"
        "    print(datasets.__file__, *sys.path, sep='\\n', file=sys.stderr)\n"
        "atexit.register(show)\n"
    )
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    words = [*entry_points("translation")[name], "--help"]
    done = subprocess.run(
        words, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path}, cwd=ROOT / "tests"
    )
    assert done.returncode == 0
    imported, *folders = done.stderr.splitlines()
    assert imported == str(tmp_path / "datasets" / "__init__.py")
    ours = [folder for folder in folders if folder and Path(folder).resolve().is_relative_to(ROOT / "pipelines")]
    assert not ours
