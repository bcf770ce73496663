"""The blocks of a sliding window against NumPy's masked softmax, gradients included."""

import functools

import numpy as np
import pytest

from attention_zoo.layers import MultiHeadAttention
from attention_zoo.layers.dot_product import dot_product_attention

# T, S, W: several blocks, remainders, T > S + W (queries that see nothing), S > T, one key, a window beyond all
# Few windows, since a graph is traced for each of them and then takes all lengths.
SIZES = [(300, 300, 20), (257, 257, 1), (300, 100, 20), (100, 500, 3), (5, 7, 3), (1, 1, 1), (300, 300, 1000)]


def by_numpy(query, key, value, allowed, upstream):
    """Output and gradients of softmax(query keyᵀ / √D) value in float64, for one gradient of the output."""
    group, width = query.shape[2] // key.shape[2], query.shape[3]
    q = query.transpose(0, 2, 1, 3).astype("float64") / np.sqrt(width)  # (B, H, T, D)
    k, v = (x.astype("float64").transpose(0, 2, 1, 3).repeat(group, 1) for x in (key, value))  # (B, H, S, D or V)
    scores = np.where(allowed, q @ k.swapaxes(2, 3), -np.inf)  # (B, H, T, S)
    exponents = np.exp(scores - np.maximum(scores.max(-1, keepdims=True), -1e30)) * allowed
    weights = exponents / np.maximum(exponents.sum(-1, keepdims=True), 1e-30)
    out = upstream.transpose(0, 2, 1, 3).astype("float64")  # (B, H, T, V)
    d_weights = out @ v.swapaxes(2, 3)
    d_scores = weights * (d_weights - (weights * d_weights).sum(-1, keepdims=True))

    def of_group(x):  # (B, H, S, D) summed over the heads that share a key head
        return x.reshape(x.shape[0], -1, group, *x.shape[2:]).sum(2)

    found = weights @ v, d_scores @ k / np.sqrt(width), of_group(d_scores.swapaxes(2, 3) @ q)
    return [x.transpose(0, 2, 1, 3) for x in (*found, of_group(weights.swapaxes(2, 3) @ out))]


def step(inputs, upstream, masks, **options):
    """Output and gradients of the blocks."""
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(inputs)
        output = dot_product_attention(*inputs, implementation="blocks", **masks, **options)
    return output, *tape.gradient(output, inputs, output_gradients=upstream)


@functools.cache
def for_all_lengths(window, causal, masks):
    """`step` in a graph whose lengths are open; `masks` holds the name of each one, and which of its sizes are 1."""
    import tensorflow as tf

    inputs = [tf.TensorSpec((None, None, *sizes)) for sizes in ((4, 6), (2, 6), (2, 5), (4, 5))]
    shapes = {name: tf.TensorSpec([1 if one else None for one in ones], tf.bool) for name, ones in masks}
    options = {"is_causal": causal, "sliding_window": window}
    signature = [inputs[:3], inputs[3], shapes]
    return tf.function(lambda *x: step(*x, **options), autograph=False, input_signature=signature)


