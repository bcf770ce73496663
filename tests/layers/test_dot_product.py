import keras
import numpy as np
import pytest
from keras import ops

from attention_zoo.layers.dot_product import attention_mass, attention_scores, dot_product_attention

B, T, S, H, K, D, V = 2, 5, 7, 4, 2, 3, 6


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


QUERY, KEY, VALUE = normal(B, T, H, D), normal(B, S, K, D, seed=1), normal(B, S, K, V, seed=2)
OPTIONS = {
    "nothing": {},
    "padding": {"key_mask": np.arange(S) < np.array([[7], [3]])},
    "causal": {"is_causal": True},
    "mask": {"mask": np.random.default_rng(3).random((1, H, T, S)) < 0.5},
    "bias": {"bias": normal(B, 1, T, S, seed=4)},
    "scale": {"scale": 0.3},
}
OPTIONS["nothing to see"] = {"mask": np.arange(T)[None, None, :, None] + np.zeros((B, 1, 1, S)) != 2}
OPTIONS["all"] = {name: value for options in OPTIONS.values() for name, value in options.items()}


def array(tensor):
    return ops.convert_to_numpy(tensor)


def definition(key_mask=None, mask=None, bias=None, is_causal=False, scale=D**-0.5):
    """Outputs (B, T, H, V) and weights (B, H, T, S), query by query."""
    outputs, weights = np.zeros((B, T, H, V)), np.zeros((B, H, T, S))
    for b, t, h in np.ndindex(B, T, H):
        k = h // (H // K)
        scores = np.array([scale * QUERY[b, t, h] @ KEY[b, s, k] for s in range(S)])
        if bias is not None:
            scores = scores + bias[b, 0, t]
        seen = np.ones(S, bool) if mask is None else np.broadcast_to(mask, (B, H, T, S))[b, h, t].copy()
        if key_mask is not None:
            seen &= key_mask[b]
        if is_causal:
            seen &= np.arange(S) <= t
        if seen.any():
            exponents = np.exp(scores - scores.max()) * seen
            weights[b, h, t] = exponents / exponents.sum()
            outputs[b, t, h] = weights[b, h, t] @ VALUE[b, :, k]
    return outputs, weights


@pytest.mark.parametrize("implementation", ["plain", "auto", "blocks"])
@pytest.mark.parametrize("options", OPTIONS)
def test_equals_the_definition_query_by_query(options, implementation):
    if implementation == "blocks" and keras.backend.backend() != "tensorflow":
        pytest.skip("the blocks are TensorFlow's")
    found = dot_product_attention(QUERY, KEY, VALUE, implementation=implementation, **OPTIONS[options])
    np.testing.assert_allclose(array(found), definition(**OPTIONS[options])[0], atol=1e-5)


@pytest.mark.parametrize("options", OPTIONS)
def test_scores_of_some_queries_and_the_mass_of_keys(options):
    weights = definition(**OPTIONS[options])[1]
    found = attention_scores(QUERY, KEY, [4, 0, 2], **OPTIONS[options])
    np.testing.assert_allclose(array(found), weights[:, :, [4, 0, 2]], atol=1e-5)
    mass = attention_mass(QUERY, KEY, **OPTIONS[options])
    np.testing.assert_allclose(array(mass), weights.sum(2), atol=1e-5)


def test_the_mass_counts_every_query_of_several_blocks_once():
    query, key = normal(1, 600, 1, D), normal(1, S, 1, D)
    mass = array(attention_mass(query, key))
    np.testing.assert_allclose(mass.sum(), 600, rtol=1e-5)
    np.testing.assert_allclose(mass, array(attention_scores(query, key, np.arange(600))).sum(2), rtol=1e-4)


@pytest.mark.parametrize("implementation", ["plain", "auto", "blocks"])
@pytest.mark.parametrize("window", [1, 2, 3, 9])
@pytest.mark.parametrize("options", ["nothing", "padding", "causal", "mask", "all"])
def test_a_sliding_window_equals_the_mask_of_its_band(options, window, implementation):
    if implementation == "blocks" and keras.backend.backend() != "tensorflow":
        pytest.skip("the blocks are TensorFlow's")
    band = np.abs(np.arange(T)[:, None] - np.arange(S)) < window
    masked = OPTIONS[options] | {"mask": OPTIONS[options].get("mask", np.ones((1, 1, T, S), bool)) & band}
    options = OPTIONS[options] | {"implementation": implementation, "sliding_window": window}
    found = dot_product_attention(QUERY, KEY, VALUE, **options)
    np.testing.assert_allclose(array(found), definition(**masked)[0], atol=1e-5)


def test_errors_name_what_was_expected():
    with pytest.raises(ValueError, match="`sliding_window` must be a positive integer or None. Received: "):
        dot_product_attention(QUERY, KEY, VALUE, sliding_window=True)
    with pytest.raises(ValueError, match="`implementation` must be one of"):
        dot_product_attention(QUERY, KEY, VALUE, implementation="fast")
    with pytest.raises(ValueError, match="multiple of those of `key`. Received: 3, 2"):
        dot_product_attention(QUERY[:, :, :3], KEY, VALUE)
