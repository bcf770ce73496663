"""Shares of chosen, hidden and replaced tokens; whole words; n-grams; draws of a row."""

import numpy as np
import pytest
import tensorflow as tf

from attention_zoo.pipelines.engine.text.masking import (
    CHOSEN,
    DRAWS,
    PADDING,
    READ,
    choose_units,
    mask_tokens,
    units_of,
)

CLS, SEP, MASK, FIRST, SIZE = 2, 3, 4, 5, 1005
ROWS, LENGTH = 400, 64


@pytest.fixture(scope="module")
def tokens():
    """Rows of [CLS], random tokens, [SEP] and padding."""
    rng = np.random.default_rng(0)
    found = rng.integers(FIRST, SIZE, (ROWS, LENGTH)).astype("int32")
    for row, length in zip(found, rng.integers(3, LENGTH + 1, ROWS)):
        row[0], row[length - 1], row[length:] = CLS, SEP, 0
    return found


@pytest.fixture(scope="module")
def starts(tokens):
    """Words of one to four tokens."""
    return (np.random.default_rng(1).random(tokens.shape) < 0.5) | (np.roll(tokens, 1, axis=1) < FIRST)


def draws(seed=1):
    return tf.random.stateless_uniform([ROWS, LENGTH, DRAWS], [seed, 0])


def masked(tokens, seed=1, **options):
    found = mask_tokens(tf.constant(tokens), draws(seed), MASK, FIRST, SIZE, **options)
    return {name: value.numpy() for name, value in found.items()}


def ordinary(tokens):
    return tokens >= FIRST


@pytest.mark.parametrize("share", [0.15, 0.3])
def test_each_row_has_the_share_of_chosen_tokens_and_one_at_least(tokens, share):
    chosen = masked(tokens, share=share)["roles"] == CHOSEN
    counts = ordinary(tokens).sum(1)
    expected = np.maximum(np.round(np.float32(share) * counts.astype("float32")), counts > 0)
    np.testing.assert_array_equal(chosen.sum(1), expected)


def test_special_tokens_and_padding_are_never_chosen_or_changed(tokens):
    found = masked(tokens)
    special = ~ordinary(tokens)
    assert not (found["roles"] == CHOSEN)[special].any()
    np.testing.assert_array_equal(found["tokens"][special], tokens[special])
    np.testing.assert_array_equal(found["labels"], tokens)
    assert (found["roles"][tokens == 0] == PADDING).all() and (found["roles"][tokens == CLS] == READ).all()
    assert found["tokens"][found["roles"] == READ].tolist() == tokens[found["roles"] == READ].tolist()


def test_of_the_chosen_80_percent_are_hidden_10_replaced_and_10_stay(tokens):
    found = masked(np.tile(tokens, (1, 1)), share=0.9)
    chosen = found["roles"] == CHOSEN
    new, old = found["tokens"][chosen], tokens[chosen]
    count = len(new)
    assert count > 9000
    for share, expected in ((np.mean(new == MASK), 0.8), (np.mean(new == old), 0.1)):
        assert abs(share - expected) < 4 * np.sqrt(expected * (1 - expected) / count) + 1e-3
    random = new[(new != MASK) & (new != old)]
    assert abs(len(random) / count - 0.1) < 0.015 and random.min() >= FIRST and random.max() < SIZE
    assert abs(np.mean(random) - (FIRST + SIZE - 1) / 2) < 40  # uniform


@pytest.mark.parametrize("longest", [1, 3])
def test_words_are_chosen_whole_and_meet_the_share_on_average(tokens, starts, longest):
    chosen = masked(tokens, starts=tf.constant(starts), longest=longest)["roles"] == CHOSEN
    words = np.cumsum(starts & ordinary(tokens), axis=1)
    for row in range(ROWS):
        for word in np.unique(words[row]):
            of_word = chosen[row][(words[row] == word) & ordinary(tokens)[row]]
            assert of_word.all() or not of_word.any()
    long = ordinary(tokens).sum(1) > 30
    assert abs(chosen[long].sum() / ordinary(tokens)[long].sum() - 0.15) < 0.012


def test_lengths_of_ngrams_have_probabilities_like_1_by_n():
    words = tf.ones([300, 90], tf.bool)
    units = units_of(words, tf.random.stateless_uniform([300, 90], [3, 4]), 3).numpy()
    lengths = np.concatenate([np.bincount(row)[:-1] for row in units])  # the last one is cut
    shares = np.bincount(lengths, minlength=4)[1:] / len(lengths)
    np.testing.assert_allclose(shares, np.array([6, 3, 2]) / 11, atol=0.015)
    assert (np.diff(units, axis=1) >= 0).all() and (np.diff(units, axis=1) <= 1).all() and (units[:, 0] == 0).all()


def test_choosing_equals_a_loop_over_units(tokens, starts):
    units = np.where(ordinary(tokens), units_of(tf.constant(starts & ordinary(tokens)), draws()[..., 0], 1), -1)
    order = draws()[..., 1].numpy()
    found = choose_units(tf.constant(units), tf.constant(order), 0.15).numpy()
    for row in range(ROWS):
        expected, taken, budget = (
            np.zeros(LENGTH, bool),
            0,
            np.round(np.float32(0.15) * np.float32((units[row] >= 0).sum())),
        )
        names = sorted(set(units[row]) - {-1}, key=lambda unit: order[row, unit])
        for place, unit in enumerate(names):
            size = int((units[row] == unit).sum())
            if place == 0 or taken + size / 2 <= budget:
                expected |= units[row] == unit
            taken += size
        np.testing.assert_array_equal(found[row], expected)


def test_the_same_draws_give_the_same_masks_and_others_do_not(tokens):
    first, again, other = masked(tokens), masked(tokens), masked(tokens, seed=2)
    np.testing.assert_array_equal(first["tokens"], again["tokens"])
    assert (first["tokens"] != other["tokens"]).mean() > 0.1


def test_a_row_without_ordinary_tokens_has_no_chosen_ones():
    found = mask_tokens(tf.constant([[CLS, SEP, 0]]), tf.zeros([1, 3, DRAWS]), MASK, FIRST, SIZE)
    assert not (found["roles"].numpy() == CHOSEN).any()
