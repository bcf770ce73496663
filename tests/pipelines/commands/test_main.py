"""The commands: their arguments, what they hand to the engine, and how they end."""

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

import pytest
from refusal import refused

from attention_zoo.pipelines.commands import loading, messages
from attention_zoo.pipelines.commands.main import main
from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.registry import Entry


def test_train_calls_the_engine_with_settings_folder_and_preset(toy):
    config, training = toy.task.Config, toy.task.Training
    assert toy.run("train", "toy") == 0
    assert toy.run("train", "toy", "--preset", "large", "--training.epochs", "3") == 0
    assert toy.run("train", "toy", "--name", "mine") == 0
    assert toy.calls == [
        ("train", "toy", config(training(2)), Path("runs/toy/small"), "small"),
        ("train", "toy", config(training(3)), Path("runs/toy/large"), "large"),
        ("train", "toy", config(training(2)), Path("runs/toy/mine"), "small"),
    ]


def test_settings_that_stand_apart_are_read_without_the_task(toy, capsys):
    tasks = {"toy": Entry("no_such_module:Toy", "plays", "small", settings="toy_task:Config")}
    with pytest.raises(SystemExit) as caught:
        main(tasks, argv=["train", "toy", "--help"])
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    assert "Passes over the data: a whole number (default: 2)" in shown and "large, small" in shown


@pytest.mark.parametrize(
    "chosen, folder",
    [
        ([], "runs/toy/small"),
        (["--preset", "large"], "runs/toy/large"),
        (["--name", "mine"], "runs/toy/mine"),
        (["--run", "elsewhere"], "elsewhere"),
    ],
)
@pytest.mark.parametrize("command", ["evaluate", "export"])
def test_evaluate_and_export_find_the_run(toy, command, chosen, folder):
    Path(folder).mkdir(parents=True)
    Path(folder, "config.yaml").write_text("")
    assert toy.run(command, "toy", *chosen) == 0
    assert toy.calls == [(command, "toy", Path(folder))]


def test_export_hands_changed_settings_to_the_engine(toy):
    handed = []
    toy.engine.export = lambda *_, changes: handed.append(changes)
    Path("runs/toy/small").mkdir(parents=True)
    Path("runs/toy/small/config.yaml").write_text("")
    assert toy.run("export", "--decoding.beam_size", "4", "toy", "--export.directory=x y", "--name", "small") == 0
    assert handed == [["--decoding.beam_size", "4", "--export.directory=x y"]]


def test_evaluate_hands_settings_of_the_data_to_the_engine(toy):
    handed = []
    toy.engine.evaluate = lambda *_, changes: handed.append(changes)
    Path("runs/toy/small").mkdir(parents=True)
    Path("runs/toy/small/config.yaml").write_text("")
    assert toy.run("evaluate", "toy", "--data-test", "a.en", "a.fr", "--name", "small") == 0
    assert handed == [["--data-test", "a.en", "a.fr"]]


def test_a_run_that_is_not_there_is_named_with_those_that_are(toy, capsys):
    assert "no run in runs/toy/small" in (line := refused(toy, capsys, "evaluate", "toy"))
    assert "`attention-zoo train toy` makes one" in line
    Path("runs/toy/mine").mkdir(parents=True)
    Path("runs/toy/mine/config.yaml").write_text("")
    assert "there are runs/toy/mine" in refused(toy, capsys, "export", "toy", "--name", "mien")


