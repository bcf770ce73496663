"""The demo: what a question gives, what is refused in a line, and the page in a browser."""

import os
import urllib.error
import urllib.request
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from selenium.webdriver import Keys
from tiny_images import square

from attention_zoo.pipelines.commands.loading import load
from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.pages import demo
from attention_zoo.pipelines.engine.serving.versions import version_folder
from attention_zoo.pipelines.engine.task import Task
from attention_zoo.pipelines.engine.views import Alignment
from attention_zoo.pipelines.registry import TASKS

HOSTILE = "<script>hacked=1</script>"


class Echo(Task):
    """Says what it is asked."""

    name = "echo"
    View = Alignment
    answers_with = "answer"

    @staticmethod
    def ask(served, inputs, attention=False):
        for text in inputs:
            wrong = "expected letters, received a digit" if text.isdigit() else ""
            yield {"answer": text.upper(), "note": "long" if len(text) > 9 else "", "error": wrong}

    @staticmethod
    def say(answer):
        return answer["answer"]

    @staticmethod
    def view(answer):
        return Alignment(["a"], ["b"], np.ones((1, 1, 1)), title=answer["answer"])


def read_file(argument):
    """Reads an argument as `read_input` of a task on files does."""
    path = Path(argument)
    if not path.is_file():
        return argument
    if path.suffix == ".bad":
        raise UserError(f"{argument}: expected a good file")
    return path.read_text()


class EchoFiles(Echo):
    reads = "text"
    asked_together = 2
    read_input = staticmethod(read_file)


@pytest.fixture
def served(monkeypatch, tmp_path):
    """`served(*signatures)` makes every model one with these signatures; answers come from one version."""

    def with_signatures(*names):
        loaded = SimpleNamespace(signatures=dict.fromkeys(names))
        monkeypatch.setattr(demo, "load_saved_model", lambda version, answer: loaded)
        demo._load.cache_clear()
        (tmp_path / "echo" / "1").mkdir(parents=True)
        (tmp_path / "echo" / "1" / "saved_model.pb").touch()
        return tmp_path / "echo"

    yield with_signatures
    demo._load.cache_clear()


def test_an_answer_has_its_text_its_note_its_page_and_its_version(served):
    folder = served("serving_default", "attention")
    shown = demo.Exported(Echo, folder).answer("two words\\there")
    assert '<p class="said">TWO WORDS\tHERE</p><p class="quiet">note: long</p><iframe' in shown
    assert 'sandbox="allow-scripts allow-downloads"' in shown and "allow-same-origin" not in shown
    assert shown.endswith(f'<p class="quiet">answered by {folder / "1"}</p>')
    hostile = demo.Exported(Echo, folder).answer(HOSTILE)
    assert "<script" not in hostile and "&lt;SCRIPT&gt;HACKED=1" in hostile
    assert demo.Exported(Echo, folder).answer("7").startswith('<p class="said refused" role="alert">expected letters')


def test_a_model_without_attention_is_asked_without_a_page(served):
    assert "<iframe" not in demo.Exported(Echo, served("serving_default")).answer("cat")


def test_bad_input_is_refused_in_one_line(served, tmp_path, monkeypatch):
    folder = served("serving_default", "attention")
    typed, dropped = demo.Exported(Echo, folder), demo.Exported(EchoFiles, folder)
    (tmp_path / "a.bad").write_text("x")
    (tmp_path / "good.txt").write_text("cat")
    files = [str(tmp_path / name) for name in ("a.bad", "good.txt")]
    monkeypatch.setattr(demo, "LONGEST_TEXT", 5)
    refused = {
        typed.answer(" \n"): "expected a text, received none",
        typed.answer("x" * 6): "expected a text of at most 5 characters, received 6",
        dropped.answer(files[1]): "expected a text of at most 5 characters",
        dropped.answer("", files[:1]): "a.bad: expected a good file",
        dropped.answer("", [files[1]] * 3): "expected at most 2 files, received 3",
        demo.Exported(Echo, tmp_path / "none").answer("cat"): "no SavedModel in",
    }
    for shown, message in refused.items():
        assert shown.startswith(f'<p class="said refused" role="alert">{message}'.replace("'", "&#x27;")), shown
        assert shown.count("<p") == 1 and "\n" not in shown and f"{tmp_path}/a.bad" not in shown
    monkeypatch.setattr(demo, "LONGEST_TEXT", 500)
    assert "received the name of a file; drop the file itself" in dropped.answer(files[1])
    monkeypatch.setattr(demo, "LARGEST_FILE", 2)
    assert "good.txt: expected a file of at most" in dropped.answer("", files[1:])


