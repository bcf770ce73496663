import pytest
import tensorflow as tf

from attention_zoo.pipelines.engine.text.token_cache import cached_columns


class Maker:
    def __init__(self):
        self.calls = 0

    def __call__(self):
        self.calls += 1
        rows = tf.ragged.constant([[self.calls, 2], [], [3]], dtype=tf.int32)
        return {"train": {"source": rows, "target": rows + 1}, "test": {"source": rows[:1], "target": rows[1:2]}}


def lists(splits):
    return {(split, name): column.to_list() for split, columns in splits.items() for name, column in columns.items()}


def test_columns_are_made_once_and_come_back_the_same(tmp_path):
    make = Maker()
    first, second = (cached_columns(tmp_path, "a", make) for _ in range(2))
    assert make.calls == 1 and lists(first) == lists(second)
    assert second["train"]["source"].dtype == tf.int32
    assert second["train"]["source"].row_splits.dtype == first["train"]["source"].row_splits.dtype


def test_another_source_makes_them_anew(tmp_path):
    make = Maker()
    cached_columns(tmp_path, "a", make)
    assert lists(cached_columns(tmp_path, "b", make))["train", "source"] == [[2, 2], [], [3]]
    assert make.calls == 2 and lists(cached_columns(tmp_path, "b", make))["train", "source"] == [[2, 2], [], [3]]


def test_damaged_ones_are_named_and_made_anew(tmp_path):
    make = Maker()
    cached_columns(tmp_path, "a", make)
    (file,) = tmp_path.glob("*.safetensors")
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.warns(UserWarning, match="made anew: .*truncated"):
        cached_columns(tmp_path, "a", make)
    assert make.calls == 2
    cached_columns(tmp_path, "a", make)
    assert make.calls == 2
