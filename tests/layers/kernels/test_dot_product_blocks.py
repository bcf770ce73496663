"""The blocks against the plain path, which `test_dot_product.py` holds against the definition."""

import functools
import os
import subprocess
import sys
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from attention_zoo.layers.dot_product import dot_product_attention
from attention_zoo.layers.kernels import additive_blocks, blocks_possible, dot_product_blocks, plan

LENGTHS = st.sampled_from(
    [1, 2, 19, 240, 256, 257, 496, 512, 530]
)  # one block, full ones of 120 and 256, remainders, keys that get more


def masks(kind, batch, heads, queries, keys):
    rng = np.random.default_rng(5)
    found = {"is_causal": "causal" in kind}
    if "padding" in kind:
        found["key_mask"] = rng.random((batch, keys)) < 0.7
        found["key_mask"][0, : keys // 2] = False  # under a causal mask the first queries then see nothing
    if "mask" in kind:
        found["mask"] = rng.random((batch, heads, queries, keys)) < 0.5
        found["mask"][..., queries // 2, :] = False
    return found


def with_dropout_told(query, key, value, rate, seed, bias, **options):
    """The plain path with the weights dropped that the blocks drop: with the identity for values they show which."""
    keys, group = key.shape[1], query.shape[2] // key.shape[2]
    identity = ops.broadcast_to(ops.eye(keys)[None, :, None], (key.shape[0], keys, key.shape[2], keys))
    whole = dot_product_attention(query, key, identity, bias=bias, implementation="plain", **options)  # (B, T, H, S)
    kept = dot_product_attention(
        query, key, identity, bias=bias, dropout_rate=rate, seed=seed, implementation="blocks", **options
    )
    factor = ops.stop_gradient(ops.where(kept > 0, 1 / (1 - rate), 0.0))
    return ops.einsum("bths,bshv->bthv", whole * factor, ops.repeat(value, group, axis=2))


@settings(max_examples=10, deadline=None, derandomize=True, database=None)
@given(
    lengths=st.tuples(LENGTHS, LENGTHS),
    batch=st.sampled_from([1, 2]),
    heads=st.sampled_from([(1, 1), (2, 2), (4, 2), (3, 1)]),
    kind=st.sampled_from(["", "padding", "causal", "mask", "padding causal", "padding causal mask"]),
    bias=st.sampled_from([None, (1, True), (2, False), (1, False)]),
    dropout=st.booleans(),
    open_shapes=st.booleans(),
    few=st.sampled_from([0, 2**25]),  # weights computed again for the gradient, or kept
)
def test_blocks_equal_the_plain_path_and_its_gradients(
    normal, outcome, assert_same, lengths, batch, heads, kind, bias, dropout, open_shapes, few
):
    (queries, keys), (count, key_heads) = lengths, heads
    options = masks(kind, batch, count, queries, keys)
    shapes = (batch, queries, count, 6), (batch, keys, key_heads, 6), (batch, keys, key_heads, 5)
    inputs = [normal(*shape, seed=n) for n, shape in enumerate(shapes)]
    if bias is not None:
        inputs.append(normal(min(bias[0], batch), count if bias[1] else 1, queries, keys, seed=3))

    def blocks(query, key, value, bias=None):
        rate = 0.3 if dropout else 0.0
        return dot_product_attention(
            query, key, value, bias=bias, dropout_rate=rate, seed=9, implementation="blocks", **options
        )

    def plain(query, key, value, bias=None):
        if dropout:
            return with_dropout_told(query, key, value, 0.3, 9, bias, **options)
        return dot_product_attention(query, key, value, bias=bias, implementation="plain", **options)

    expected = outcome(plain, *inputs)
    assert np.isfinite(expected[0]).all()
    with mock.patch.object(plan, "_FEW", few):
        found = outcome(blocks, *inputs, open_shapes=open_shapes and bias is None)
    assert_same(found, expected)


def test_memory_grows_with_the_length_and_not_with_its_square():
    program = """
import resource
import tensorflow as tf
from attention_zoo.layers.dot_product import dot_product_attention

@tf.function(autograph=False, input_signature=[tf.TensorSpec((1, None, 8, 64))])
def step(x):
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = tf.reduce_sum(dot_product_attention(x, x, x, implementation='blocks'))
    return tape.gradient(loss, x)

def peak(length):
    step(tf.random.normal((1, length, 8, 64)))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

before = peak(64)
print(peak(4096) - before)  # all weights: 512 MiB
"""
    at_once = {
        **os.environ,
        "MALLOC_MMAP_THRESHOLD_": "262144",
        "MALLOC_ARENA_MAX": "1",
    }  # memory goes back when it is free
    found = subprocess.run([sys.executable, "-c", program], env=at_once, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    assert (
        float(found.stdout) < 150
    )  # 8 MiB are the input, as much each of query, key, value, output and their gradients


@pytest.mark.parametrize("few, computed", [(2 * 300 * 300, 1), (2 * 300 * 300 - 1, 2)])
def test_the_weights_are_computed_once_where_all_of_them_may_be_kept_and_else_again(normal, few, computed):
    import tensorflow as tf

    inputs, mask = [tf.constant(normal(1, 300, 2, 4, seed=n)) for n in range(3)], np.arange(300)[None] < 280
    with (
        mock.patch.object(plan, "_FEW", few),
        mock.patch.object(tf.nn, "softmax", wraps=tf.nn.softmax) as softmax,
    ):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            output = dot_product_attention(*inputs, key_mask=mask, implementation="blocks")
        tape.gradient(output, inputs)
    assert softmax.call_count == 2 * 2 * computed  # two heads of two blocks


@pytest.mark.parametrize("kind", ["", "padding", "mask", "causal"])
@pytest.mark.parametrize("bias, open_shapes", [(None, False), (None, True), ((2, True), False), ((1, False), False)])
def test_as_many_keys_as_fill_whole_pages_are_attended_to_like_any_others(
    normal, outcome, assert_same, kind, bias, open_shapes
):
    options = masks(kind, 2, 4, 19, 512)
    inputs = [normal(*shape, seed=n) for n, shape in enumerate([(2, 19, 4, 6), (2, 512, 2, 6), (2, 512, 2, 5)])]
    if bias is not None:
        inputs.append(normal(bias[0], 4 if bias[1] else 1, 19, 512, seed=3))

    def attend(implementation):
        return lambda query, key, value, bias=None: dot_product_attention(
            query, key, value, bias=bias, implementation=implementation, **options
        )

    found = outcome(attend("blocks"), *inputs, open_shapes=open_shapes)
    assert_same(found, outcome(attend("plain"), *inputs))


@pytest.mark.parametrize("kind", ["", "padding causal mask"])
@pytest.mark.parametrize("dtype, tolerance", [("bfloat16", 3e-2), ("float16", 4e-3)])
def test_low_precision_is_that_of_the_inputs_alone(normal, outcome, dtype, tolerance, kind):
    import tensorflow as tf

    inputs = [tf.cast(normal(2, 270, 2, 8, seed=n), dtype) for n in range(3)]
    options = masks(kind, 2, 2, 270, 270)
    actual = outcome(lambda q, k, v: dot_product_attention(q, k, v, implementation="blocks", **options), *inputs)
    assert {str(x.dtype) for x in actual} == {dtype}
    exact = [tf.cast(x, "float32") for x in inputs]
    expected = outcome(lambda q, k, v: dot_product_attention(q, k, v, implementation="plain", **options), *exact)
    for a, e in zip(actual, expected):
        np.testing.assert_allclose(a.astype("float32"), e, atol=tolerance, rtol=tolerance)


def test_scores_far_from_zero_stay_exact(normal):
    query, key, value = normal(1, 300, 1, 4) * 60, normal(1, 300, 1, 4, seed=1) * 60, normal(1, 300, 1, 4, seed=2)
    found = [
        np.array(dot_product_attention(query, key, value, is_causal=True, implementation=k))
        for k in ("blocks", "plain")
    ]
    np.testing.assert_allclose(*found, atol=2e-3)
    assert np.isfinite(found[0]).all()


def dot_of(query, key, mask):
    return dot_product_blocks(query, key, key, mask, None, None, False, 1.0, 0.0, None)


def additive_of(query, key, mask):
    return additive_blocks(query[:, :, 0], key[:, :, 0], ops.ones(4), key[:, :, 0], mask[:, None])


@functools.cache
def in_graphs():
    """`dot_of` and `additive_of` in graphs of open lengths, traced once."""
    import tensorflow as tf

    open_lengths = [tf.TensorSpec((None, None, 2, 4))] * 2 + [tf.TensorSpec((None, None), tf.bool)]
    return [tf.function(f, autograph=False, input_signature=open_lengths) for f in (dot_of, additive_of)]


@pytest.mark.parametrize("graph", [True, False], ids=["graph", "eager"])
@pytest.mark.parametrize("batch, queries, keys", [(0, 5, 7), (2, 0, 7), (2, 5, 0)])
def test_nothing_to_compute_gives_nothing_and_no_error(batch, queries, keys, graph):
    import tensorflow as tf

    dot, additive = in_graphs() if graph else (dot_of, additive_of)
    query, key = tf.zeros((batch, queries, 2, 4)), tf.zeros((batch, keys, 2, 4))  # a replica may get no sequence at all
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([query, key])
        found, also_found = (f(query, key, tf.ones((batch, keys), tf.bool)) for f in (dot, additive))
    assert found.shape == query.shape and also_found.shape == (batch, queries, 4)
    assert not np.any(found) and not np.any(also_found)
    for output in (found, also_found):
        for gradient, x in zip(tape.gradient(output, [query, key]), (query, key)):
            assert gradient.shape == x.shape and not np.any(gradient)


def test_a_bias_of_minus_infinity_is_a_mask(normal, outcome, assert_same):
    inputs = [normal(1, 300, 2, 4, seed=n) for n in range(3)]
    allowed = masks("mask", 1, 2, 300, 300)["mask"]  # a row of nothing among them
    bias = np.where(allowed, 0.0, -np.inf).astype("float32")
    biased = outcome(lambda q, k, v: dot_product_attention(q, k, v, bias=bias, implementation="blocks"), *inputs)
    assert_same(
        biased, outcome(lambda q, k, v: dot_product_attention(q, k, v, mask=allowed, implementation="plain"), *inputs)
    )


def test_dropout_drops_its_share_and_keeps_the_mean():
    query = np.zeros((1, 512, 2, 4), "float32")
    identity = np.broadcast_to(np.eye(512, dtype="float32")[:, None], (1, 512, 2, 512))

    def drawn(seed):
        return np.array(
            dot_product_attention(query, query, identity, dropout_rate=0.25, seed=seed, implementation="blocks")
        )

    weights = drawn(3)  # (1, 512, 2, 512)
    assert abs((weights == 0).mean() - 0.25) < 0.005
    assert abs(weights.sum(-1).mean() - 1) < 0.005
    by_row = (weights == 0).mean(axis=3)[0]  # (512, 2); 0.25 ± 0.019 each
    assert 0.15 < by_row.min() and by_row.max() < 0.35 and 0.015 < by_row.std() < 0.025
    assert (weights[:, :, 0] != weights[:, :, 1]).mean() > 0.3  # heads drop apart
    assert (weights != drawn(4)).mean() > 0.3
    np.testing.assert_array_equal(weights, drawn(3))
    assert (drawn(None) != drawn(None)).mean() > 0.3  # without a seed each call draws anew


def test_long_sequences_take_the_blocks_by_themselves_also_where_lengths_come_late(normal, outcome, assert_same):
    import tensorflow as tf

    inputs = [normal(1, 600, 2, 4, seed=n) for n in range(3)]

    def operations(function):
        graph = function.get_concrete_function(*[tf.TensorSpec((1, None, 2, 4))] * 3).graph
        return {operation.type for operation in graph.get_operations()}

    late = tf.function(lambda q, k, v: dot_product_attention(q, k, v), autograph=False)
    assert {"If", "StatelessIf"} & operations(late)
    for length in (20, 600):
        short = [x[:, :length] for x in inputs]
        np.testing.assert_allclose(late(*short), dot_product_attention(*short, implementation="plain"), atol=1e-5)
    assert_same(outcome(dot_product_attention, *inputs, open_shapes=True), outcome(dot_product_attention, *inputs))


def test_under_xla_the_plain_path_answers_and_blocks_say_why_not(normal):
    import tensorflow as tf

    inputs = [normal(1, 600, 2, 4, seed=n) for n in range(3)]
    compiled = tf.function(lambda *x: dot_product_attention(*x), jit_compile=True)
    np.testing.assert_allclose(compiled(*inputs), dot_product_attention(*inputs, implementation="plain"), atol=1e-5)
    assert blocks_possible()
    with pytest.raises(ValueError, match="jit_compile=False"):
        tf.function(lambda *x: dot_product_attention(*x, implementation="blocks"), jit_compile=True)(*inputs)
