"""Every task skips the faults in a user's data, or refuses all of them with --data.strict."""

import dataclasses
import json
import os
import re
from pathlib import Path

import pytest

from attention_zoo.pipelines.commands.loading import load
from attention_zoo.pipelines.datasets.tfds import SPLITS
from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.run.config import parse
from attention_zoo.pipelines.registry import TASKS


def spoil_sentences(data):
    path = Path(data["files"][1])
    lines = path.read_bytes().split(b"\n")
    lines[3], lines[5] = b"", b"\xff"
    path.write_bytes(b"\n".join(lines))


def spoil_captions(data):
    folder = Path(data["folder"])
    (folder / "images" / "3.png").unlink()
    with open(folder / "captions.jsonl", "a") as file:
        file.write("\n{")


def spoil_photos(data):
    folder = Path(data["folder"])
    first, second = sorted(folder.glob("*/*.png"))[:2]
    first.write_bytes(b"")
    os.truncate(second, second.stat().st_size - 20)
    (folder / "__MACOSX").mkdir()


def spoil_drives(data):
    first, second = sorted(Path(data["folder"]).iterdir())[:2]
    (first / "frames" / "3.png").write_text("no image")
    with open(second / "steering.csv", "a") as file:
        file.write("9,1.png\n")


def spoil_reviews(data):
    with open(data["files"], "a") as file:
        file.write("\n,a text without a class\ngood,\n")


def spoil_tagged(data):
    path = Path(data["files"][0])
    path.write_text(path.read_text() + "\nRome\n\nParis LOC\n")


def spoil_commands(data):
    with open(data["files"][0], "a") as file:
        file.write('\n{\n{"text": "light the lamp"}\n')


def spoil_texts(data):
    path = Path(data["files"][0])
    lines = path.read_bytes().split(b"\n")
    lines[3], lines[5] = b"\xff", b"\xff"
    path.write_bytes(b"\n".join(lines))


def spoil_questions(data):
    path = Path(data["files"][0])
    root = json.loads(path.read_text())
    first, second = root["data"][0]["paragraphs"][:2]
    first["qas"][0]["answers"][0]["answer_start"] += 1
    del second["qas"][0]["question"]
    path.write_text(json.dumps(root))


SPOIL = {
    "document_classification": spoil_reviews,
    "text_classification": spoil_reviews,
    "question_answering": spoil_questions,
    "named_entities": spoil_tagged,
    "intents": spoil_commands,
    "word_embeddings": spoil_texts,
    "language_modeling": spoil_texts,
    "translation": spoil_sentences,
    "captioning": spoil_captions,
    "image_classification": spoil_photos,
    "steering": spoil_drives,
}


def load_data(name, data, directory, *words):
    """Reads the data of a task as a command line with its settings would."""
    task_class = load(TASKS[name].task)
    for option, value in data.items():
        words += (f"--data.{option}", *map(str, value if isinstance(value, list) else [value]))
    (directory / "tiny.yaml").write_text("")
    task = task_class(
        parse(task_class.Config, words, {"tiny": directory / "tiny.yaml"}, "tiny", name).config, directory
    )
    task.load()
    return task


@pytest.mark.parametrize("name", TASKS)
def test_a_users_data_is_read_without_its_faults(name, cases, tmp_path, capsys):
    (tmp_path / "data").mkdir()
    data = cases[name].write_data(tmp_path / "data")
    whole = load_data(name, data, tmp_path, "--data.strict", "true")
    assert "skipped" not in capsys.readouterr().out
    SPOIL[name](data)
    task = load_data(name, data, tmp_path)
    printed = capsys.readouterr().out
    assert sum(map(int, re.findall(r"skipped (\d+) with", printed))) == 2
    for split in SPLITS if name != "word_embeddings" else SPLITS[:2]:  # word vectors are tested on pairs of words
        assert f"{split}: " in printed
    assert task.data_version and whole.data_version
    with pytest.raises(UserError, match="--data.strict: expected no faults, received 2\n"):
        load_data(name, data, tmp_path, "--data.strict", "true")


@pytest.mark.parametrize("name", TASKS)
def test_strict_may_change_when_a_run_is_continued(name):
    task_class = load(TASKS[name].task)
    assert "strict" in task_class.changeable_data_settings
    assert {field.name: field.default for field in dataclasses.fields(task_class.Config().data)}["strict"] is False


def settings(name, directory, *words, config=""):
    task_class = load(TASKS[name].task)
    (directory / "tiny.yaml").write_text(config)
    return parse(task_class.Config, words, {"tiny": directory / "tiny.yaml"}, "tiny", name).config


@pytest.mark.parametrize(
    "name, option, answer",
    [
        ("image_classification", "--data.directory", "it is --data.folder now"),
        ("image_classification", "--data-directory", "it is --data.folder now"),
        ("steering", "--data.folders", "it is --data.folder now"),
        ("captioning", "--data.files", "your own data is --data.folder"),
        ("translation", "--data.directory", "your own data is --data.files"),
        ("translation", "--data.folder", "your own data is --data.files"),
    ],
)
def test_an_older_name_of_your_own_data_is_answered_with_the_newer(name, option, answer, tmp_path):
    with pytest.raises(UserError, match=f"{option}: no such option; {answer}$"):
        settings(name, tmp_path, option, "mine")


def test_an_older_config_is_read_with_the_newer_names(tmp_path, capsys):
    read = settings("image_classification", tmp_path, config="data: {directory: photos}")
    assert read.data.folder == "photos"
    assert capsys.readouterr().err.endswith("data.directory is read as data.folder, its name now: photos\n")
    assert settings("image_classification", tmp_path, config="data: {directory: ''}").data.folder == ""
    for drive in ("a", "b", "c"):
        (tmp_path / "drives" / drive).mkdir(parents=True)
    drives = [str(tmp_path / "drives" / drive) for drive in ("a", "b", "c")]
    assert settings("steering", tmp_path, config=f"data: {{folders: {drives}}}").data.folder == str(tmp_path / "drives")
    assert settings("steering", tmp_path, config="data: {folders: []}").data.folder == ""
    for others in (drives[::-1], drives[:2], [*drives, "elsewhere/d"]):
        with pytest.raises(UserError, match="data.folders: expected --data.folder instead, one folder that holds"):
            settings("steering", tmp_path, config=f"data: {{folders: {others}}}")
