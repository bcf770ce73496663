"""Two-stream attention: every score equals a loop over pairs, written from the paper; who sees whom; a memory."""

import numpy as np
import pytest
from arrays import floats
from keras import ops

from attention_zoo.layers import TransformerXLAttention, TwoStreamAttention

B, H, d, D, T, P = 2, 2, 3, 6, 4, 3
TARGETS = np.array([[2, 0, 3], [1, 3, 3]])
SEGMENTS = np.array([[0, 0, 1, 1], [1, 0, 0, 2]])


def array(tensor):
    return ops.convert_to_numpy(tensor)


def random_layer(value_length=T, **options):
    layer = TwoStreamAttention(H, d, **options)
    layer.build((B, T, D), (B, value_length, D))
    layer.set_weights([floats(*weight.shape, seed=n) for n, weight in enumerate(layer.get_weights())])
    return layer


def expected_weights(layer, query, value, places, segments=None, allowed=None):
    """Loops over rows, heads, queries and keys.

    Args:
        query: (B, N, D), queries of either stream.
        value: (B, S, D).
        places: (B, N), positions of the queries in `value`.
        segments: (B, S), or None.
        allowed: Bool (B, N, S), or None.
    """
    names = ("content_bias", "position_bias", "segment_bias", "segment_embedding")
    r_w, r_r, r_s, vectors = (array(getattr(layer, name)) for name in names)
    queries = np.einsum("bnD,Dhd->bnhd", query, array(layer.query_dense.kernel))
    keys = np.einsum("bsD,Dhd->bshd", value, array(layer.key_dense.kernel))
    scores = np.full((B, H, query.shape[1], value.shape[1]), -np.inf)
    for b, h, i, j in np.ndindex(scores.shape):
        if allowed is not None and not allowed[b, i, j]:
            continue
        distance = places[b, i] - j
        if layer.clamp_length is not None:
            distance = np.clip(distance, -layer.clamp_length, layer.clamp_length)
        angles = distance * 10000.0 ** (-2 * np.arange(D // 2) / D)
        position = np.concatenate([np.sin(angles), np.cos(angles)]) @ array(layer.position_dense.kernel)[:, h]
        scores[b, h, i, j] = (queries[b, i, h] + r_w[h]) @ keys[b, j, h] + (queries[b, i, h] + r_r[h]) @ position
        if segments is not None:
            other = int(segments[b, places[b, i]] != segments[b, j])
            scores[b, h, i, j] += (queries[b, i, h] + r_s[h]) @ vectors[other, h]
    scores = scores / np.sqrt(d)
    with np.errstate(invalid="ignore"):
        exponentials = np.exp(scores - scores.max(-1, keepdims=True))
        return np.nan_to_num(exponentials / exponentials.sum(-1, keepdims=True))


def output_of(layer, weights, value):
    values = np.einsum("bsD,Dhd->bshd", value, array(layer.value_dense.kernel))
    return np.einsum("bhns,bshd,hdD->bnD", weights, values, array(layer.output_dense.kernel))


@pytest.mark.parametrize("segments", [None, SEGMENTS], ids=["plain", "segments"])
@pytest.mark.parametrize("past, clamp_length", [(0, None), (3, None), (3, 2)])
def test_both_streams_equal_loops_over_pairs(past, clamp_length, segments):
    layer = random_layer(T + past, clamp_length=clamp_length)
    value, stream = floats(B, T + past, D, seed=8), floats(B, P, D, seed=9)
    query = value[:, past:]
    permutation = floats(B, T, T, seed=10) > 0
    mask = np.concatenate([np.ones((B, T, past), bool), permutation | np.eye(T, dtype=bool)], axis=-1)
    outputs, scores = layer(
        query,
        value,
        query_stream=stream,
        targets=TARGETS,
        segments=segments,
        attention_mask=mask,
        return_attention_scores=True,
    )
    all_segments = None if segments is None else np.pad(segments, [[0, 0], [past, 0]])
    places = np.tile(np.arange(past, past + T), (B, 1))
    content = expected_weights(layer, query, value, places, all_segments, mask)
    rows = np.take_along_axis(mask, TARGETS[..., None], axis=1) & (np.arange(T + past) != TARGETS[..., None] + past)
    predicted = expected_weights(layer, stream, value, TARGETS + past, all_segments, rows)
    for received, weights in zip(scores, (content, predicted), strict=True):
        np.testing.assert_allclose(array(received), weights, atol=1e-5)
    for received, weights in zip(outputs, (content, predicted), strict=True):
        np.testing.assert_allclose(array(received), output_of(layer, weights, value), atol=5e-5)


def test_without_segments_and_targets_it_is_the_attention_of_transformer_xl():
    layer, inputs = random_layer(), floats(B, T, D)
    plain = TransformerXLAttention(H, d)
    plain(inputs)
    for name in ("query_dense", "key_dense", "value_dense", "output_dense", "position_dense"):
        getattr(plain, name).kernel.assign(getattr(layer, name).kernel)
    plain.content_bias.assign(layer.content_bias)
    plain.position_bias.assign(layer.position_bias)
    np.testing.assert_array_equal(array(layer(inputs)), array(plain(inputs)))


@pytest.mark.parametrize("mask", [None, np.ones((1, T, T), bool), np.ones((T, T), bool), np.ones((B, H, T, T), bool)])
def test_a_target_never_sees_its_own_content(mask):
    layer, stream = random_layer(), floats(B, P, D, seed=9)
    content = floats(B, T, D)
    masks = {} if mask is None else {"attention_mask": mask}
    before = layer(content, query_stream=stream, targets=TARGETS, **masks)[1]
    for b, p in np.ndindex(TARGETS.shape):
        changed = content.copy()
        changed[b, TARGETS[b, p]] += 7.0
        after = layer(changed, query_stream=stream, targets=TARGETS, **masks)[1]
        np.testing.assert_allclose(array(after[b, p]), array(before[b, p]), atol=1e-5)
        changed[b, (TARGETS[b, p] + 1) % T] += 7.0
        after = layer(changed, query_stream=stream, targets=TARGETS, **masks)[1]
        assert np.abs(array(after[b, p]) - array(before[b, p])).max() > 1e-3


def test_a_causal_mask_shows_a_target_only_what_stands_before_it():
    layer = random_layer()
    _, (content, predicted) = layer(
        floats(B, T, D),
        query_stream=floats(B, P, D, seed=9),
        targets=TARGETS,
        use_causal_mask=True,
        return_attention_scores=True,
    )
    np.testing.assert_array_equal(array(content)[0, 0] > 0, np.tri(T, dtype=bool))
    np.testing.assert_array_equal(array(predicted)[:, 0] > 0, np.arange(T) < TARGETS[..., None])


def test_padding_is_hidden_from_both_streams_and_a_target_alone_gets_zeros():
    layer, inputs = random_layer(), floats(B, T, D)
    mask = np.array([[True, True, True, False], [False, True, False, False]])
    (_, stream), (content, predicted) = layer(
        inputs,
        query_stream=floats(B, P, D, seed=9),
        targets=TARGETS,
        query_mask=mask,
        return_attention_scores=True,
    )
    assert not array(content)[0, ..., 3].any() and not array(predicted)[0, ..., 3].any()
    assert not array(stream)[1, 0].any()  # the only token of this row is what it would predict
    assert not array(stream)[0, 2].any()  # at padding


@pytest.mark.parametrize("given, missing", [("query_stream", "targets"), ("targets", "query_stream")])
def test_a_query_stream_needs_targets(given, missing):
    arguments = {"query_stream": floats(B, P, D), "targets": TARGETS}
    with pytest.raises(ValueError, match=f"must be given together. Received: {missing}=None"):
        random_layer()(floats(B, T, D), **{given: arguments[given]})
