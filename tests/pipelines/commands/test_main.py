import importlib.metadata
import io
import json
import os
import subprocess
import sys
import types
from pathlib import Path

import pytest

from attention_zoo.pipelines.commands import arguments, loading, messages
from attention_zoo.pipelines.commands.main import main
from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.serving import asking
from attention_zoo.pipelines.engine.serving.record import VersionRecord, record_files
from attention_zoo.pipelines.engine.serving.versions import version_folder
from attention_zoo.pipelines.engine.views import Alignment
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
        load_saved_model=lambda version, answer: ("served", version), version_folder=version_folder
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


def refused(toy, capsys, *argv):
    """Runs a command that must be refused, and returns its one line."""
    assert toy.run(*argv) == 2
    shown = capsys.readouterr()
    assert shown.out == "" and shown.err.count("\n") == 1 and shown.err.startswith("attention-zoo: ")
    assert toy.calls == []
    return shown.err


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


def test_predict_takes_inputs_before_and_after_options(toy):
    expected = ("ask", ("served", Path("saved_models/toy/1")), ["one", "two"], True)
    for argv in (
        ["one", "two", "--attention", "x.png"],
        ["--attention", "x.png", "one", "two"],
        ["one", "--attention=x.png", "two"],
    ):
        assert toy.run("predict", "toy", *argv) == 0
        assert toy.calls.pop() == expected
    assert toy.run("predict", "toy", "--model", "m/toy", "--", "-3 °C") == 0
    assert toy.calls.pop() == ("ask", ("served", Path("m/toy/1")), ["-3 °C"], False)


def test_predict_says_which_version_of_which_run_answers(toy, capsys):
    for number, name in ((2, "a"), (3, "b")):
        record = VersionRecord("toy", f"runs/toy/{name}", "small", "words 1.0", "2026-11-28 17:20", "")
        for file, text in record_files(record, "").items():
            path = Path(f"saved_models/toy/{number}/assets.extra", file)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        (path.parent.parent / "saved_model.pb").touch()
    asked = {
        (): "answers: saved_models/toy/3, of runs/toy/b (words 1.0), exported 2026-11-28 17:20",
        ("--name", "a"): "answers: saved_models/toy/2, of runs/toy/a (words 1.0), exported 2026-11-28 17:20",
        ("--run", "runs/toy/b/"): "answers: saved_models/toy/3, of runs/toy/b (words 1.0), exported 2026-11-28 17:20",
        ("--model", "saved_models/toy/1"): "answers: saved_models/toy/1",
    }
    for options, line in asked.items():
        assert toy.run("predict", "toy", "x", *options) == 0
        assert capsys.readouterr().err.splitlines() == [line]
    toy.calls.clear()
    missing = refused(toy, capsys, "predict", "toy", "x", "--name", "c")
    assert "no version of runs/toy/c in saved_models/toy; there are versions of runs/toy/a, runs/toy/b" in missing


@pytest.mark.parametrize(
    "typed, lines",
    [
        (b"one\ntwo\n", ["one", "two"]),
        (b"one\r\n\r\ntwo", ["one", "two"]),
        ("ligne\u2028séparée\n".encode(), ["ligne\u2028séparée"]),
        (b"caf\xe9\n", ["caf\ufffd"]),
    ],
)
def test_predict_reads_lines_where_there_are_no_inputs(toy, monkeypatch, typed, lines):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(typed)))
    assert toy.run("predict", "toy") == 0
    assert [call[2] for call in toy.calls] == [lines]


def test_on_a_terminal_each_line_is_answered_as_it_comes(toy, monkeypatch, capsys):
    terminal = io.TextIOWrapper(io.BytesIO("one\r\nzwei ü\n".encode()))
    monkeypatch.setattr(terminal, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sys, "stdin", terminal)
    assert toy.run("predict", "toy") == 0
    assert [call[2] for call in toy.calls] == [["one"], ["zwei ü"]]
    shown = capsys.readouterr()
    assert shown.out == "ONE\nZWEI Ü\n" and "Ctrl-D" in shown.err


def lines_from(monkeypatch, text):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))


