"""A row with an error is empty; the others keep their values."""

import numpy as np
import pytest
import tensorflow as tf

from attention_zoo.pipelines.engine.serving.answers import empty_where, first_error

VALUES = {
    "text": [["a", "b"], ["c", "d"]],
    "score": [1.5, float("nan")],
    "lengths": np.array([2, 3], "int32"),
    "known": [True, True],
    "weights": np.full((2, 3, 4), np.nan, "float32"),
}


def test_a_row_with_an_error_is_empty_whatever_it_held():
    answers = empty_where(tf.constant(["", "damaged"]), {name: tf.constant(value) for name, value in VALUES.items()})
    assert answers["error"].numpy().tolist() == [b"", b"damaged"]
    assert answers["text"].numpy().tolist() == [[b"a", b"b"], [b"", b""]]
    assert answers["score"].numpy().tolist() == [1.5, 0.0]
    assert answers["lengths"].numpy().tolist() == [2, 0] and answers["lengths"].dtype == tf.int32
    assert answers["known"].numpy().tolist() == [True, False]
    assert np.isnan(answers["weights"][0]).all() and (answers["weights"][1].numpy() == 0).all()


def test_an_empty_batch_has_no_errors():
    answers = empty_where(tf.constant([], tf.string), {"score": tf.zeros([0, 4])})
    assert answers["score"].shape == (0, 4) and answers["error"].shape == (0,)


def test_a_value_without_rows_is_refused():
    with pytest.raises(ValueError, match=r"values\['score'\]: expected shape \(B, ...\)"):
        empty_where(tf.constant([""]), {"score": tf.constant(1.0)})


def test_the_first_of_several_errors_is_named_with_its_number():
    errors = tf.constant([["", "", ""], ["", "cut off", "no image"], ["no image", "", ""]])
    assert first_error(errors, "frame").numpy().tolist() == [b"", b"frame 2: cut off", b"frame 1: no image"]
    assert first_error(tf.zeros([0, 3], tf.string), "frame").shape == (0,)
