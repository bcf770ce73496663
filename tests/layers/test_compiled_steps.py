"""Steps of decoders, compiled: shapes must stay integers where they are known. Runs on every backend that compiles."""

import keras
import numpy as np
import pytest
from keras import ops

from attention_zoo import layers

BACKEND = keras.backend.backend()
pytestmark = pytest.mark.skipif(BACKEND == "torch", reason="nothing is compiled on this backend")


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def compiled(step):
    if BACKEND == "jax":
        import jax

        return jax.jit(step)
    import tensorflow as tf

    return tf.function(step, jit_compile=True)


def run(step, tokens, state):
    """The outputs (B, T, ·) of a compiled step, token after token, and how often it was traced."""
    traced, outputs = [], []

    def counted(token, state):
        traced.append(1)
        return step(token, state)

    counted = compiled(counted)
    for place in range(tokens.shape[1]):
        output, state = counted(ops.convert_to_tensor(tokens[:, place : place + 1]), state)
        outputs.append(ops.convert_to_numpy(output)[:, 0])
    return np.stack(outputs, axis=1), len(traced)


def test_self_attention_with_a_cache_of_fixed_size_compiles_once():
    tokens = normal(2, 5, 8)
    layer = layers.MultiHeadSelfAttention(num_heads=2, key_dim=4)
    whole = ops.convert_to_numpy(layer(tokens, use_causal_mask=True))
    found, traces = run(
        lambda token, cache: layer(token, cache=cache, use_causal_mask=True), tokens, layer.empty_cache(2, max_length=5)
    )
    np.testing.assert_allclose(found, whole, atol=1e-5)
    assert traces == 1


def test_a_decoder_block_with_a_cache_of_fixed_size_compiles_once():
    tokens, source = normal(2, 5, 8), normal(2, 4, 8, seed=1)
    block = layers.TransformerDecoderBlock(2, 16)
    whole = ops.convert_to_numpy(block(tokens, source))
    cache = {"self": block.empty_cache(2, max_length=5), "cross": block.project_memory(source)}
    found, traces = run(lambda token, cache: block(token, None, cache=cache), tokens, cache)
    np.testing.assert_allclose(found, whole, atol=1e-5)
    assert traces == 1


@pytest.mark.parametrize("order", ["attend_then_step", "step_then_attend"])
def test_a_recurrent_step_compiles_once(order):
    tokens, source = normal(2, 5, 3), normal(2, 4, 6, seed=1)
    decoder = layers.AttentiveDecoder(keras.layers.GRUCell(7), layers.BahdanauAttention(4), order=order)
    whole = ops.convert_to_numpy(decoder(tokens, source)[0])
    memory = decoder.project_memory(source)

    def step(token, state):
        (output, _), state, _ = decoder.step(token[:, 0], state, memory)
        return output[:, None], state

    found, traces = run(step, tokens, decoder.start(memory))
    np.testing.assert_allclose(found, whole, atol=1e-5)
    assert traces == 1


def test_a_location_score_of_fewer_positions_than_keys_compiles():
    attention = layers.LuongAttention("location", max_length=3)
    query, value = normal(2, 4, 6), normal(2, 5, 6, seed=1)
    expected = ops.convert_to_numpy(attention(query, value))
    found = compiled(lambda query, value: attention(query, value))(
        ops.convert_to_tensor(query), ops.convert_to_tensor(value)
    )
    np.testing.assert_allclose(ops.convert_to_numpy(found), expected, atol=1e-5)