def test_lines_of_answers_keep_the_numbers_of_the_input_lines(toy, monkeypatch, capsys):
    def read(argument):
        if argument == "none":
            raise UserError("none: expected a file")
        return argument

    monkeypatch.setattr(toy.task.Toy, "read_input", staticmethod(read))
    lines_from(monkeypatch, "a\n\nnone\n7\n \nb\n")
    assert toy.run("predict", "toy") == 1
    assert capsys.readouterr().out == "A\n\n\n\n\nB\n"
    assert [call[2] for call in toy.calls] == [["a", "7", "b"]]


def test_the_n_best_answers_are_lines_with_their_scores(toy, monkeypatch, capsys):
    def ask_n_best(served, texts, count):
        return [{"input": t, "error": "", "answers": [t.upper(), t], "scores": [-0.5, -1.0]} for t in texts]

    monkeypatch.setattr(asking, "ask_n_best", ask_n_best)
    assert toy.run("predict", "toy", "a", "--n-best", "2") == 0
    assert capsys.readouterr().out == "A\na\n"
    lines_from(monkeypatch, "a\n\nb\n")
    assert toy.run("predict", "toy", "--n-best", "3", "--scores") == 0
    assert capsys.readouterr().out == "-0.5000\tA\n-1.0000\ta\n\n\n\n\n-0.5000\tB\n-1.0000\tb\n\n"
    assert toy.calls == []
    assert "--n-best: expected a whole number, at least 1" in refused(
        toy, capsys, "predict", "toy", "a", "--n-best", "0"
    )


def test_the_score_of_an_answer_stands_before_it(toy, monkeypatch, capsys):
    monkeypatch.setattr(toy.task.Toy, "ask", staticmethod(lambda *_: [{"input": "a", "answer": "A", "score": -0.25}]))
    assert toy.run("predict", "toy", "a", "--scores") == 0
    assert capsys.readouterr().out == "-0.2500\tA\n"
    monkeypatch.setattr(toy.task.Toy, "ask", staticmethod(lambda *_: [{"input": "a", "answer": "A"}]))
    assert toy.run("predict", "toy", "a", "--scores") == 2
    assert "--scores: the answers of toy have no score" in capsys.readouterr().err


def test_a_folder_stands_for_its_images_by_name(toy, monkeypatch, capsys):
    Path("photos").mkdir()
    for name in ("b.png", "a.JPG", "notes.txt"):
        Path("photos", name).touch()
    assert toy.run("predict", "toy", "photos") == 0  # a task on text answers the word
    assert toy.calls.pop()[2] == ["photos"]
    monkeypatch.setattr(toy.task.Toy, "read_input", staticmethod(lambda argument: argument))
    assert toy.run("predict", "toy", "x.png", "photos") == 0
    assert toy.calls.pop()[2] == ["x.png", "photos/a.JPG", "photos/b.png"]
    Path("empty").mkdir()
    capsys.readouterr()
    assert "expected a folder with image files, received empty" in refused(toy, capsys, "predict", "toy", "empty")


@pytest.mark.parametrize("argv", [["datasets"], ["--help"], ["--version"]])
def test_output_that_nobody_reads_on_ends_without_a_traceback(argv):
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "attention_zoo.pipelines", *argv], stdout=writer, stderr=subprocess.PIPE, text=True
    )
    os.close(writer)
    assert done.returncode == 141 and done.stderr == ""


def test_predict_replaces_arguments_that_are_not_utf8(toy):
    assert toy.run("predict", "toy", os.fsdecode(b"caf\xe9")) == 0
    assert toy.calls[0][2] == ["caf\ufffd"]


def test_a_task_says_what_its_input_is(toy, monkeypatch):
    monkeypatch.setattr(toy.task.Toy, "read_input", staticmethod(lambda argument: argument[::-1]))
    assert toy.run("predict", "toy", "abc") == 0
    assert toy.calls.pop()[2] == ["cba"]


