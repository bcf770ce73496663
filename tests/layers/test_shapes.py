import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from attention_zoo import layers
from attention_zoo.layers.dot_product import blocks_pay
from attention_zoo.layers.kernels import additive_blocks_pay
from attention_zoo.layers.shapes import at_least, exceeds, leading_axes


def test_one_open_axis_is_left_to_reshape_and_several_are_not():
    assert leading_axes(keras.Input((3, 4))) == (-1, 3)
    sizes = []

    @tf.function(input_signature=[tf.TensorSpec((None, None, 4)), tf.TensorSpec((None, 0, 4))])
    def graph(several, empty):
        sizes.extend([leading_axes(several), leading_axes(empty)])
        return tf.reshape(several, (*leading_axes(several), 2, 2)), tf.reshape(empty, (*leading_axes(empty), 2, 2))

    several, empty = graph(tf.zeros((2, 3, 4)), tf.zeros((5, 0, 4)))
    assert several.shape == (2, 3, 2, 2) and empty.shape == (5, 0, 2, 2)
    assert -1 not in [size for axes in sizes for size in axes if isinstance(size, int)]


def test_lengths_whose_product_wraps_in_int32_still_take_the_blocks():
    assert bool(blocks_pay(tf.constant(50_000), tf.constant(50_000))) and blocks_pay(50_000, 50_000)
    assert blocks_pay(513, 512) and not blocks_pay(512, 512) and not blocks_pay(None, 1024)
    assert blocks_pay(385, 384, is_causal=True) and not blocks_pay(384, 384, is_causal=True)
    assert bool(additive_blocks_pay(tf.constant(2048), tf.constant(2048), 1024)) and additive_blocks_pay(
        2048, 2048, 1024
    )
    assert not exceeds(10, 5, 2) and not bool(exceeds(10, tf.constant(5), 2)) and not exceeds(10, 0, 100)


def test_an_integer_size_stays_one():
    assert at_least(0, 1) == 1 and isinstance(at_least(4, 1), int)
    assert int(at_least(tf.constant(0), 1)) == 1


@pytest.mark.parametrize(
    "make",
    [lambda: layers.BahdanauAttention(4), lambda: layers.LuongAttention(), lambda: layers.MultiHeadAttention(1, 4)],
    ids=["bahdanau", "luong", "multi-head"],
)
def test_a_query_without_an_axis_of_its_own_is_refused(make):
    with pytest.raises(ValueError, match=r"same rank, 3 or more.*\(B, 1, D\).*query=\(2, 4\), value=\(2, 5, 4\)"):
        make()(ops.ones((2, 4)), ops.ones((2, 5, 4)))
    with pytest.raises(ValueError, match="same rank"):
        make()(keras.Input((4,)), keras.Input((5, 4)))


@pytest.mark.parametrize("name", ["HardAttention", "SpatialAttention"])
def test_layers_without_dropout_take_none(name):
    with pytest.raises(TypeError, match="dropout"):
        getattr(layers, name)(4, dropout=0.5)


def test_a_share_of_all_weights_cannot_be_dropped():
    with pytest.raises(ValueError, match="dropout=1.0"):
        layers.MultiHeadAttention(1, 4, dropout=1.0)


def test_an_open_number_of_locations_is_refused():
    with pytest.raises(ValueError, match="number of locations"):
        layers.SpatialAttention(4)(keras.Input((3, 4)), keras.Input((None, 6)))


def test_the_mask_of_a_query_does_not_pass_for_one_of_scores():
    query = keras.layers.Masking()(np.array([[[1.0], [1.0], [0.0]]], "float32"))
    weights = layers.SoftAlignment()(layers.DotScore()(query, ops.ones((1, 3, 1))))
    np.testing.assert_allclose(ops.convert_to_numpy(weights), 1 / 3, rtol=1e-6)
