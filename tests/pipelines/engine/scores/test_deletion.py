"""Deletion leaves out the heaviest part and a random other one, and pairs what they change."""

import numpy as np
import tensorflow as tf

from attention_zoo.pipelines.engine.scores.deletion import deletion_masks, deletion_scores


def test_the_heaviest_part_and_each_other_one_are_left_out():
    mask = np.array([[True, True, True, True, False]] * 3000)
    weights = np.tile([[0.1, 0.2, 0.6, 0.1, 0.9]], (3000, 1)).astype("float32")  # the last one is padding
    chance = np.random.default_rng(0).random(3000).astype("float32")
    without_heaviest, without_random = deletion_masks(weights, mask, chance)
    assert (without_heaviest.numpy() == [True, True, False, True, False]).all()
    left_out = (mask & ~without_random.numpy()).sum(axis=0)
    assert left_out[2] == left_out[4] == 0 and (abs(left_out[[0, 1, 3]] - 1000) < 100).all()
    assert (without_random.numpy().sum(axis=1) == 3).all()


def test_a_document_of_one_part_or_none_is_left_as_it_is():
    mask = np.array([[True, False], [False, False]])
    _, without_random = deletion_masks(tf.constant([[1.0, 0.0], [0.0, 0.0]]), mask, tf.constant([0.5, 0.5]))
    np.testing.assert_array_equal(without_random, mask)


def test_the_interval_is_that_of_the_pairs():
    rng = np.random.default_rng(2)
    easy = rng.uniform(0.2, 0.9, 400)
    scores = deletion_scores(easy - 0.05 + 0.01 * rng.normal(size=400), easy)
    assert 4.8 < scores["deletion_gap_low"] < scores["deletion_gap"] < scores["deletion_gap_high"] < 5.2
    assert deletion_scores([], []) == {}
