"""`attention-zoo demo`: which models it shows, and where uploads go."""

import os
from pathlib import Path

from refusal import refused

from attention_zoo.pipelines.commands import demo as command
from attention_zoo.pipelines.engine.pages import demo as page


def test_every_exported_model_gets_a_tab_and_uploads_go_when_the_demo_ends(toy, monkeypatch):
    made, served = [], []

    def serve(demo, port, opens):
        uploads = Path(os.environ["GRADIO_TEMP_DIR"])
        served.append((demo, port, opens, uploads))
        assert uploads.is_dir()

    monkeypatch.setattr(page, "make_demo", lambda exports: made.append(exports) or "a page")
    monkeypatch.setattr(page, "serve", serve)
    monkeypatch.setattr(command, "has_display", lambda: True)
    monkeypatch.setenv("GRADIO_TEMP_DIR", "elsewhere")
    for words, folder in (((), "saved_models"), (("--directory", "m", "--port", "7777", "--no-open"), "m")):
        assert toy.run("demo", *words) == 0
        ((name, (exported, summary)),) = made.pop().items()
        assert (name, summary, exported.task.name) == ("toy", "plays", "toy")
        assert exported.folder == Path(folder, "toy") and exported.takes_text and not exported.takes_files
    assert [one[:3] for one in served] == [("a page", None, True), ("a page", 7777, False)]
    assert not any(uploads.exists() for *_, uploads in served)


def test_without_an_exported_model_the_demo_says_how_to_get_one(toy, capsys):
    assert "no exported model in none: `attention-zoo train`" in refused(toy, capsys, "demo", "--directory", "none")
