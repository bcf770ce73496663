import math

import keras
import numpy as np
import pytest
from arrays import array
from keras import ops

from attention_zoo.layers.positions import PositionalEmbedding, SinusoidalEncoding, sinusoids


def paper_sinusoids(length, dim, offset=0, wavelength=10000.0):
    """Section 3.5, number by number."""
    table = np.zeros((length, dim))
    for t in range(length):
        for column in range(dim):
            angle = (t + offset) / wavelength ** (2 * (column // 2) / dim)
            table[t, column] = math.sin(angle) if column % 2 == 0 else math.cos(angle)
    return table


@pytest.mark.parametrize("dim", [1, 6, 7, 512])
@pytest.mark.parametrize("offset", [0, 5])
def test_sinusoids_are_the_papers_and_interleaved(dim, offset):
    expected = paper_sinusoids(50, dim, offset)
    np.testing.assert_allclose(array(sinusoids(50, dim, offset)), expected, atol=1e-5)
    halves = np.concatenate([expected[:, ::2], expected[:, 1::2]], axis=1)  # Marian's
    np.testing.assert_allclose(array(sinusoids(50, dim, offset, interleaved=False)), halves, atol=1e-5)


def test_the_first_row_alternates_zero_and_one():
    np.testing.assert_array_equal(array(sinusoids(1, 5))[0], [0, 1, 0, 1, 0])


@pytest.mark.parametrize("shape", [(2, 9, 6), (3, 2, 9, 7)])
def test_the_encoding_is_added_to_every_sequence(shape):
    inputs = np.random.default_rng(0).normal(size=shape).astype("float32")
    output = SinusoidalEncoding(max_wavelength=100.0)(inputs, offset=3)
    np.testing.assert_allclose(
        array(output) - inputs, np.broadcast_to(paper_sinusoids(9, shape[-1], 3, 100.0), shape), atol=1e-5
    )


def test_positions_stay_apart_in_half_precision():
    layer = SinusoidalEncoding(dtype="mixed_bfloat16")
    output = layer(np.zeros((1, 400, 4), "float32"))
    assert keras.backend.standardize_dtype(output.dtype) == "bfloat16"
    np.testing.assert_allclose(array(output)[0], paper_sinusoids(400, 4), atol=5e-3)


def test_an_offset_may_be_a_tensor():
    embedding = PositionalEmbedding(10, 4)
    ids = np.array([[3, 4, 5, 6]])
    whole = array(embedding(ids))
    for t in range(4):
        step = embedding(ids[:, t : t + 1], offset=ops.convert_to_tensor(t))
        np.testing.assert_allclose(array(step)[:, 0], whole[:, t], atol=1e-6)


@pytest.mark.parametrize("scale", [True, False])
@pytest.mark.parametrize("positions", ["sinusoidal", "learned"])
def test_the_embedding_is_the_scaled_row_and_the_position(scale, positions):
    embedding = PositionalEmbedding(10, 4, max_length=8, positions=positions, scale=scale)
    ids = np.array([[3, 4, 0], [9, 9, 1]])
    output = array(embedding(ids, offset=2))
    table, *learned = embedding.get_weights()
    position = learned[0][2:5] if learned else paper_sinusoids(3, 4, 2)
    assert len(learned) == (positions == "learned")
    np.testing.assert_allclose(output, table[ids] * (2.0 if scale else 1.0) + position, atol=1e-6)


def test_scaled_embeddings_have_unit_variance_at_first():
    embedding = PositionalEmbedding(2000, 64)
    embedding.build((None, None))
    assert 0.95 < np.std(embedding.get_weights()[0] * 8.0) < 1.05


def test_logits_are_products_with_the_embeddings_in_float32():
    embedding = PositionalEmbedding(10, 4, dtype="mixed_float16")
    embedding(np.array([[1]]))
    features = np.random.default_rng(0).normal(size=(2, 3, 4)).astype("float32")
    logits = embedding.logits(features)
    assert keras.backend.standardize_dtype(logits.dtype) == "float32"
    np.testing.assert_allclose(array(logits), features @ embedding.get_weights()[0].T, atol=1e-2)


def test_zero_is_padding_only_if_asked():
    ids = np.array([[3, 0]])
    mask = PositionalEmbedding(10, 4)(ids)._keras_mask
    np.testing.assert_array_equal(ops.convert_to_numpy(mask), [[True, False]])
    assert getattr(PositionalEmbedding(10, 4, mask_zero=False)(ids), "_keras_mask", None) is None


def test_dropout_acts_on_the_sum_in_training_alone():
    embedding = PositionalEmbedding(10, 64, dropout=0.5)
    ids = np.array([[3, 4, 5]])
    plain, dropped = array(embedding(ids)), array(embedding(ids, training=True))
    zeros = dropped == 0
    assert 0.3 < zeros.mean() < 0.7
    np.testing.assert_allclose(dropped[~zeros], 2 * plain[~zeros], rtol=1e-5)


def test_a_position_beyond_the_learned_ones_is_an_error():
    embedding = PositionalEmbedding(10, 4, max_length=3, positions="learned")
    embedding(np.array([[1, 2, 3]]))
    with pytest.raises(ValueError, match="max_length=3.*4 tokens from offset=0"):
        embedding(np.array([[1, 2, 3, 4]]))
    with pytest.raises(ValueError, match="2 tokens from offset=2"):
        embedding(np.array([[1, 2]]), offset=2)


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="positions='rotary'"):
        PositionalEmbedding(10, 4, positions="rotary")
    with pytest.raises(ValueError, match="max_length=None"):
        PositionalEmbedding(10, 4, positions="learned")


@pytest.mark.parametrize("positions", ["sinusoidal", "learned"])
def test_saved_in_a_functional_model_it_answers_as_before(positions, tmp_path):
    ids = keras.Input((None,), dtype="int32")
    layer = PositionalEmbedding(10, 5, max_length=8, positions=positions, scale=False, mask_zero=False, dropout=0.1)
    features = SinusoidalEncoding(max_wavelength=50.0)(layer(ids))
    assert features.shape == (None, None, 5)
    model = keras.Model(ids, features)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    inputs = np.array([[1, 2, 3]], "int32")
    np.testing.assert_array_equal(array(model(inputs)), array(loaded(inputs)))
    assert loaded.layers[1].get_config() == layer.get_config()
    assert loaded.layers[2].max_wavelength == 50.0
