"""Labelled texts are read from datasets, tables, JSON Lines and folders; faults are named with file and line."""

import json

import numpy as np
import pytest
import tensorflow_datasets as tfds

from attention_zoo.pipelines.datasets.dirt import Dirt
from attention_zoo.pipelines.datasets.labelled_texts import read_labelled_texts
from attention_zoo.pipelines.datasets.text_files import read_labelled
from attention_zoo.pipelines.engine.errors import UserError

COLUMNS = ("text", "label")
PAIRS = [(f"{name} number {number}", name) for number in range(30) for name in ("good", "bad")]


def as_csv(pairs):
    return "label,id,text\n" + "".join(f'{label},{number},"{text}"\n' for number, (text, label) in enumerate(pairs))


@pytest.fixture
def folder(tmp_path):
    """Folders of two classes, with a text that occurs in both spellings of its white space."""
    for number, (text, label) in enumerate(PAIRS):
        (tmp_path / "texts" / label).mkdir(parents=True, exist_ok=True)
        (tmp_path / "texts" / label / f"{number}.txt").write_text(text + "\n")
    (tmp_path / "texts" / "bad" / "again.txt").write_text("bad  number 0")
    (tmp_path / "texts" / ".DS_Store").write_bytes(b"\x00")
    return tmp_path / "texts"


def write_all(tmp_path):
    (tmp_path / "a.csv").write_text(as_csv(PAIRS))
    (tmp_path / "a.tsv").write_text("text\tlabel\n" + "".join(f"{text}\t{label}\n" for text, label in PAIRS))
    rows = (json.dumps({"text": text, "label": label, "more": [1]}) + "\n" for text, label in PAIRS)
    (tmp_path / "a.jsonl").write_text("".join(rows))
    return [tmp_path / name for name in ("a.csv", "a.tsv", "a.jsonl")]


def test_all_forms_give_the_same_texts_and_splits(tmp_path, folder, capsys):
    found = [read_labelled_texts("", str(path)) for path in (*write_all(tmp_path), folder)]
    assert "dropped 1 text that occurs again" in capsys.readouterr().out
    sizes = {"train": 48, "validation": 6, "test": 6}
    for sets in found:
        assert {split: len(one) for split, one in sets.items()} == sizes
        assert sets["train"].names == ["bad", "good"]
        for split, one in sets.items():
            assert {text.strip() for text in one.texts} == {text.strip() for text in found[0][split].texts}
            assert all(one.names[label] == text.split()[0] for text, label in zip(one.texts, one.labels))
    every = [text.strip() for one in found[0].values() for text in one.texts]
    assert len(set(every)) == len(every) == 60


def test_faults_of_a_table_are_named_with_their_lines(tmp_path):
    (path := tmp_path / "a.csv").write_bytes(
        b'text,label\r\n"two\nlines, ""quoted""",x\r\nonly one\r\n,x\r\nsome,\r\n\xff\xfe,x\r\na,b,c\r\n"last",y'
    )
    dirt = Dirt()
    assert read_labelled(path, COLUMNS, dirt, "--data.files") == [('two\nlines, "quoted"', "x"), ("last", "y")]
    places = {fault: [line.split(":")[0].split(" ")[-1] for line in lines] for fault, (_, lines) in dirt.faults.items()}
    assert places == {
        "a number of columns other than the head's, 2": ["4", "8"],
        "an empty text": ["5"],
        "an empty label": ["6"],
        "text that is not UTF-8": ["7"],
    }


def test_faults_of_json_lines_are_named_and_refused_if_strict(tmp_path):
    lines = ['{"text": "a", "label": 1}', "{", "[]", '{"text": "b"}', '{"text": 3, "label": "x"}', "", '{"text": " "']
    lines += ['{"text": "c", "label": true}']
    (path := tmp_path / "a.jsonl").write_text("\n".join(lines))
    dirt = Dirt()
    assert read_labelled(path, COLUMNS, dirt, "--data.files") == [("a", "1"), ("c", "true")]
    assert len(dirt) == 5
    with pytest.raises(UserError, match="--data.strict: expected no faults, received 5"):
        read_labelled_texts("", str(path), strict=True)


def test_a_long_document_in_a_table_is_read_whole(tmp_path):
    (path := tmp_path / "a.csv").write_text("text,label\n" + "word " * 60_000 + ",x\n")
    assert len(read_labelled(path, COLUMNS, Dirt(), "--data.files")[0][0]) == 300_000


def test_splits_that_the_user_gives_are_kept(tmp_path, folder):
    (dev := tmp_path / "dev.csv").write_text(as_csv(PAIRS[:4]))
    sets = read_labelled_texts("", str(folder), dev=str(dev))
    assert {split: len(one) for split, one in sets.items()} == {"train": 54, "validation": 4, "test": 6}
    for split in ("train", "test"):
        (tmp_path / "all").mkdir(exist_ok=True)
        (tmp_path / "all" / split).symlink_to(folder)
    sets = read_labelled_texts("", str(tmp_path / "all"))
    assert {split: len(one) for split, one in sets.items()} == {"train": 54, "validation": 6, "test": 61}


def test_what_a_user_has_to_correct_is_said_in_one_line(tmp_path):
    (one := tmp_path / "one.csv").write_text(as_csv(PAIRS[::2]))
    (new := tmp_path / "new.csv").write_text(as_csv([("hm", "other")]))
    (named := tmp_path / "named.csv").write_text("review,stars\ngood,5\n")
    cases = [
        ({"files": str(tmp_path / "no.csv")}, "--data.files: expected a text file, received .*no.csv"),
        ({"files": str(tmp_path / "no.docx")}, r"--data.files: expected a folder, or a file \.csv"),
        ({"files": str(one)}, "--data.files: expected texts of at least two classes, received good"),
        (
            {"files": str(named)},
            r"--data.files: expected a first line with the columns text and label \(--data.columns",
        ),
        ({"files": str(write_all(tmp_path)[0]), "test": str(new)}, "received texts of other"),
        ({"dataset": "digits_no"}, "--data.dataset: expected a dataset of TFDS"),
    ]
    for options, message in cases:
        with pytest.raises(UserError, match=message):
            read_labelled_texts(**{"dataset": "", **options})
    assert read_labelled(named, ("review", "stars"), Dirt(), "--data.files") == [("good", "5")]


@pytest.mark.parametrize("name", ["imdb_reviews", "ag_news_subset", "yelp_polarity_reviews"])
def test_public_datasets_of_labelled_texts_are_read(name):
    with tfds.testing.mock_data(num_examples=8):
        sets = read_labelled_texts(name, limit=5)
    assert len(sets["train"]) == 5 and len(sets["test"]) == 1
    assert sets["train"].labels.dtype == np.int64 and len(sets["train"].names) in (2, 4)


def test_a_dataset_of_other_things_is_refused():
    with (
        tfds.testing.mock_data(num_examples=2),
        pytest.raises(UserError, match="--data.dataset: expected a dataset of"),
    ):
        read_labelled_texts("cifar10")
