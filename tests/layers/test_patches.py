"""Patches, positions and stochastic depth, by hand and against PyTorch."""

import keras
import numpy as np
import pytest
from keras import ops

from attention_zoo.layers import PatchEmbedding, StochasticDepth, TransformerEncoderBlock


def numpy(tensor):
    return ops.convert_to_numpy(tensor)


def embedding(images_shape, **options):
    layer = PatchEmbedding(**options)
    layer.build(images_shape)
    return layer


def test_patches_are_cut_row_by_row_and_projected():
    images = np.arange(2 * 4 * 6 * 1, dtype="float32").reshape(2, 4, 6, 1)
    layer = embedding(images.shape, patch_size=(2, 3), dim=6, image_size=(4, 6), class_token=False)
    layer.projection.kernel.assign(np.eye(6))  # shows the pixels as they are
    layer.positions.assign(np.zeros((4, 6)))
    expected = [[0, 1, 2, 6, 7, 8], [3, 4, 5, 9, 10, 11], [12, 13, 14, 18, 19, 20], [15, 16, 17, 21, 22, 23]]
    np.testing.assert_allclose(numpy(layer(images))[0], expected)
    np.testing.assert_allclose(numpy(layer(images))[1], np.array(expected) + 24)


def test_the_class_token_comes_first_is_zeros_at_first_and_has_a_position():
    layer = embedding((1, 4, 4, 3), patch_size=2, dim=5, image_size=4)
    assert layer.positions.shape == (5, 5) and not numpy(layer.class_embedding).any()
    out = numpy(layer(np.zeros((3, 4, 4, 3), "float32")))
    np.testing.assert_allclose(out, np.broadcast_to(numpy(layer.positions), (3, 5, 5)))
    layer.class_embedding.assign(np.full((1, 1, 5), 7.0))
    np.testing.assert_allclose(
        numpy(layer(np.zeros((1, 4, 4, 3), "float32")))[0] - out[0], [[7.0] * 5] + [[0.0] * 5] * 4
    )


def test_the_distillation_token_comes_second_and_keeps_its_position():
    layer = embedding((1, 4, 4, 3), patch_size=2, dim=1, image_size=4, distillation_token=True)
    layer.positions.assign([[10.0], [20.0], [1.0], [1.0], [1.0], [1.0]])
    layer.class_embedding.assign([[[0.25]]])
    layer.distillation_embedding.assign([[[0.5]]])
    assert numpy(layer(np.zeros((1, 4, 4, 3), "float32")))[0, :, 0].tolist() == [10.25, 20.5, 1.0, 1.0, 1.0, 1.0]
    wider = np.zeros((1, 4, 6, 3), "float32")
    assert numpy(layer(wider))[0, :, 0].tolist() == [10.25, 20.5] + [1.0] * 6
    assert layer.compute_output_shape(wider.shape) == (1, 8, 1)
    again = PatchEmbedding.from_config(layer.get_config())
    assert again.distillation_token and again.num_tokens == 2


def test_positions_are_drawn_with_the_papers_deviation():
    layer = embedding((1, 64, 64, 3), patch_size=2, dim=64, image_size=64)
    assert numpy(layer.positions).std() == pytest.approx(0.02, rel=0.02)


def test_positions_are_interpolated_between_cell_centres_and_the_class_slot_is_kept():
    layer = embedding((1, 2, 4, 1), patch_size=2, dim=1, image_size=(2, 4))  # one row of two patches
    layer.positions.assign([[9.0], [0.0], [4.0]])
    # Four cells over the length of two: centres at -1/4, 1/4, 3/4, 5/4 of an old cell; the ends keep the outer values.
    row = [0.0, 1.0, 3.0, 4.0]
    np.testing.assert_allclose(numpy(layer.positions_for((1, 4)))[:, 0], [9.0, *row], atol=1e-6)
    np.testing.assert_allclose(numpy(layer.positions_for((2, 4)))[:, 0], [9.0, *row, *row], atol=1e-6)
    np.testing.assert_allclose(numpy(layer.positions_for((1, 1)))[:, 0], [9.0, 2.0], atol=1e-6)


