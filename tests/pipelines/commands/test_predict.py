"""`attention-zoo predict`: what is asked, in which form, and what is printed and drawn."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from refusal import refused

from attention_zoo.pipelines.commands import look
from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.serving import asking
from attention_zoo.pipelines.engine.serving.record import VersionRecord, record_files
from attention_zoo.pipelines.engine.views import Alignment, LayeredHeads


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


def reads_no_none(toy, monkeypatch):
    """Makes the task refuse the input "none"."""

    def read(argument):
        if argument == "none":
            raise UserError("none: expected a file")
        return argument

    monkeypatch.setattr(toy.task.Toy, "read_input", staticmethod(read))


def test_lines_of_answers_keep_the_numbers_of_the_input_lines(toy, monkeypatch, capsys):
    reads_no_none(toy, monkeypatch)
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
    reads_no_none(toy, monkeypatch)
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
    assert "--attention: expected a file that ends in .html, .png, .svg or .pdf, received x.gif" in line
    monkeypatch.setattr(toy.task.Toy, "View", None)
    assert "--attention: toy has nothing to draw" in refused(toy, capsys, "predict", "toy", "a", "--attention", "x.png")


def test_a_page_shows_what_the_task_has_for_pages(toy, capsys, monkeypatch):
    view = LayeredHeads(["one", "two"], np.full((1, 1, 2, 2), 0.5), "all heads")
    monkeypatch.setattr(toy.task.Toy, "view_page", staticmethod(lambda answer: view))
    assert toy.run("predict", "toy", "a", "b", "--attention", "new/x.HTML") == 0
    assert capsys.readouterr().err.splitlines()[1:] == ["page: new/x.HTML", "page: new/x-2.HTML"]
    assert "<title>all heads</title>" in Path("new/x-2.HTML").read_text()


def test_look_writes_a_page_prints_its_path_and_opens_it_on_a_display(toy, capsys, monkeypatch):
    opened = []
    monkeypatch.setattr(look.webbrowser, "open", opened.append)
    assert toy.run("look", "toy", "a", "b", "--model", "m/toy") == 0
    assert capsys.readouterr().out == "A\ntoy.html\nB\ntoy-2.html\n" and opened == []
    assert toy.calls == [("ask", ("served", Path("m/toy/1")), ["a", "b"], True)]
    assert "<title>b</title>" in Path("toy-2.html").read_text()
    monkeypatch.setattr(look, "has_display", lambda: True)
    assert toy.run("look", "toy", "a", "b", "--output", "a page.html") == 0
    assert opened == [Path("a page.html").resolve().as_uri()]
    assert toy.run("look", "toy", "a", "--no-open", "--output", "a.svg") == 0
    assert len(opened) == 1 and Path("a.svg").read_text().startswith("<?xml")
    assert toy.run("look", "toy", "7") == 1
    capsys.readouterr()
    toy.calls.clear()
    assert "--output: expected a file that ends in .html, .png" in refused(
        toy, capsys, "look", "toy", "a", "--output", "x.bmp"
    )


@pytest.mark.parametrize(
    "platform, variables, terminal, shown",
    [
        ("linux", {"DISPLAY": ":0"}, True, True),
        ("linux", {"WAYLAND_DISPLAY": "wayland-0"}, True, True),
        ("linux", {"DISPLAY": ":0"}, False, False),
        ("linux", {}, True, False),
        ("darwin", {}, True, True),
    ],
)
def test_a_browser_opens_only_for_a_person_at_a_display(monkeypatch, platform, variables, terminal, shown):
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(look.sys, "platform", platform)
    monkeypatch.setattr(look.sys.stdout, "isatty", lambda: terminal, raising=False)
    assert look.has_display() == shown


def test_predict_with_nothing_to_answer_is_refused(toy, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    assert "expected something to answer" in refused(toy, capsys, "predict", "toy")
