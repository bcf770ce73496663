"""Preparing a default dataset for the first time prints one line."""

import pytest
import tensorflow_datasets as tfds

from attention_zoo.pipelines import datasets
from attention_zoo.pipelines.datasets.builders import dates
from attention_zoo.pipelines.datasets.builders.base import DefaultDatasetBuilder
from attention_zoo.pipelines.datasets.tfds import prepared
from attention_zoo.pipelines.registry import DATASETS


def test_preparing_a_default_dataset_prints_one_line_once(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(dates, "SIZES", {"train": 3, "validation": 1, "test": 1})
    original = tfds.builder
    monkeypatch.setattr(tfds, "builder", lambda name: original(name, data_dir=tmp_path))
    tfds.disable_progress_bar()
    for printed in (f"preparing dates/ko: {datasets.Dates.PREPARATION}\n", ""):
        assert len(prepared("dates/ko").as_dataset(split="train")) == 3
        assert capsys.readouterr().out == printed


@pytest.mark.parametrize("name", datasets.__all__)
def test_every_default_dataset_says_what_its_preparation_takes(name):
    builder = getattr(datasets, name)
    assert issubclass(builder, DefaultDatasetBuilder) and builder.PREPARATION
    assert (builder.code_path.parent / "dates.py").exists()


def test_every_default_dataset_is_registered_and_listed():
    assert {getattr(datasets, name).name for name in datasets.__all__} <= {name for name, *_ in DATASETS}
    found = set(tfds.list_builders(with_community_datasets=False))
    assert {name for name, *_ in DATASETS} - {"sklearn_digits"} <= found
