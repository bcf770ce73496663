"""Sentences are read with their ratings, kept once, and split by texts. No network is used."""

import io
import tarfile

import numpy as np
import pytest
import tensorflow_datasets as tfds

from attention_zoo.pipelines.datasets.builders import sentiment_strength
from attention_zoo.pipelines.datasets.builders.sentiment_strength import (
    FILES,
    INNER,
    read_sentences,
    split_sentences,
)


def packed(files):
    """Returns a tar.gz of files by name."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return content.getvalue()


@pytest.fixture
def archive(tmp_path):
    """An archive with 60 texts of three sentences in each file, one of them twice."""
    rows = [f"{number // 3}_{number % 3}\t{number / 45 - 2:.11f}\tfish &amp; chips {number}" for number in range(180)]
    table = "\r\n".join([*rows, "99_1\t3.5\tfish &amp;  chips 7"]).encode()
    inner = packed({f"hutto_ICWSM_2014/{name}_GroundTruth.txt": table for name in FILES.values()})
    (path := tmp_path / "vaderSentiment-3.3.2.tar.gz").write_bytes(packed({INNER: inner}))
    return path


def test_sentences_are_read_once_with_their_ratings(archive):
    sentences = read_sentences(archive, "products")
    assert len(sentences) == 180 and sentences[7] == ("2_1", pytest.approx(7 / 45 - 2), "fish & chips 7")


def test_all_sentences_of_a_text_are_in_one_split(archive):
    splits = split_sentences(read_sentences(archive, "editorials"))
    assert sum(len(rows) for rows in splits.values()) == 180 and all(splits.values())
    texts = [{key.partition("_")[0] for key, _, _ in rows} for rows in splits.values()]
    assert sum(map(len, texts)) == len(set.union(*texts)) == 60


def test_the_builder_prepares_all_splits(archive, monkeypatch, tmp_path):
    monkeypatch.setattr(sentiment_strength, "fetch_wheel", lambda **_: archive)
    builder = tfds.builder("sentiment_strength", data_dir=tmp_path / "data")
    builder.download_and_prepare()
    assert builder.builder_config.name == "movies"
    examples = [row for split in builder.info.splits for row in tfds.as_numpy(builder.as_dataset(split=split))]
    found = {row["text"].decode(): row["label"] for row in examples}
    assert len(examples) == len(found) == 180 and examples[0]["label"].dtype == np.float32
    assert found["fish & chips 90"] == 0
