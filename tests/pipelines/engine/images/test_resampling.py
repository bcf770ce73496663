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
        expected = np.array(Image.fromarray(pixels).resize(size[::-1], number), "int32")
        first = [(side - kept) // 2 for side, kept in zip(size, crop)]
        expected = expected[first[0] : first[0] + crop[0], first[1] : first[1] + crop[1]]
        difference = np.abs(resample(tf.constant(pixels), size, crop, KERNELS[number]).numpy() - expected)
        in_order = crop[1] <= shape[1] or crop[0] >= shape[0]
        assert difference.max() <= (1 if in_order else 2)


@pytest.mark.parametrize("shape", [(1, 2**24 + 1), (2**24 + 1, 1)])
def test_very_long_images_are_reduced_without_an_error(shape):
    image = tf.fill((*shape, 3), tf.constant(77, tf.uint8))
    for size in ((20, 20), (2**30, 20), (20, 2**30)):
        assert (resample(image, size, (16, 16), "keyscubic").numpy() == 77).all()