@pytest.mark.parametrize("masks", ["", "padding", "mask", "mask of keys", "padding mask"])
@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("sizes", SIZES)
def test_values_and_gradients_equal_the_masked_softmax(normal, sizes, causal, masks):
    import tensorflow as tf

    queries, keys, window = sizes
    query, key, value = normal(2, queries, 4, 6), normal(2, keys, 2, 6, seed=1), normal(2, keys, 2, 5, seed=2)
    upstream = normal(2, queries, 4, 5, seed=3)
    distance = np.arange(queries)[:, None] - np.arange(keys)
    allowed = np.broadcast_to((abs(distance) < window) & ((distance >= 0) | (not causal)), (2, 4, queries, keys))
    given, rng = {}, np.random.default_rng(5)
    if "padding" in masks:
        given["key_mask"] = np.arange(keys) >= np.array([[0], [keys // 2]])
        allowed = allowed & given["key_mask"][:, None, None]
    if "mask" in masks:
        shape = (1, 1, 1, keys) if "of keys" in masks else (2, 4, queries, keys)
        given["mask"] = rng.random(shape) < 0.5
        allowed = allowed & given["mask"]
    expected = by_numpy(query, key, value, allowed, upstream)
    inputs = [tf.constant(x) for x in (query, key, value)]
    ones = {name: (False, False) if name == "key_mask" else (*["of keys" in masks] * 3, False) for name in given}
    results = [for_all_lengths(window, causal, tuple(ones.items()))(inputs, upstream, given)]
    if not masks:
        fixed = tf.function(lambda *x: step(x, upstream, {}, is_causal=causal, sliding_window=window), autograph=False)
        results.append(fixed(*inputs))
    for found in results:
        for name, a, e in zip(("output", "query", "key", "value"), found, expected, strict=True):
            np.testing.assert_allclose(a, e, atol=2e-5, rtol=2e-5, err_msg=name)


def test_dropout_drops_only_inside_the_window_and_reaches_the_gradient(normal):
    import tensorflow as tf

    query, key = normal(1, 300, 2, 4), normal(1, 300, 2, 4, seed=1)
    identity = tf.broadcast_to(tf.eye(300)[None, :, None], (1, 300, 2, 300))
    options = {"sliding_window": 40, "is_causal": True, "implementation": "blocks"}
    whole = dot_product_attention(query, key, identity, **options).numpy()  # (1, T, H, S): the weights
    kept = dot_product_attention(query, key, identity, dropout_rate=0.25, seed=3, **options).numpy()
    np.testing.assert_allclose(kept[kept > 0], whole[kept > 0] / 0.75, rtol=1e-5)
    assert abs((kept[whole > 0] == 0).mean() - 0.25) < 0.02
    value = tf.constant(normal(1, 300, 2, 4, seed=2))
    with tf.GradientTape() as tape:
        tape.watch(value)
        output = dot_product_attention(query, key, value, dropout_rate=0.25, seed=3, **options)
    np.testing.assert_allclose(output, np.einsum("bths,bshv->bthv", kept, value), atol=1e-5)
    found = tape.gradient(output, value)
    np.testing.assert_allclose(
        found, np.broadcast_to(kept.sum(1).transpose(0, 2, 1)[..., None], found.shape), rtol=1e-4
    )


@pytest.mark.parametrize("batch, queries, keys", [(0, 5, 7), (2, 0, 7), (2, 5, 0)])
def test_nothing_to_compute_gives_nothing_and_no_error(batch, queries, keys):
    import tensorflow as tf

    query, key = tf.zeros((batch, queries, 2, 4)), tf.zeros((batch, keys, 2, 4))
    with tf.GradientTape() as tape:
        tape.watch([query, key])
        output = dot_product_attention(query, key, key, sliding_window=3, implementation="blocks")
    assert output.shape == query.shape and not np.any(output)
    for gradient, x in zip(tape.gradient(output, [query, key]), (query, key)):
        assert gradient.shape == x.shape and not np.any(gradient)


def test_no_tensor_of_all_scores_is_made(normal):
    import tensorflow as tf

    layer = MultiHeadAttention(2, 4, sliding_window=16, implementation="blocks")
    sequence = tf.constant(normal(1, 700, 8))
    layer(sequence, sequence)

    @tf.function(autograph=False)
    def step(sequence):
        with tf.GradientTape() as tape:
            tape.watch(sequence)
            output = layer(sequence, sequence, use_causal_mask=True)
        return tape.gradient(output, sequence)

    graph = step.get_concrete_function(sequence).graph
    outputs = [tensor for operation in graph.get_operations() for tensor in operation.outputs]
    assert not [x for x in outputs if x.shape.rank is not None and list(x.shape[-2:]) == [700, 700]]
