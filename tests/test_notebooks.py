"""The notebooks of the book: their cells run one after the other, and print what the notebook shows."""

import io
import json
from contextlib import redirect_stdout
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parent.parent / "docs"
NOTEBOOKS = sorted((DOCS / "notebooks").glob("*.ipynb"))


def read(notebook):
    """The cells of a notebook: kind, text, and what the outputs print."""
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        printed = "".join("".join(one.get("text", "")) for one in cell.get("outputs", ()))
        yield cell["cell_type"], "".join(cell["source"]), printed


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_cell_runs_and_prints_as_many_lines_as_the_notebook_shows(notebook, tmp_path, monkeypatch):
    from matplotlib import pyplot

    monkeypatch.chdir(tmp_path)
    pyplot.switch_backend("Agg")
    names = {"__name__": "__main__"}
    for kind, source, shown in read(notebook):
        if kind == "code":
            with redirect_stdout(io.StringIO()) as printed:
                exec(compile(source, notebook.name, "exec"), names)
            assert len(printed.getvalue().splitlines()) == len(shown.splitlines()), source
    assert pyplot.get_fignums()
    pyplot.close("all")


def test_every_notebook_has_its_outputs_is_small_and_belongs_to_a_chapter():
    assert len(NOTEBOOKS) == 3
    for notebook in NOTEBOOKS:
        kinds = [kind for kind, _, _ in read(notebook)]
        assert kinds[0] == "markdown" and notebook.stat().st_size < 150_000
        assert any(shown for _, _, shown in read(notebook))
        chapter = (DOCS / "chapters" / f"{notebook.stem}.md").read_text(encoding="utf-8")
        assert f"](../notebooks/{notebook.name})" in chapter