def test_inputs_are_asked_in_batches_of_the_tasks_size(toy, monkeypatch):
    monkeypatch.setattr(toy.task.Toy, "asked_together", 2)
    assert toy.run("predict", "toy", *"abcde") == 0
    assert [call[2] for call in toy.calls] == [["a", "b"], ["c", "d"], ["e"]]
    toy.calls.clear()
    monkeypatch.setattr(toy.task.Toy, "asked_together", None)
    assert toy.run("predict", "toy", *"abcde") == 0
    assert [call[2] for call in toy.calls] == [list("abcde")]


def test_each_bad_input_costs_one_line_and_the_others_are_answered(toy, monkeypatch, capsys):
    def read(argument):
        if argument == "none":
            raise UserError("none: expected a file")
        return argument

    monkeypatch.setattr(toy.task.Toy, "read_input", staticmethod(read))
    assert toy.run("predict", "toy", "a", "none", "7", "b") == 1
    shown = capsys.readouterr()
    assert shown.out == "A\nB\n"
    assert shown.err.splitlines()[1:] == [
        "attention-zoo: none: expected a file",
        "attention-zoo: 7: expected a word, received a digit",
    ]
    assert toy.run("predict", "toy", "none") == 1


def test_json_gives_an_object_an_input_without_the_contents_of_files(toy, capsys):
    assert toy.run("predict", "toy", "ü", "7", "--json") == 1
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert first == {"input": "ü", "error": "", "answer": "Ü", "score": [1.0, 1.0]}
    assert second == {"input": "7", "error": "expected a word, received a digit"}


def test_a_name_that_is_not_utf8_is_printed_as_well_as_it_can_be(toy, monkeypatch, capsys):
    def read(argument):
        if argument.startswith("gone"):
            raise UserError(f"{argument}: expected a file")
        return argument

    monkeypatch.setattr(toy.task.Toy, "read_input", staticmethod(read))
    names = [os.fsdecode(b"gone\xe9"), os.fsdecode(b"caf\xe9")]
    assert toy.run("predict", "toy", *names) == 1
    assert capsys.readouterr().out == "CAF\ufffd\n"
    assert toy.run("predict", "toy", *names, "--json") == 1
    assert [json.loads(line)["input"] for line in capsys.readouterr().out.splitlines()] == ["gone\ufffd", "caf\ufffd"]


def test_predict_numbers_the_pictures_of_further_answers(toy, capsys):
    assert toy.run("predict", "toy", "a", "", "b", "--attention", "new/x.svg", "--pieces") == 0
    assert capsys.readouterr().err.splitlines()[1:] == ["picture: new/x.svg", "picture: new/x-2.svg"]
    assert Path("new/x-2.svg").read_text().startswith("<?xml")


def test_heads_are_drawn_where_the_task_has_some(toy, capsys, monkeypatch):
    assert "--heads: expected --attention" in refused(toy, capsys, "predict", "toy", "a", "--heads")
    words = ("predict", "toy", "a", "--attention", "x.svg", "--heads")
    assert "--heads: expected a task whose models have heads" in refused(toy, capsys, *words)
    view = Alignment(["a", "b"], ["c"], [[[0.0, 1.0]]] * 2, ["layer 1, head 1", "layer 1, head 2"])
    monkeypatch.setattr(toy.task.Toy, "view_heads", staticmethod(lambda answer: view))
    assert toy.run(*words) == 0
    assert Path("x.svg").is_file()


def test_a_picture_that_cannot_be_drawn_is_refused_before_the_model_is_loaded(toy, capsys, monkeypatch):
    line = refused(toy, capsys, "predict", "toy", "a", "--attention", "x.gif")
    assert "--attention: expected a file that ends in .png, .svg or .pdf, received x.gif" in line
    monkeypatch.setattr(toy.task.Toy, "View", None)
    assert "--attention: toy has nothing to draw" in refused(toy, capsys, "predict", "toy", "a", "--attention", "x.png")


def test_predict_with_nothing_to_answer_is_refused(toy, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    assert "expected something to answer" in refused(toy, capsys, "predict", "toy")


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
    assert all(f"\n  {name}" in shown for name in ("train", "evaluate", "export", "predict", "tasks", "datasets"))


@pytest.mark.parametrize("command", ["train", "evaluate", "export", "predict", "tasks", "datasets"])
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
