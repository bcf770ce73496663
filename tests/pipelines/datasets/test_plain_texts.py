"""A user's lines are divided into two or three splits, by their content."""

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
    with pytest.raises(UserError, match="--data.files: expected at least 3 lines of text in .*, received fewer"):
        read_texts("", ("", "", ""), [str(path)])