@pytest.fixture(scope="module")
def page(finished_run, tmp_path_factory):
    """Address of the demo of two exports, one on text and one on images."""
    pytest.importorskip("gradio", reason="the extra `demo` has Gradio")
    os.environ["GRADIO_TEMP_DIR"] = str(tmp_path_factory.mktemp("uploads"))
    exports = {
        name: (demo.Exported(load(TASKS[name].task), finished_run(name).version.parent), TASKS[name].summary)
        for name in ("translation", "image_classification")
    }
    for exported, _ in exports.values():  # loaded and traced here, and not while a browser waits
        demo._load(version_folder(exported.folder), exported.task.answers_with)
    exports["translation"][0].answer("one red cat")
    made = demo.make_demo(exports)
    yield demo.serve(made, waits=False)
    made.close()
    del os.environ["GRADIO_TEMP_DIR"]


def test_only_this_machine_is_answered_and_only_by_its_own_name(page):
    assert page.startswith("http://127.0.0.1:")
    with urllib.request.urlopen(page) as response:
        assert "connect-src 'self'" in response.headers["content-security-policy"]
    with pytest.raises(urllib.error.HTTPError, match="400"):
        urllib.request.urlopen(urllib.request.Request(page, headers={"Host": "elsewhere.example"}))


def test_a_text_is_typed_and_its_view_answers_to_pointer_and_keys(browser, page, finished_run, session_run):
    browser.asked_elsewhere(page)
    browser.visit(page)
    browser.wait(lambda: browser.all("#translation-text textarea"))
    browser.one("#translation-text textarea").send_keys("one red cat", Keys.SHIFT, Keys.ENTER)
    browser.wait(lambda: browser.all("#translation-answer iframe"))
    expected = session_run(finished_run("translation").version, "serving_default", {"text": ["one red cat"]})
    assert browser.texts("#translation-answer .said") == [expected["translation"][0].decode()]
    browser.driver.switch_to.frame(browser.one("#translation-answer iframe"))
    browser.wait(lambda: browser.js("return document.documentElement.dataset.drawn"))
    assert browser.one("h1").text.startswith("one red cat →")
    assert browser.texts("#read li")[:3] == ["one", "red", "cat"] and browser.all(".matrix image")
    browser.one(".matrix-box").send_keys(Keys.ARROW_RIGHT)
    assert browser.said().startswith(browser.texts("#written li")[0] + " → one: 0.")
    browser.point(browser.one(".matrix image"))
    assert browser.one("#hint").text == browser.said()
    browser.driver.switch_to.default_content()
    assert browser.asked_elsewhere(page) == []


def test_a_file_is_dropped_and_a_bad_one_is_refused_in_one_line(browser, page, tmp_path):
    browser.visit(page)
    browser.wait(lambda: browser.all("button[role=tab]"))
    browser.button("image_classification").click()
    for name, content in (("notes.png", b"hello"), ("red.png", square("red", "left"))):
        (tmp_path / name).write_bytes(content)
        browser.wait(lambda: browser.all("#image_classification-files input[type=file]"))
        browser.one("#image_classification-files input[type=file]").send_keys(str(tmp_path / name))
        browser.wait(lambda: name.split(".")[0] in browser.one("#image_classification-files").text)
        browser.one("#image_classification-ask").click()
        if content == b"hello":
            browser.wait(lambda: browser.all("#image_classification-answer .refused"))
            line = "notes.png: expected a JPEG, PNG, GIF or BMP image, received 5 bytes of something else"
            assert browser.texts("#image_classification-answer p") == [line]
            browser.one("#image_classification-files button[aria-label=Clear]").click()
    browser.wait(lambda: browser.all("#image_classification-answer iframe"))
    browser.driver.switch_to.frame(browser.one("#image_classification-answer iframe"))
    browser.wait(lambda: browser.js("return document.documentElement.dataset.drawn"))
    assert browser.one("main").get_attribute("data-kind") == "heat_maps"
