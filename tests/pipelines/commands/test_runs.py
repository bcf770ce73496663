"""`attention-zoo runs`, `compare`, `completion` and `--quiet`."""

import json
import subprocess
import sys

import pytest

from attention_zoo.pipelines import registry
from attention_zoo.pipelines.__main__ import main
from attention_zoo.pipelines.commands import completion
from attention_zoo.pipelines.commands import train as train_command
from attention_zoo.pipelines.engine.storage.run_folder import RunFolder


@pytest.fixture
def two_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    for name, seed in (("one", 1), ("two", 2)):
        folder = RunFolder(tmp_path / "runs" / "translation" / name)
        folder.path.mkdir(parents=True)
        folder.config.write_text(f"# Preset: dates\ntraining: {{seed: {seed}, epochs: 9}}\n")
        folder.history.write_text(json.dumps([{"step": 3, "dev/loss": 2.5}]))
        folder.metrics.write_text(json.dumps({"test/bleu": 20.0 + seed}))
    return tmp_path


def test_runs_lists_every_run(two_runs, capsys):
    assert main(["runs"]) == 0
    out = capsys.readouterr().out
    assert all(
        word in out for word in ("translation", "one", "two", "dates", "finished", "test/bleu 21", "test/bleu 22")
    )
    assert main(["runs", "steering"]) == 0
    assert "no runs in runs" in capsys.readouterr().out
    assert main(["runs", "cooking"]) == 2


def test_compare_prints_the_differences_and_draws_the_curves(two_runs, capsys):
    assert main(["compare", "runs/translation/one", "runs/translation/two", "--picture", "both.png"]) == 0
    out = capsys.readouterr().out
    assert "training.seed" in out and "training.epochs" not in out and "test/bleu" in out and "picture: both.png" in out
    assert (two_runs / "both.png").read_bytes().startswith(b"\x89PNG")
    assert main(["compare", "runs/translation/one", "nowhere"]) == 2
    assert main(["compare", "runs/translation/one"]) == 2


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_completion_knows_commands_tasks_presets_and_settings(shell, capsys):
    assert main(["completion", shell]) == 0
    out = capsys.readouterr().out
    assert all(word in out for word in ("compare", "image_classification", "bahdanau", "--training.warmup_steps"))


def test_completion_knows_every_command(capsys):
    tree = completion.command_tree(registry.TASKS)
    (commands,) = (action.choices for action in tree._actions if isinstance(action.choices, dict))
    assert main(["no-such-command"]) == 2
    said = capsys.readouterr().err
    listed = said.partition("one of ")[2].partition(";")[0].split(", ")
    assert set(listed) == set(commands)


def test_a_shell_completes_a_preset():
    script = f"source <({sys.executable} -m attention_zoo.pipelines completion bash); "
    script += "COMP_WORDS=(attention-zoo train translation --preset bah); COMP_CWORD=4; "
    script += '_shtab_attention_zoo; printf "%s\\n" "${COMPREPLY[@]}"'
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True)
    assert done.stdout.split() == ["bahdanau"], done.stderr


def test_help_names_the_exit_codes(capsys):
    assert main(["--help"]) == 0
    assert "Exit codes: 0; 1 where predict" in capsys.readouterr().out


def test_quiet_prints_errors_only(two_runs, capfd, monkeypatch):
    def speaks(tasks, argv):
        print("progress")
        subprocess.run(["echo", "from a child"])
        print("a warning", file=sys.stderr)
        assert "--quiet" not in argv
        return 0

    monkeypatch.setattr(train_command, "train", speaks)
    assert main(["train", "translation", "--quiet"]) == 0
    assert capfd.readouterr() == ("", "a warning\n")
    assert main(["train", "translation"]) == 0
    assert "progress" in capfd.readouterr().out
