"""The fast maxima of long rows equal a sort, whatever the length of a row divides by."""

import numpy as np
import pytest
import tensorflow as tf

from attention_zoo.pipelines.engine.decoding.steps import argmax, top_k

SIZES = [1, 5, 96, 97, 1000, 8000]  # in blocks of 32, 32, 25 and 32 values; 1, 5 and 97 are searched whole


def rows_of(size, levels):
    """Returns five rows, whose values are few levels, so that the greatest stands in many places."""
    return np.random.default_rng(size).integers(0, levels, (5, size)).astype("float32")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("levels", [3, 10**6])
def test_top_k_has_the_greatest_values_and_the_first_of_equal_places(size, levels):
    rows = rows_of(size, levels)
    values, places = (found.numpy() for found in top_k(tf.constant(rows), min(size, 4)))
    expected = np.argsort(-rows, axis=1, kind="stable")[:, : min(size, 4)]
    np.testing.assert_array_equal(places, expected)
    np.testing.assert_array_equal(values, np.take_along_axis(rows, expected, axis=1))


@pytest.mark.parametrize("size, first", [(size, first) for size in SIZES for first in (0, 3, 40) if first < size])
@pytest.mark.parametrize("levels", [3, 10**6])
def test_argmax_is_the_first_greatest_place_that_counts(size, first, levels):
    rows = rows_of(size, levels)
    rows[:, :first] += 2  # greater, and may not be picked
    np.testing.assert_array_equal(argmax(tf.constant(rows), first), first + rows[:, first:].argmax(axis=1))


def test_argmax_answers_no_rows_with_nothing():
    assert argmax(tf.zeros((0, 96)), first=3).shape == (0,)
