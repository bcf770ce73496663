"""Images are resized as Pillow does it, up to rounding, whatever their proportions."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from attention_zoo.pipelines.engine.images.resampling import KERNELS, resample


@pytest.mark.parametrize("number", KERNELS)
@pytest.mark.parametrize("shape", [(331, 517), (40, 50), (300, 30), (30, 300), (1, 1)])
def test_values_are_those_of_pillow_up_to_rounding(shape, number):
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3)).astype("uint8")
    for size, crop in (((64, 64), (64, 64)), ((70, 91), (33, 50)), (shape, shape)):
        # One axis at a time, since the order of Pillow's own passes depends on its release.
        columns_first = crop[1] > shape[1] and crop[0] < shape[0]
        between = (size[0], shape[1]) if columns_first else (shape[0], size[1])
        image = Image.fromarray(pixels)
        for height, width in (between, size):
            image = image.resize((width, height), number)
        first = [(side - kept) // 2 for side, kept in zip(size, crop)]
        expected = np.array(image, "int32")[first[0] : first[0] + crop[0], first[1] : first[1] + crop[1]]
        difference = np.abs(resample(tf.constant(pixels), size, crop, KERNELS[number]).numpy() - expected)
        assert difference.max() <= 1


@pytest.mark.parametrize("shape", [(1, 2**24 + 1), (2**24 + 1, 1)])
def test_very_long_images_are_reduced_without_an_error(shape):
    image = tf.fill((*shape, 3), tf.constant(77, tf.uint8))
    for size in ((20, 20), (2**30, 20), (20, 2**30)):
        assert (resample(image, size, (16, 16), "keyscubic").numpy() == 77).all()
