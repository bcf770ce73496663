"""Additive attention in blocks against the definition, with its (B, T, S, U) tensor."""

import keras
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from attention_zoo import layers
from attention_zoo.layers.kernels import additive_blocks

LENGTHS = st.sampled_from([1, 2, 19, 240, 256, 257, 496, 512, 530])  # one block, several, and remainders


@settings(max_examples=10, deadline=None, derandomize=True, database=None)
@given(
    lengths=st.tuples(LENGTHS, LENGTHS),
    batch=st.sampled_from([1, 2]),
    mask=st.sampled_from([None, "padding", "shared", "full"]),
    open_shapes=st.booleans(),
)
def test_additive_blocks_equal_the_plain_path_and_its_gradients(
    normal, outcome, assert_same, lengths, batch, mask, open_shapes
):
    queries, keys = lengths
    inputs = [
        normal(batch, queries, 40),
        normal(batch, keys, 40, seed=1),
        normal(40, seed=2),
        normal(batch, keys, 3, seed=3),
    ]
    shape = {None: None, "padding": (batch, 1, keys), "shared": (queries, keys), "full": (batch, queries, keys)}[mask]
    allowed = None if mask is None else np.random.default_rng(4).random(shape) < 0.5

    def plain(query, key, vector, value):
        scores = ops.sum(ops.tanh(query[:, :, None] + key[:, None]) * vector, axis=-1)
        return ops.matmul(layers.masked_softmax(scores, allowed), value)

    actual = outcome(lambda *x: additive_blocks(*x, mask=allowed), *inputs, open_shapes=open_shapes)
    assert_same(actual, outcome(plain, *inputs))


def test_additive_dropout_is_the_same_in_the_gradient(normal, outcome, assert_same):
    query, key, vector = normal(2, 50, 16), normal(2, 700, 16, seed=1), normal(16, seed=2)
    identity = np.broadcast_to(np.eye(700, dtype="float32"), (2, 700, 700))
    whole, kept = (
        np.array(additive_blocks(query, key, vector, identity, dropout_rate=rate, seed=3)) for rate in (0.0, 0.4)
    )
    factor = np.where(kept > 0, 1 / 0.6, 0.0).astype("float32")
    assert abs((kept == 0).mean() - 0.4) < 0.01
    np.testing.assert_allclose(kept, whole * factor, atol=1e-6)

    def plain(query, key, vector, value):
        scores = ops.sum(ops.tanh(query[:, :, None] + key[:, None]) * vector, axis=-1)
        return ops.matmul(ops.softmax(scores) * factor, value)

    inputs = (query, key, vector, normal(2, 700, 3, seed=4))
    assert_same(outcome(lambda *x: additive_blocks(*x, dropout_rate=0.4, seed=3), *inputs), outcome(plain, *inputs))


def test_no_call_repeats_the_dropout_of_the_one_before():
    keys, units = 128, 1024  # four queries a block
    query, key = np.zeros((1, 16, units), "float32"), np.zeros((1, keys, units), "float32")
    identity, seeds = np.eye(keys, dtype="float32")[None], keras.random.SeedGenerator(1)
    masks = [
        np.array(additive_blocks(query, key, np.zeros(units, "float32"), identity, dropout_rate=0.5, seed=seeds))[0] > 0
        for _ in range(3)
    ]
    rows = np.concatenate(masks)  # (3 * 16, keys)
    assert len(np.unique(rows, axis=0)) == len(rows)
