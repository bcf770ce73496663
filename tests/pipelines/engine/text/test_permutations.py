"""Orders of prediction: what sees what, how many targets there are, and how long their spans."""

import numpy as np
import pytest
import tensorflow as tf

from attention_zoo.pipelines.engine.text.permutations import permutation_masks, span_tokens


def sampled(rows=50, length=30, seed=1, hidden=0, **options):
    mask = np.arange(length) < length - hidden
    found = permutation_masks(np.tile(mask, (rows, 1)), seed=(seed, 0), **options)
    return {name: value.numpy() for name, value in found.items()}


def is_target(found, length):
    targets = np.zeros((len(found["targets"]), length), bool)
    for row, (places, weights) in enumerate(zip(found["targets"], found["weights"])):
        targets[row, places[weights == 1]] = True
    return targets


def test_targets_see_the_rest_and_the_targets_before_them_in_one_order():
    found = sampled()
    targets = is_target(found, 30)
    for seen, chosen in zip(found["permutation_mask"], targets):
        assert seen[:, ~chosen].all()
        assert not seen[np.ix_(~chosen, chosen)].any()
        among = seen[np.ix_(chosen, chosen)].sum(axis=1)
        assert sorted(among) == list(range(chosen.sum()))  # a total order: nobody sees itself


def test_orders_are_drawn_evenly():
    found = sampled(rows=4000, length=12, max_span=2)
    first = []
    for seen, places, weights in zip(found["permutation_mask"], found["targets"], found["weights"]):
        if weights.sum() == 2:
            first.append(seen[places[1], places[0]])
    assert len(first) > 1000 and np.mean(first) == pytest.approx(0.5, abs=0.05)


def test_about_a_sixth_is_predicted_and_places_left_over_have_no_weight():
    found = sampled(rows=400, length=120)
    assert found["targets"].shape == (400, 20)
    assert 0.12 < is_target(found, 120).mean() < 1 / 6
    for places, weights in zip(found["targets"], found["weights"]):
        assert (np.diff(weights) <= 0).all() and len(set(places)) == len(places)


def test_padding_is_neither_predicted_nor_seen():
    found = sampled(hidden=12)
    assert not found["permutation_mask"][:, :, 18:].any()
    assert not is_target(found, 30)[:, 18:].any()


def test_tokens_that_are_not_predictable_are_seen_by_all():
    special = np.arange(24) % 3 == 0
    mask = np.ones((50, 24), bool)
    found = {n: v.numpy() for n, v in permutation_masks(mask, (1, 0), mask & ~special).items()}
    assert found["permutation_mask"][:, :, special].all()
    assert not is_target(found, 24)[:, special].any() and found["weights"].any()


def test_spans_are_as_long_as_drawn_and_one_lies_in_each_context():
    tokens = span_tokens(tf.constant([3000, 12]), tf.constant([5, 0]), context=12, max_span=4).numpy()
    assert (np.diff(tokens.astype(int), axis=1, prepend=0) == 1).sum(axis=1).max() == 1
    lengths = tokens.sum(axis=1)[~tokens[:, -1]]  # a span that ends before the row does is whole
    single, triple = (lengths == 1).mean(), (lengths == 3).mean()
    assert single > 2 * triple > 0


def test_samples_depend_on_the_seed_alone():
    first, again, other = (sampled(seed=seed)["permutation_mask"] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_it_works_in_a_map_over_batches_of_open_lengths():
    rows = tf.ragged.constant([[1] * 20, [1] * 13, [1] * 8, [1] * 8])
    batches = tf.data.Dataset.from_tensor_slices(rows).ragged_batch(2).map(lambda batch: batch.to_tensor() > 0)
    mapped = list(batches.map(lambda mask: permutation_masks(mask, seed=(3, 0))))
    for mask, found in zip(batches, mapped, strict=True):
        for name, value in permutation_masks(mask, seed=(3, 0)).items():
            np.testing.assert_array_equal(found[name], value)
    assert [found["targets"].shape[1] for found in mapped] == [4, 2]
