"""Texts with numbers are read from datasets and tables; what is no number is named with file and line."""

import json

import numpy as np
import pytest
import tensorflow_datasets as tfds

from attention_zoo.pipelines.datasets.labelled_texts import NUMBER, keys_of, read_labelled_texts
from attention_zoo.pipelines.engine.errors import UserError

NUMBERS = {f"text number {number}": number / 4 - 3 for number in range(40)}


class Builder:
    """What `keys_of` reads of a TFDS builder."""

    def __init__(self, supervised=None, **features):
        self.info = type("Info", (), {"full_name": "mine/1.0.0", "supervised_keys": supervised})
        self.info.features = tfds.features.FeaturesDict(features)


TEXT, CLASS = tfds.features.Text(), tfds.features.ClassLabel(num_classes=2)
VECTOR = tfds.features.Tensor(shape=(2,), dtype=np.float32)


def test_the_pairs_of_stsb_have_the_numbers_of_their_published_splits():
    with tfds.testing.mock_data(num_examples=8):
        sets = read_labelled_texts("glue/stsb", pairs=True, labels="numbers")
    for one in sets.values():
        assert one.labels.dtype == np.float32 and one.names == NUMBER
        assert len(one.texts) == len(one.seconds) == len(one.labels)
    assert sets["test"].version.endswith("train[90%:100%]")


@pytest.mark.parametrize("supervised", [None, ("text", "score")])
def test_the_number_is_the_only_float_or_the_supervised_key(supervised):
    builder = Builder(supervised, text=TEXT, score=np.float32, idx=np.int32, vector=VECTOR)
    assert keys_of(builder, labels="numbers") == (["text"], "score")
    builder = Builder(("text", "stars"), text=TEXT, stars=np.int32, helpful=np.float32)
    assert keys_of(builder, labels="numbers") == (["text"], "stars")
    builder = Builder(text=TEXT, score=np.float32, label=CLASS)
    assert [keys_of(builder, labels=kind)[1] for kind in ("numbers", "classes")] == ["score", "label"]
    with pytest.raises(UserError, match="expected a dataset of texts with numbers; received mine/1.0.0 with"):
        keys_of(Builder(text=TEXT, one=np.float32, two=np.float32), labels="numbers")


def test_labels_of_the_other_kind_name_the_flag_to_type():
    with pytest.raises(UserError, match="--data.labels: expected classes, which the labels of .* are; received num"):
        keys_of(Builder(text=TEXT, label=CLASS), labels="numbers")
    learns = "`attention-zoo train text_classification --data.labels numbers` learns numbers"
    with pytest.raises(UserError, match=f"expected texts with class labels, received mine/1.0.0; {learns}"):
        keys_of(Builder(text=TEXT, score=np.float32))
    with tfds.testing.mock_data(num_examples=8), pytest.raises(UserError, match=learns):
        read_labelled_texts("glue/stsb", pairs=True)


def test_all_tables_give_the_same_numbers_and_splits(tmp_path):
    (tmp_path / "a.csv").write_text("label,text\n" + "".join(f"{one},{text}\n" for text, one in NUMBERS.items()))
    (tmp_path / "a.tsv").write_text("text\tlabel\n" + "".join(f"{text}\t {one} \n" for text, one in NUMBERS.items()))
    (tmp_path / "a.jsonl").write_text(
        "".join(json.dumps({"text": text, "label": one}) + "\n" for text, one in NUMBERS.items())
    )
    for name in ("a.csv", "a.tsv", "a.jsonl"):
        sets = read_labelled_texts("", str(tmp_path / name), labels="numbers")
        assert {split: len(one) for split, one in sets.items()} == {"train": 32, "validation": 4, "test": 4}
        for one in sets.values():
            assert one.labels.dtype == np.float32 and one.names == NUMBER
            assert [NUMBERS[text] for text in one.texts] == one.labels.tolist()


def test_labels_that_are_no_finite_numbers_are_named_with_file_and_line(tmp_path, capsys):
    broken = ["good", "3,5", "nan", "-inf", "1e39", ""]
    lines = [*(f"{text}\t{one}" for text, one in NUMBERS.items()), *(f"broken {one}\t{one}" for one in broken)]
    (path := tmp_path / "a.tsv").write_text("\n".join(["text\tlabel", *lines]))
    sets = read_labelled_texts("", str(path), labels="numbers")
    assert sum(len(one) for one in sets.values()) == 40
    printed = capsys.readouterr().out
    assert "skipped 2 with a label that is not a number (--data.labels classes learns words):" in printed
    assert "skipped 3 with a label that is not a finite number:" in printed
    assert f"{path}, line 42: broken good" in printed and f"{path}, line 46: broken 1e39" in printed
    with pytest.raises(UserError, match="--data.strict: expected no faults, received 6"):
        read_labelled_texts("", str(path), labels="numbers", strict=True)


def test_numbers_that_are_taken_for_classes_are_recognised(tmp_path):
    (path := tmp_path / "a.tsv").write_text(
        "text\tlabel\n" + "".join(f"{text}\t{one}\n" for text, one in NUMBERS.items())
    )
    with pytest.raises(UserError, match="received texts of .*--data.labels numbers` learns numbers"):
        read_labelled_texts("", str(path))


@pytest.mark.parametrize("folders", [["good", "bad"], ["train/good", "train/bad"]])
def test_folders_of_classes_have_no_numbers(tmp_path, folders):
    for folder in folders:
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "a.txt").write_text("a text")
    with pytest.raises(UserError, match="--data.files: expected a file, since --data.labels is numbers; received"):
        read_labelled_texts("", str(tmp_path), labels="numbers")
