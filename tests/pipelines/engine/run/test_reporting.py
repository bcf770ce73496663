"""Reports of a run: a bar on a terminal, plain lines in a file."""

import io
import math
import os
import re
import sys

import pytest
from rich.console import Console

from attention_zoo.pipelines.engine.run.console import make_console, no_bars_in_files
from attention_zoo.pipelines.engine.run.reporting import TrainingReporter
from attention_zoo.pipelines.engine.training.progress import Progress


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def train(folder, console, seconds=10.0, steps=10, total=100, first=0, unit="tokens", limit=math.inf):
    """Reports some steps of a run, each of which takes `seconds` and weighs 50; it ends after `limit` seconds."""
    clock = Clock()
    reporter = TrainingReporter(folder, console=console, clock=clock, unit=unit)
    progress = Progress(step=first)
    with reporter.training(progress, total, limit):
        for step in range(first + 1, first + steps + 1):
            clock.now += seconds
            progress.step = step
            reporter.step(progress, float(step), 50.0, 0.1, 0.0)
    return reporter


def test_a_file_gets_a_plain_line_every_half_minute(tmp_path):
    file = io.StringIO()
    train(tmp_path, make_console(file))
    text = file.getvalue()
    assert "\r" not in text and "\x1b" not in text
    assert text.splitlines() == [
        "epoch 1  step 3 of 100  loss 2.000  5 tokens/s  ETA 0:16:10",
        "epoch 1  step 6 of 100  loss 5.000  5 tokens/s  ETA 0:15:40",
        "epoch 1  step 9 of 100  loss 8.000  5 tokens/s  ETA 0:15:10",
    ]


def test_the_time_left_of_a_continued_run_is_that_of_its_own_steps(tmp_path):
    file = io.StringIO()
    train(tmp_path, make_console(file), seconds=30.0, steps=2, first=90)
    assert re.findall("step .. of|ETA .*", file.getvalue()) == [
        "step 91 of",
        "ETA 0:04:30",
        "step 92 of",
        "ETA 0:04:00",
    ]


def test_a_run_with_little_time_expects_the_steps_that_fit(tmp_path):
    file = io.StringIO()
    train(tmp_path, make_console(file), seconds=30.0, steps=3, limit=150.0)
    assert re.findall("step .*? of [0-9]+|ETA .*", file.getvalue()) == [
        "step 1 of 5",
        "ETA 0:02:00",
        "step 2 of 5",
        "ETA 0:01:30",
        "step 3 of 5",
        "ETA 0:01:00",
    ]


def test_a_terminal_gets_a_bar_and_no_lines(tmp_path):
    file = io.StringIO()
    train(tmp_path, Console(file=file, force_terminal=True, width=120))
    assert "\x1b" in file.getvalue() and "step 3 of 100" not in file.getvalue()


@pytest.mark.parametrize("width, speed", [(60, False), (80, True)])
def test_the_bar_is_one_whole_line(tmp_path, width, speed):
    file = io.StringIO()
    train(tmp_path, Console(file=file, force_terminal=True, width=width), steps=20, total=12345, first=10000)
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", file.getvalue())
    lines = [line for line in re.split(r"[\r\n]+", text) if line.strip()]
    assert lines and all(len(line) <= width and line.startswith("epoch 1 ") for line in lines)
    assert re.search(r"10020/12345 .*ETA \d:\d\d:\d\d loss \d+\.\d{3}", lines[-1])
    assert lines[-1].rstrip().endswith("tokens/s") is speed and "…" not in lines[-1]


def test_speed_is_named_by_what_is_counted(tmp_path):
    figures = train(tmp_path, make_console(io.StringIO()), unit="images").since_last_evaluation()
    assert figures["train/images_per_second"] == pytest.approx(5.0) and "train/tokens_per_second" not in figures


@pytest.mark.parametrize("value, colour", [(None, True), ("", True), ("1", False)])
def test_no_color_takes_the_colours_away(monkeypatch, value, colour):
    monkeypatch.delenv("NO_COLOR", raising=False)
    if value is not None:
        monkeypatch.setenv("NO_COLOR", value)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("FORCE_COLOR", "1")
    file = io.StringIO()
    make_console(file).print("red", style="red")
    assert ("\x1b[31m" in file.getvalue()) is colour


def test_bars_of_tensorflow_datasets_stay_out_of_files(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    calls = []

    class Datasets:
        disable_progress_bar = staticmethod(lambda: calls.append("off"))

    monkeypatch.setitem(sys.modules, "tensorflow_datasets", Datasets)
    no_bars_in_files()
    assert calls == ["off"] and os.environ.pop("TQDM_DISABLE") == "1"
