"""Dates are unambiguous, those of the test split are not in training, and fields are aligned."""

import datetime
from contextlib import contextmanager
from functools import partial

import pytest
import tensorflow_datasets as tfds
from babel.dates import format_date

from attention_zoo.pipelines.datasets import parallel
from attention_zoo.pipelines.datasets.builders import dates
from attention_zoo.pipelines.datasets.builders.cldr import LocaleText
from attention_zoo.pipelines.datasets.builders.dates import styles_of, write_dates

SIZES = {"train": 300, "validation": 20, "test": 20}


def test_no_date_occurs_twice_in_any_split():
    splits = write_dates("fr", SIZES)
    assert {name: len(examples) for name, examples in splits.items()} == SIZES
    targets = [example["target"] for examples in splits.values() for example in examples]
    assert len(set(targets)) == len(targets) == 340


def test_the_same_seed_gives_the_same_dates_and_another_others():
    assert write_dates("fr", SIZES) == write_dates("fr", SIZES)
    assert write_dates("fr", SIZES) != write_dates("fr", SIZES, seed=1)


@pytest.mark.parametrize("locale", ["en", "fr", "de", "ja", "ar", "hu"])
def test_spans_hold_the_fields_on_both_sides(locale):
    text = LocaleText(locale)
    for example in write_dates(locale, {"train": 200, "validation": 1, "test": 1})["train"]:
        date = datetime.date.fromisoformat(example["target"])
        ends = example["alignment"]
        by_span = {
            (c, d): example["source"][a:b]
            for a, b, c, d in zip(ends["source_start"], ends["source_end"], ends["target_start"], ends["target_end"])
        }
        assert by_span.keys() == {(0, 4), (5, 7), (8, 10)} and len(ends["source_start"]) == 3
        assert str(date.year) in by_span[0, 4] and str(date.day) in by_span[8, 10]
        assert str(date.month) in by_span[5, 7] or by_span[5, 7] in {
            format_date(date, pattern, locale) for pattern in ("MMMM", "MMM", "LLLL", "LLL")
        }
        assert any(text.date(date, style).text == example["source"] for style in styles_of(text))


def test_formats_with_years_of_two_digits_are_not_used():
    assert "short" not in styles_of(LocaleText("en")) and "short" in styles_of(LocaleText("fr"))


@pytest.mark.parametrize("locale", ["en", "fr", "de", "ja", "ko", "sv", "en_ZA", "fa"])
def test_one_text_is_one_date_in_all_formats_of_a_locale(locale):
    text, known = LocaleText(locale), {}
    for day in range(366):
        date = datetime.date(2000, 1, 1) + datetime.timedelta(day)
        for style in styles_of(text):
            assert known.setdefault(text.date(date, style).text, date) == date


def test_more_dates_than_there_are_is_an_error():
    with pytest.raises(ValueError, match="sizes: expected at most 73049 dates"):
        write_dates("en", {"train": 80_000, "validation": 1, "test": 1})


def test_the_dataset_prepares_and_loads_by_name(tmp_path, monkeypatch):
    monkeypatch.setattr(dates, "SIZES", {"train": 8, "validation": 4, "test": 3})
    builder = tfds.builder("dates/ko", data_dir=tmp_path)
    builder.download_and_prepare()
    read = {
        example["source"].decode(): example["target"].decode()
        for example in tfds.as_numpy(tfds.load("dates/ko", data_dir=tmp_path, split="validation"))
    }
    expected = write_dates("ko", {"train": 8, "validation": 4, "test": 3})["validation"]
    assert read == {example["source"]: example["target"] for example in expected}
    assert tfds.builder("dates", data_dir=tmp_path).builder_config.name == "en"


def test_a_process_that_waited_reads_the_data_that_another_one_prepared(tmp_path, monkeypatch):
    monkeypatch.setattr(dates, "SIZES", SIZES)
    monkeypatch.setattr(tfds, "builder", partial(tfds.builder, data_dir=tmp_path))

    @contextmanager
    def held_by_another(path, wait):
        tfds.builder("dates/ko").download_and_prepare()
        yield

    monkeypatch.setattr("attention_zoo.pipelines.datasets.tfds.locked", held_by_another)
    splits = parallel.read_parallel("dates", "ko", False, [], 0, 0)
    assert {name: len(examples.source) for name, examples in splits.items()} == SIZES
