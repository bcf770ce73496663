"""Long stretches of work say what they are."""

import io
import time

import pytest

from attention_zoo.pipelines.engine import stages
from attention_zoo.pipelines.engine.stages import bar_shown, counted, stage


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(stages, "AFTER_SECONDS", 0.05)
    monkeypatch.setattr(stages, "LINE_SECONDS", 0.05)
    monkeypatch.setenv("TERM", "xterm-256color")


def written_until(file, text, seconds=10.0):
    """Waits until a text is in the file."""
    deadline = time.monotonic() + seconds
    while text not in file.getvalue() and time.monotonic() < deadline:
        time.sleep(0.01)
    return text in file.getvalue()


def test_a_short_stage_says_nothing(monkeypatch):
    monkeypatch.setattr(stages, "AFTER_SECONDS", 60.0)
    file = io.StringIO()
    with stage("scoring", file):
        pass
    assert file.getvalue() == ""


def test_a_long_stage_gets_plain_lines_in_a_file():
    file = io.StringIO()
    with stage("scoring the test split", file):
        assert written_until(file, "scoring the test split (0:00 so far)\n")
    assert "\x1b" not in file.getvalue() and "\r" not in file.getvalue()


def test_a_line_counts_what_is_done():
    file = io.StringIO()
    with stage("scoring", file):
        for number in counted([1, 2, 3]):
            if number == 3:
                assert written_until(file, "scoring, 2 of 3 (0:00 so far)")


def test_a_long_stage_gets_a_bar_on_a_terminal():
    file = Terminal()
    with stage("scoring", file):
        assert written_until(file, "scoring") and "\x1b" in file.getvalue()


def test_the_innermost_stage_speaks():
    file = io.StringIO()
    with stage("outer", file), stage("inner", file):
        assert written_until(file, "inner")
    assert "outer" not in file.getvalue()


def test_after_an_inner_stage_the_outer_one_speaks_again():
    file = io.StringIO()
    with stage("outer", file):
        with stage("inner", file):
            assert written_until(file, "inner")
        assert written_until(file, "outer")


def test_beside_another_bar_a_terminal_shows_no_stage():
    file, plain = Terminal(), io.StringIO()
    with bar_shown():
        with stage("scoring", file):
            time.sleep(0.3)
        with stage("scoring", plain):
            assert written_until(plain, "scoring")
    assert file.getvalue() == ""


def test_a_stage_that_fails_is_over():
    with pytest.raises(KeyError), stage("scoring", io.StringIO()):
        raise KeyError("x")
    assert stages._open == []
