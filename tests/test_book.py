"""The book: every Python block runs and prints what the page says, every command is one that exists."""

import io
import re
import runpy
import shlex
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from attention_zoo.pipelines import registry
from attention_zoo.pipelines.commands import arguments
from attention_zoo.pipelines.commands.finished_run import without_settings
from attention_zoo.pipelines.commands.gallery import read_table
from attention_zoo.pipelines.commands.loading import load
from attention_zoo.pipelines.commands.main import main
from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.run.config import changed

ROOT = Path(__file__).resolve().parent.parent
HOOKS = runpy.run_path(str(ROOT / "tools" / "book.py"))
DOCS = ROOT / "docs"
PAGES = {page.relative_to(DOCS).as_posix(): page.read_text(encoding="utf-8") for page in sorted(DOCS.rglob("*.md"))}
ALL_TASKS = {**registry.TASKS, **registry.ABILITIES}
# A block of Python, and the block of what it prints, if that follows.
PYTHON = re.compile(r"^```python\n(.*?)^```$(?:\n\n```text\n(.*?)^```$)?", re.DOTALL | re.MULTILINE)
FOLLOWED = "adding_a_task.md"  # by a test of its own
COMMANDS = sorted(
    {
        line
        for text in PAGES.values()
        for block in re.findall(r"^```(?:bash|sh)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
        for line in block.splitlines()
        if line.startswith("attention-zoo ")
    }
)


class Parsed(Exception):
    """A command has read its arguments: the test ends it here."""


@pytest.fixture
def only_parse(monkeypatch):
    """Lets commands read their arguments, and no more."""
    for name in ("parse_args", "parse_intermixed_args"):
        inherited = getattr(arguments.Parser, name)

        def parse(parser, argv, inherited=inherited):
            raise Parsed(inherited(parser, argv))

        monkeypatch.setattr(arguments.Parser, name, parse)


def check_command(words):
    """Checks the words of an `attention-zoo` command as the command itself would read them.

    Raises:
        AssertionError: The command refuses its words, or a task, preset or setting that they name does not exist.
    """
    command, *rest = words
    if command == "train":  # prints the settings in place of a training
        with redirect_stdout(io.StringIO()), pytest.raises(SystemExit) as ended:
            code = main(registry.TASKS, (), [*words, "--print-config"], registry.ABILITIES)
            raise AssertionError(f"exit code {code}: {words}")
        assert ended.value.code in (0, None), words
        return
    settings = []
    if command in ("evaluate", "export"):
        others, settings = without_settings(rest, registry.TASKS)
        config = load(registry.TASKS[others[0]].settings)()
        changed(config, settings, {"": ""})
    with pytest.raises(Parsed) as parsed:
        code = main(registry.TASKS, (), words, registry.ABILITIES)
        raise AssertionError(f"exit code {code}: {words}")
    task = getattr(parsed.value.args[0], "task", None)
    assert task is None or task in ALL_TASKS, words


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_of_the_book_exists(command, only_parse):
    check_command(shlex.split(command, comments=True)[1:])


def test_a_command_with_a_wrong_word_is_found(only_parse):
    for wrong in (
        "train translation --preset no",
        "predict translation x --no y",
        "export translation --decoding.no 1",
    ):
        with pytest.raises((AssertionError, UserError)):
            check_command(wrong.split())


def run_blocks(page, blocks):
    """Runs blocks of a page, (code, output), one after the other, and compares what they print."""
    names = {"__name__": "__main__"}
    for block, expected in blocks:
        with redirect_stdout(io.StringIO()) as printed:
            exec(compile(block, page, "exec"), names)
        assert printed.getvalue() == expected, block


@pytest.mark.parametrize("page", [page for page, text in PAGES.items() if PYTHON.search(text) and page != FOLLOWED])
def test_every_python_block_runs_and_prints_what_the_page_says(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_blocks(page, [found for found in PYTHON.findall(PAGES[page]) if "import keras_hub" not in found[0]])


def test_the_block_of_keras_hub_runs_and_draws(tmp_path, monkeypatch):
    pytest.importorskip("keras_hub", reason="the extra `backends` has keras-hub")
    monkeypatch.chdir(tmp_path)
    (page,) = [page for page, text in PAGES.items() if "import keras_hub" in text]
    run_blocks(page, PYTHON.findall(PAGES[page]))
    assert (tmp_path / "heads.png").read_bytes().startswith(b"\x89PNG")


def test_every_named_piece_of_code_is_there():
    named = [
        line.split()
        for text in PAGES.values()
        for block in HOOKS["SOURCE"].findall(text)
        for line in block.splitlines()
    ]
    assert len(named) > 20
    for path, *symbols in named:
        code = HOOKS["source_of"](ROOT / path, symbols)
        assert '"""' not in code and all(symbol.split(".")[-1] in code for symbol in symbols)


def test_every_picture_of_the_book_is_small_and_shown_and_has_a_row_in_the_table():
    table = read_table(DOCS / "gallery.yaml")
    drawn_elsewhere = {"bible.png", "steering.png"}
    pictures = {path.relative_to(DOCS).as_posix(): path for path in DOCS.rglob("*.png")}
    assert set(pictures) == set(table) | drawn_elsewhere
    for name, path in pictures.items():
        assert path.stat().st_size < 150_000, name
        assert any(f"{name})" in text for text in PAGES.values()), name
    for name, picture in table.items():
        assert picture.task in ALL_TASKS and Path(name).suffix == ".png"


def test_links_lead_to_pages_and_pictures():
    for page, text in PAGES.items():
        prose = re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", prose):
            assert target.startswith("https://") or (DOCS / page).parent.joinpath(target).is_file(), f"{page}: {target}"
