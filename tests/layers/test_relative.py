"""Relative positions: every score and context equals loops over pairs of positions, written from the papers."""

import keras
import numpy as np
import pytest
from arrays import floats, softmax
from keras import ops

from attention_zoo.layers import RelativeSelfAttention, TransformerXLAttention
from attention_zoo.layers.relative import relative_shift, relative_unshift

B, H, d, D = 2, 2, 3, 6


def dense(inputs, layer, equation):
    return np.einsum(equation, inputs, np.array(layer.kernel)) + (np.array(layer.bias) if layer.use_bias else 0.0)


def with_random_weights(layer, *inputs):
    layer(*inputs)
    layer.set_weights([floats(*weight.shape, seed=n) for n, weight in enumerate(layer.get_weights())])
    return layer


def heads_of(layer, query, value):
    pairs = ((query, layer.query_dense), (value, layer.key_dense), (value, layer.value_dense))
    return [dense(inputs, projection, "btD,Dhd->bthd").swapaxes(1, 2) for inputs, projection in pairs]


@pytest.mark.parametrize("length, total", [(1, 1), (1, 4), (3, 3), (3, 5), (4, 9)])
def test_the_shift_puts_each_distance_under_its_key(length, total):
    scores = floats(B, length, length + total - 1)
    expected = [[[row[i][length - 1 - i + j] for j in range(total)] for i in range(length)] for row in scores]
    shifted = relative_shift(ops.convert_to_tensor(scores), total)
    np.testing.assert_array_equal(ops.convert_to_numpy(shifted), expected)
    back = ops.convert_to_numpy(relative_unshift(shifted))
    np.testing.assert_array_equal(back[back != 0], scores[back != 0])
    assert (back != 0).sum() == B * length * total
    np.testing.assert_array_equal(ops.convert_to_numpy(relative_shift(back, total)), expected)


@pytest.mark.parametrize("length, max_distance", [(1, 2), (5, 2), (4, 9)])
def test_shaws_scores_and_contexts_equal_loops(length, max_distance):
    inputs = floats(B, length, D, seed=7)
    layer = with_random_weights(RelativeSelfAttention(H, d, max_distance=max_distance), inputs)
    output, weights = layer(inputs, return_attention_scores=True)
    queries, keys, values = heads_of(layer, inputs, inputs)
    key_table, value_table = np.array(layer.key_distances), np.array(layer.value_distances)
    scores, contexts = np.zeros((B, H, length, length)), np.zeros((B, length, H, d))
    for b, h, i, j in np.ndindex(scores.shape):
        row = min(max(j - i, -max_distance), max_distance) + max_distance
        scores[b, h, i, j] = queries[b, h, i] @ (keys[b, h, j] + key_table[row]) / np.sqrt(d)  # eq. 4
    expected = softmax(scores)
    for b, h, i, j in np.ndindex(scores.shape):
        row = min(max(j - i, -max_distance), max_distance) + max_distance
        contexts[b, i, h] += expected[b, h, i, j] * (values[b, h, j] + value_table[row])  # eq. 3
    np.testing.assert_allclose(ops.convert_to_numpy(weights), expected, atol=1e-5)
    joined = dense(contexts, layer.output_dense, "bthd,hdD->btD")
    np.testing.assert_allclose(ops.convert_to_numpy(output), joined, atol=2e-5)


@pytest.mark.parametrize("length, total, causal", [(1, 1, False), (4, 4, False), (3, 7, False), (3, 7, True)])
def test_transformer_xl_equals_loops_with_and_without_a_memory(length, total, causal):
    value = floats(B, total, D, seed=8)
    query = value[:, total - length :]
    layer = with_random_weights(TransformerXLAttention(H, d), query, value)
    output, weights = layer(query, value, use_causal_mask=causal, return_attention_scores=True)
    queries, keys, values = heads_of(layer, query, value)
    u, v, kernel = (np.array(w) for w in (layer.content_bias, layer.position_bias, layer.position_dense.kernel))
    scores = np.full((B, H, length, total), -np.inf)
    for b, h, i, j in np.ndindex(scores.shape):
        distance = total - length + i - j
        if causal and distance < 0:
            continue
        angles = distance * 10000.0 ** (-2 * np.arange(D // 2) / D)
        position = np.concatenate([np.sin(angles), np.cos(angles)]) @ kernel[:, h]
        scores[b, h, i, j] = (queries[b, h, i] + u[h]) @ keys[b, h, j] + (queries[b, h, i] + v[h]) @ position
    expected = softmax(scores / np.sqrt(d))
    np.testing.assert_allclose(ops.convert_to_numpy(weights), expected, atol=1e-5)
    joined = dense(np.einsum("bhts,bhsd->bthd", expected, values), layer.output_dense, "bthd,hdD->btD")
    np.testing.assert_allclose(ops.convert_to_numpy(output), joined, atol=2e-5)


@pytest.mark.parametrize(
    "make", [lambda: RelativeSelfAttention(H, d, max_distance=2), lambda: TransformerXLAttention(H, d)]
)
def test_the_order_of_tokens_matters_and_their_place_does_not(make):
    keras.utils.set_random_seed(1)
    inputs = floats(1, 6, D, seed=9)
    layer = with_random_weights(make(), inputs)
    alone = ops.convert_to_numpy(layer(inputs[:, :4]))
    mask = np.array([[False, False, True, True, True, True]])
    moved = ops.convert_to_numpy(layer(np.concatenate([inputs[:, 4:], inputs[:, :4]], axis=1), query_mask=mask))
    np.testing.assert_allclose(moved[:, 2:], alone, atol=1e-5)
    swapped = ops.convert_to_numpy(layer(inputs[:, [1, 0, 2, 3]]))
    assert np.abs(swapped[:, 2] - alone[:, 2]).max() > 1e-3


def test_an_odd_width_is_refused():
    with pytest.raises(ValueError, match="must be even"):
        TransformerXLAttention(H, d)(floats(1, 2, 5))
