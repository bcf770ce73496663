"""The page on adding a task is followed, word for word."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "adding_a_task.md"


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """A copy of the project with what the page adds, and a folder of links as an installation would make them."""
    root = tmp_path_factory.mktemp("house")
    for folder in ("layers", "pipelines"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name, content in re.findall(r"^`(\S+)`\n\n```\w+\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as file:
            file.write(content)
    (root / "installed" / "attention_zoo").mkdir(parents=True)
    for folder in ("layers", "pipelines"):
        (root / "installed" / "attention_zoo" / folder).symlink_to(root / folder)
    return root


def run(house, *words, code=0):
    environment = {**os.environ, "PYTHONPATH": str(house / "installed"), "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run([sys.executable, *words], cwd=house, env=environment, capture_output=True, text=True)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def test_the_task_of_the_page_trains_draws_exports_and_answers(house):
    printed = run(house, "-m", "attention_zoo.pipelines", "train", "digit_finding")
    assert "next: attention-zoo predict digit_finding" in printed
    folder = house / "runs" / "digit_finding" / "small"
    assert json.loads((folder / "metrics.json").read_text())["test/accuracy"] == 100.0
    assert (folder / "pictures" / "attention-2.png").is_file()
    command = ["-m", "attention_zoo.pipelines", "predict", "digit_finding", "kq7vb", "3abcd"]
    assert run(house, *command, "--attention", "digit.png") == "7\n3\n"
    answers = [json.loads(line) for line in run(house, *command, "--json", "--attention", "d.svg").splitlines()]
    for answer, place in zip(answers, (2, 0)):
        assert max(answer["weights"]) == answer["weights"][place]
    assert (house / "digit-2.png").is_file()


def test_the_task_of_the_page_is_listed_and_has_help(house):
    assert "digit_finding" in run(house, "-m", "attention_zoo.pipelines", "tasks")
    assert "--model.hidden_dim" in run(house, "pipelines/digit_finding", "--help")


def test_the_code_of_the_page_is_formatted(house):
    names = [str(path) for path in house.glob("pipelines/digit_finding/*.py")]
    names.append(str(house / "pipelines" / "models" / "digit_finder.py"))
    configuration = ["--config", str(ROOT / "pyproject.toml"), "--no-cache"]
    for words in (["format", "--check"], ["check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *words, *configuration, *names], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
