"""Random changes of images depend on their seed alone, in a pipeline without Python."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from attention_zoo.pipelines.engine.images.augmentation import augment, either

IMAGES = np.random.default_rng(0).uniform(0, 255, (6, 12, 12, 3)).astype("float32")
LABELS = np.eye(6, dtype="float32")
LAYERS = {
    "flip": lambda: keras.layers.RandomFlip("horizontal"),
    "translation": lambda: keras.layers.RandomTranslation(0.3, 0.3, fill_mode="constant"),
    "rotation": lambda: keras.layers.RandomRotation(0.2),
    "zoom": lambda: keras.layers.RandomZoom(0.3),
    "rand_augment": lambda: keras.layers.RandAugment(value_range=(0, 255), factor=0.5),
    "mixup": lambda: keras.layers.MixUp(0.8),
    "cutmix": lambda: keras.layers.CutMix(1.0),
}


def pipeline(layers, count=4, skip=0, parallel=None):
    """`count` batches of the same images, each with its number for a seed."""
    data = tf.data.Dataset.range(count).skip(skip)
    images, labels = tf.constant(IMAGES), tf.constant(LABELS)
    return data.map(
        lambda number: augment(layers, {"images": images, "labels": labels}, tf.stack([7, number])),
        num_parallel_calls=parallel,
    )


def operations(dataset):
    """Names of all operations that a dataset runs."""
    graph = tf.compat.v1.GraphDef.FromString(dataset._as_serialized_graph().numpy())
    return {
        node.op for nodes in (graph.node, *(function.node_def for function in graph.library.function)) for node in nodes
    }


@pytest.mark.parametrize("name", LAYERS)
def test_a_batch_depends_on_its_seed_alone(name):
    layers = [LAYERS[name]()]
    whole = list(pipeline(layers).as_numpy_iterator())
    resumed = list(pipeline([LAYERS[name]()], skip=2, parallel=tf.data.AUTOTUNE).as_numpy_iterator())
    for first, second in zip(whole[2:], resumed, strict=True):
        np.testing.assert_array_equal(first["images"], second["images"])
        np.testing.assert_array_equal(first["labels"], second["labels"])
    assert any(not np.array_equal(whole[0]["images"], later["images"]) for later in whole[1:])
    assert any(not np.array_equal(IMAGES, batch["images"]) for batch in whole)


PYTHON = {"PyFunc", "EagerPyFunc", "PyFuncStateless"}


@pytest.mark.parametrize("name", LAYERS)
def test_there_is_no_python_in_the_pipeline(name):
    assert not PYTHON & operations(pipeline([LAYERS[name]()]))
    called = tf.data.Dataset.range(2).map(lambda number: tf.py_function(lambda n: n, [number], tf.int64))
    assert PYTHON & operations(called), "or this test sees nothing"


@pytest.mark.parametrize("name", ["mixup", "cutmix"])
def test_mixed_labels_say_how_much_of_which_image(name):
    batch = next(iter(pipeline([LAYERS[name]()])))
    labels = batch["labels"].numpy()
    np.testing.assert_allclose(labels.sum(axis=1), 1.0, atol=1e-5)
    assert ((labels > 0.01).sum(axis=1) <= 2).all()
    if name == "mixup":
        np.testing.assert_allclose(batch["images"], np.einsum("bk,khwc->bhwc", labels, IMAGES), atol=1e-2)


def test_of_two_one_is_chosen():
    data = {"images": tf.constant(IMAGES), "labels": tf.constant(LABELS)}
    bright, dark = keras.layers.RandomBrightness((0.9, 0.9)), keras.layers.RandomBrightness((-0.9, -0.9))
    means = [float(tf.reduce_mean(either([bright], [dark], data, tf.constant([1, n]))["images"])) for n in range(40)]
    assert 8 <= sum(mean > 128 for mean in means) <= 32 and all(mean > 200 or mean < 60 for mean in means)
