"""Windows cover a text, overlap by half, and know the places of words."""

import numpy as np
import pytest
import tensorflow as tf

from attention_zoo.pipelines.engine.text.wordpieces import WordPieces
from attention_zoo.pipelines.hub.text_reader import TextReader
from attention_zoo.pipelines.hub.windows import MOST, read_windows

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "q", "?", "a", "b", "##c", "é"]


@pytest.fixture
def reader():
    return TextReader(WordPieces(PIECES, lowercase=False), [2], [3], [3], pad=0, max_tokens=15)


def read(reader, *pairs):
    return read_windows(reader, *(tf.constant(column) for column in zip(*pairs)))


@pytest.mark.parametrize("count", [0, 1, 11, 12, 13, 40])
def test_windows_cover_a_text_and_every_part_of_half_a_window_is_whole_in_one(reader, count):
    windows = read(reader, ("q", "a " * count))
    starts = windows.starts.to_list()
    assert windows.of_texts.to_list() == [list(range(len(starts)))]
    assert sorted({one for row in starts for one in row}) == list(range(0, 2 * count, 2))
    for first in range(count - 5):
        part = {2 * place for place in range(first, first + 6)}  # of 11 tokens that a window has room for
        assert any(part <= set(row) for row in starts)
    assert len(starts) == 1 or not windows.truncated.numpy().any()


def test_tokens_of_a_word_have_its_offsets_in_bytes(reader):
    windows = read(reader, ("q?", "é bc a"), ("q", "a"))
    assert windows.starts.to_list() == [[0, 3, 3, 6], [0]] and windows.ends.to_list() == [[2, 5, 5, 7], [1]]
    assert windows.columns.numpy().tolist() == [4, 3] and windows.of_texts.to_list() == [[0], [1]]
    tokens = windows.inputs["tokens"].numpy()
    assert tokens[1].tolist() == [2, 4, 3, 6, 3, 0, 0, 0, 0]
    assert windows.inputs["mask"].numpy().sum(1).tolist() == [9, 5]
    assert windows.inputs["segments"].numpy()[1].tolist() == [0, 0, 0, 1, 1, 0, 0, 0, 0]


def test_the_windows_of_rows_are_those_of_each_alone(reader):
    pairs = [("q", "a " * 30), ("q " * 40, "b " * 9), ("", "")]
    together, place = read(reader, *pairs), 0
    for pair, truncated in zip(pairs, together.truncated.numpy()):
        alone = read(reader, pair)
        tokens = alone.inputs["tokens"].numpy()
        rows = slice(place, place + len(tokens))
        assert np.array_equal(together.inputs["tokens"].numpy()[rows, : tokens.shape[1]], tokens)
        assert together.starts.to_list()[rows] == alone.starts.to_list() and alone.truncated.numpy() == [truncated]
        place += len(tokens)
    assert together.truncated.numpy().tolist() == [False, True, False]


def test_a_text_of_any_length_has_a_limited_number_of_windows(reader):
    windows = read(reader, ("q", "a " * 10_000), ("q", "a"))
    assert windows.of_texts.row_lengths().numpy().tolist() == [MOST, 1]
    assert windows.truncated.numpy().tolist() == [True, False]


def test_no_texts_have_no_windows(reader):
    windows = read_windows(reader, tf.constant([], tf.string), tf.constant([], tf.string))
    assert windows.of_texts.to_list() == [] and len(windows.inputs["tokens"]) == 0