@pytest.mark.parametrize(
    "argv, message",
    [
        (["trian", "toy"], "received trian; did you mean train?"),
        (["train"], "train: expected a task first, one of toy; received none"),
        (["train", "--preset", "small"], "train: expected a task first, one of toy; received --preset"),
        (["train", "tyo"], "received tyo; did you mean toy?"),
        (["evaluate", "toi"], "received toi; did you mean toy?"),
        (["evaluate"], "evaluate: the following arguments are required: TASK"),
        (["evaluate", "toy", "--epochs", "3"], "unrecognized arguments: --epochs 3"),
        (["evaluate", "toy", "--run", "a", "--name", "b"], "not allowed with argument --run"),
        (["predict", "toi", "x"], "received toi; did you mean toy?"),
        (["predict", "toy", "x", "--attn", "y"], "unrecognized arguments: --attn"),
        (["predict", "toy", "x", "--model", "m/tyo"], "no SavedModel in m/tyo: `attention-zoo train` and"),
        (["tasks", "--all"], "tasks: unrecognized arguments: --all"),
        (["train", "toy", "--epochs", "3"], "--epochs: no such option; did you mean --training.epochs?"),
        (["train", "toy", "--training.epochs", "x"], "--training.epochs: expected a whole number, received 'x'"),
        (["train", "toy", "--preset", "larg"], "received larg; did you mean large?"),
        (["train", "toy", "--name", "../x"], "--name: expected the name of a folder"),
        (["train", "toy", "--name", ".."], "--name: expected the name of a folder"),
        (["train", "toy", "--name", ""], "--name: expected the name of a folder"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line(toy, capsys, argv, message):
    assert message in refused(toy, capsys, *argv)


@pytest.mark.parametrize(
    "error, code, message",
    [
        (UserError("the disk is full"), 2, "attention-zoo: the disk is full\n"),
        (PermissionError(13, "Permission denied", "runs/toy"), 2, "attention-zoo: runs/toy: Permission denied\n"),
        (
            OSError(28, "No space left on device"),
            2,
            "attention-zoo: writing: No space left on device; free some and start the same command again\n",
        ),
        (KeyboardInterrupt(), 130, "\nattention-zoo: stopped; the same command continues from the last checkpoint\n"),
    ],
)
def test_what_a_user_can_mend_ends_in_one_line_and_a_code(toy, capsys, error, code, message):
    def fail(*_, **__):
        raise error

    toy.engine.train = fail
    assert toy.run("train", "toy") == code
    assert capsys.readouterr().err == message


@pytest.mark.parametrize("error", [ValueError("a bug"), FileNotFoundError(2, "No such file", "x")])
def test_a_mistake_of_ours_keeps_its_traceback(toy, error):
    def fail(*_, **__):
        raise error

    toy.engine.train = fail
    with pytest.raises(type(error)):
        toy.run("train", "toy")


def test_a_warning_is_one_line_without_our_source(toy, capsys):
    toy.engine.train = lambda *_, **__: messages.warnings.warn("checkpoint of step 3 is passed over", stacklevel=1)
    with messages.warnings.catch_warnings():
        messages.warnings.simplefilter("always")
        messages.warnings.showwarning = lambda *a: sys.stderr.write(messages.warnings.formatwarning(*a[:4]))
        toy.run("train", "toy")
    assert capsys.readouterr().err == "warning: checkpoint of step 3 is passed over\n"


def test_tables_list_tasks_and_data_sets(toy, capsys):
    assert toy.run("tasks") == 0
    shown = capsys.readouterr().out
    assert all(text in shown for text in ("toy", "large", "small (default)", "plays"))
    assert "Plays small. One core: 3 min, score 97." in " ".join(shown.replace("│", " ").split())
    assert "attention-zoo train" not in shown and "none" not in shown
    assert toy.run("datasets") == 0
    shown = capsys.readouterr().out
    assert "numbers in words [0, 99]" in shown and "CC0" in shown


def test_the_version_is_that_of_the_installation(toy, capsys):
    assert toy.run("--version") == 0
    assert capsys.readouterr().out == f"attention-zoo {importlib.metadata.version('attention-zoo')}\n"


def test_what_libraries_write_as_they_load_is_seen_only_where_loading_fails(capfd):
    with loading.quiet_start():
        os.write(2, b"noise")
    assert capfd.readouterr().err == ""
    with pytest.raises(ImportError), loading.quiet_start():
        os.write(2, b"a reason")
        raise ImportError
    assert capfd.readouterr().err == "a reason"


@pytest.mark.parametrize("argv", [[], ["--help"], ["-h"], ["help"]])
def test_help_names_every_command(toy, capsys, argv):
    assert toy.run(*argv) == 0
    shown = capsys.readouterr().out
    assert all(
        f"\n  {name}" in shown for name in ("train", "evaluate", "export", "predict", "look", "tasks", "datasets")
    )


@pytest.mark.parametrize("command", ["train", "evaluate", "export", "predict", "look", "demo", "tasks", "datasets"])
def test_every_command_has_help(toy, capsys, command):
    with pytest.raises(SystemExit) as caught:
        toy.run(command, "--help")
    assert caught.value.code == 0 and "usage: attention-zoo" in capsys.readouterr().out


LIGHT = """
import sys
from attention_zoo.pipelines.commands.main import main
from attention_zoo.pipelines.registry import Entry
tasks = {"toy": Entry("no_such_module:Toy", "plays", "small")}
assert main(tasks, [("numbers", "numbers", "CC0")], sys.argv[1:]) in (0, 2)
heavy = {"tensorflow", "keras", "numpy", "tensorflow_datasets", "matplotlib"} & set(sys.modules)
assert not heavy, heavy
"""


@pytest.mark.parametrize(
    "argv", [["--help"], ["tasks"], ["datasets"], ["trian"], ["train", "tyo"], ["evaluate", "toy"]]
)
def test_what_needs_no_model_answers_without_loading_one(tmp_path, argv):
    subprocess.run([sys.executable, "-c", LIGHT, *argv], check=True, capture_output=True, cwd=tmp_path)
