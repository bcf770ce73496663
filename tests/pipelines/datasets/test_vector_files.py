"""Word vectors are read from both text formats, and lines that are not right are named."""

import numpy as np
import pytest

from attention_zoo.pipelines.datasets.dirt import Dirt
from attention_zoo.pipelines.datasets.vector_files import read_vectors, vector_size
from attention_zoo.pipelines.engine.errors import UserError

NUMBERS = {"cat": 0, "dog": 1, "owl": 2, "é": 3}
ROWS = "cat 1 2 3\nDog 4 5 6\nwolf 7 8 9\né -1 0.5 1e-3\ncat 9 9 9\n"


@pytest.mark.parametrize("head", ["", "5 3\n"])
def test_word2vec_and_glove_files_give_the_same_vectors(tmp_path, head):
    (path := tmp_path / "v.txt").write_text(head + ROWS)
    assert vector_size(path) == 3
    vectors, known = read_vectors(path, NUMBERS, dirt := Dirt())
    np.testing.assert_allclose(vectors, [[1, 2, 3], [4, 5, 6], [0, 0, 0], [-1, 0.5, 0.001]])
    assert known.tolist() == [True, True, False, True] and not len(dirt)


def test_a_word_as_it_is_written_wins_over_another_case(tmp_path):
    (path := tmp_path / "v.txt").write_text("CAT 1 1\ncat 2 2\nCat 3 3\n")
    assert read_vectors(path, NUMBERS, Dirt())[0][0].tolist() == [2, 2]


def test_bad_lines_are_named_and_skipped(tmp_path):
    lines = [b"cat 1 2", b"dog 1", b"owl 1 2 3", b"\xff 1 2", b"\xc3\xa9 1 x", b"dog 1 nan", b"dog 3 4"]
    (path := tmp_path / "v.txt").write_bytes(b"\n".join(lines))
    vectors, known = read_vectors(path, NUMBERS, dirt := Dirt())
    places = {fault: [line.partition("line ")[2][:1] for line in rows] for fault, (_, rows) in dirt.faults.items()}
    assert places["a number of numbers other than 2"][0] == "2"
    assert places["a word that is not UTF-8"] == ["4"] and places["something that is no number"] == ["5", "6"]
    assert vectors[:2].tolist() == [[1, 2], [3, 4]] and known.tolist()[:2] == [True, True]


def test_a_file_of_something_else_is_refused(tmp_path):
    (path := tmp_path / "v.txt").write_text("word\nother\n")
    with pytest.raises(UserError, match="--model.vectors: expected a text file with a word and its numbers"):
        vector_size(path)
    with pytest.raises(UserError, match="--model.vectors: expected a text file, received"):
        vector_size(tmp_path / "no.txt")
