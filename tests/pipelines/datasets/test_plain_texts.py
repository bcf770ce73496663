"""A user's lines are divided into two or three splits, by their content, unless a split has files of its own."""

import pytest

from attention_zoo.pipelines.datasets.plain_texts import read_texts
from attention_zoo.pipelines.engine.errors import UserError


def lines_of(found):
    return {split: [line.decode() for line in one.texts.as_numpy_iterator()] for split, one in found.items()}


def test_three_splits_are_disjoint_and_equal_lines_share_one(tmp_path):
    lines = [f"line {number % 400}" for number in range(500)]
    (path := tmp_path / "a.txt").write_text("\n".join(lines))
    two, three = (lines_of(read_texts("", splits, [str(path)])) for splits in (("", ""), ("", "", "")))
    assert set(two) == {"train", "validation"} and set(three) == {"train", "validation", "test"}
    assert two["validation"] == three["validation"] and two["train"] != three["train"]
    assert sorted(sum(three.values(), [])) == sorted(lines)
    for split, other in (("train", "test"), ("train", "validation"), ("validation", "test")):
        assert not set(three[split]) & set(three[other])
    assert 5 <= len(three["test"]) <= 50


def test_few_lines_still_give_three_splits_and_fewer_are_an_error(tmp_path):
    (path := tmp_path / "a.txt").write_text("one\ntwo\nthree\nfour")
    assert all(lines_of(read_texts("", ("", "", ""), [str(path)])).values())
    path.write_text("one\ntwo")
    with pytest.raises(UserError, match="--data.files: expected at least 3 lines of text, received 2"):
        read_texts("", ("", "", ""), [str(path)])


def test_a_split_with_files_of_its_own_takes_no_line_of_the_others(tmp_path):
    paths = {name: tmp_path / f"{name}.txt" for name in ("train", "dev", "test")}
    paths["train"].write_text("\n".join(f"line {number}" for number in range(100)))
    for name in ("dev", "test"):
        paths[name].write_text(f"{name} one\n{name} two\n")
    names = {name: [str(path)] for name, path in paths.items()}
    found = lines_of(read_texts("", ("", "", ""), names["train"], dev=names["dev"], test=names["test"]))
    assert len(found["train"]) == 100 and found["validation"] == ["dev one", "dev two"]
    assert found["test"] == ["test one", "test two"]
    some = read_texts("", ("", "", ""), names["train"], test=names["test"])
    assert lines_of(some)["test"] == found["test"] and 90 <= len(lines_of(some)["train"]) < 100
    assert "dev.txt" not in some["test"].version and "test.txt SHA-256" in some["train"].version
    paths["test"].write_text("\n")
    with pytest.raises(UserError, match="^--data.test: expected lines of text, received none in .*test.txt"):
        read_texts("", ("", "", ""), names["train"], test=names["test"])


def test_a_file_in_utf16_is_refused_and_other_bad_lines_are_shown(tmp_path, capsys):
    (path := tmp_path / "a.txt").write_bytes(b"one\ncaf\xe9 latin\ntwo\nthree\n")
    read_texts("", ("", "", ""), [str(path)])
    assert f"{path}, line 2: caf\ufffd latin" in capsys.readouterr().out
    path.write_text("one\ntwo\nthree", encoding="utf-16")
    with pytest.raises(UserError, match="^--data.dev: expected a text file in UTF-8, received .*a.txt in UTF-16"):
        read_texts("", ("", ""), dev=[str(path)])