def test_interpolated_positions_still_learn():
    model = keras.Sequential([keras.Input((8, 4, 1)), PatchEmbedding(2, 3, 4)])
    before = numpy(model.layers[0].positions).copy()
    model.compile(keras.optimizers.SGD(1.0), "mse", jit_compile=False)
    model.train_on_batch(np.zeros((1, 8, 4, 1)), np.ones((1, 9, 3)))
    assert (np.abs(numpy(model.layers[0].positions) - before) > 0).all()


@pytest.mark.parametrize(
    "options, message",
    [
        ({"patch_size": 0, "image_size": 4}, "`patch_size` must be a positive integer. Received: patch_size=0"),
        ({"patch_size": 2, "image_size": (4, 4, 4)}, "`image_size` must be a positive integer or two"),
        (
            {"patch_size": 3, "image_size": 4},
            r"`image_size` must have .* multiples of patch_size=\(3, 3\). Received: \(4, 4\)",
        ),
    ],
)
def test_sizes_that_do_not_fit_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        PatchEmbedding(dim=4, **options)


@pytest.mark.parametrize("size", [(5, 4), (None, 4)])
def test_images_that_do_not_fit_are_refused(size):
    with pytest.raises(ValueError, match="`images` must have a known height and width"):
        PatchEmbedding(2, 4, 4)(keras.KerasTensor((2, *size, 3)))


def test_stochastic_depth_drops_whole_examples_and_keeps_the_mean():
    inputs = np.random.default_rng(0).normal(size=(4000, 2, 3)).astype("float32")
    layer = StochasticDepth(0.25, seed=3)
    ratio = numpy(layer(inputs, training=True)) / inputs
    first = ratio[:, :1, :1]
    np.testing.assert_allclose(ratio, np.broadcast_to(first, ratio.shape), rtol=1e-5)
    np.testing.assert_allclose(np.unique(first.round(4)), [0.0, 1.3333], atol=1e-4)
    assert first.mean() == pytest.approx(1.0, abs=0.03)  # three standard errors
    np.testing.assert_array_equal(numpy(layer(inputs, training=False)), inputs)
    assert not np.array_equal(numpy(layer(inputs, training=True)) == 0, ratio == 0), "each call draws anew"


@pytest.mark.parametrize("rate", [-0.1, 1.0])
def test_a_rate_that_is_no_probability_is_refused(rate):
    with pytest.raises(ValueError, match="`rate` must be in"):
        StochasticDepth(rate)


def test_a_block_leaves_out_sublayers_by_example():
    keras.utils.set_random_seed(1)
    inputs = np.random.default_rng(0).normal(size=(200, 3, 4)).astype("float32")
    block = TransformerEncoderBlock(2, 8, normalize_first=True, stochastic_depth=0.5)
    changed = np.abs(numpy(block(inputs, training=True)) - inputs).max(axis=(1, 2)) > 1e-6
    assert changed.mean() == pytest.approx(0.75, abs=0.1)  # unchanged where both sublayers were left out
    assert (np.abs(numpy(block(inputs, training=False)) - inputs).max(axis=(1, 2)) > 1e-6).all()


def test_it_equals_pytorchs_convolution_and_interpolation():
    torch = pytest.importorskip("torch", reason="the extra `backends` has PyTorch")
    rng = np.random.default_rng(0)
    images = rng.normal(size=(2, 12, 20, 3)).astype("float32")
    layer = embedding(images.shape, patch_size=4, dim=8, image_size=(16, 24))
    kernel, bias = numpy(layer.projection.kernel).reshape(4, 4, 3, 8), rng.normal(size=8).astype("float32")
    layer.projection.bias.assign(bias)
    with torch.no_grad():
        weight = torch.tensor(kernel.transpose(3, 2, 0, 1).copy())
        cut = torch.nn.functional.conv2d(
            torch.tensor(images.transpose(0, 3, 1, 2).copy()), weight, torch.tensor(bias), stride=4
        )
        learned = torch.tensor(numpy(layer.positions)[1:].reshape(1, 4, 6, 8).transpose(0, 3, 1, 2).copy())
        positions = torch.nn.functional.interpolate(learned, size=(3, 5), mode="bilinear", align_corners=False)
        expected = (cut + positions).flatten(2).transpose(1, 2).numpy()
    np.testing.assert_allclose(numpy(layer(images))[:, 1:], expected, atol=1e-5)
