"""The random changes of training images that the settings ask for."""

import keras

from attention_zoo.pipelines.engine.images.augmentation import augment, either


def augmentation(settings):
    """Returns a function that changes a batch at random.

    Args:
        settings: `AugmentationSettings`.

    Returns:
        A function of a dict ("images", floats `(B, H, W, C)` from 0 to 255, and "labels", floats `(B, K)`) and a seed,
        integers `(2,)`, to such a dict.

    Example:

    >>> import tensorflow as tf
    >>> from attention_zoo.pipelines.image_classification.settings import AugmentationSettings
    >>> change = augmentation(AugmentationSettings(flip=True, mixup=0.2))
    >>> batch = {"images": tf.zeros((2, 8, 8, 3)), "labels": tf.eye(2)}
    >>> change(batch, tf.constant([1, 2]))["images"].shape
    TensorShape([2, 8, 8, 3])
    """
    precise = {"dtype": "float32"}  # whatever the model's policy: bfloat16 is too coarse for the places of pixels
    black = {"fill_mode": "constant", **precise}
    layers, mixers = [], []
    if settings.flip:
        layers.append(keras.layers.RandomFlip("horizontal", **precise))
    if settings.translation:
        layers.append(keras.layers.RandomTranslation(settings.translation, settings.translation, **black))
    if settings.rotation:
        layers.append(keras.layers.RandomRotation(settings.rotation / 360.0, **black))
    if settings.zoom:
        layers.append(keras.layers.RandomZoom(settings.zoom, **black))
    if settings.rand_augment:
        layers.append(keras.layers.RandAugment(value_range=(0, 255), factor=settings.rand_augment, **precise))
    if settings.mixup:
        mixers.append(keras.layers.MixUp(settings.mixup, **precise))
    if settings.cutmix:
        mixers.append(keras.layers.CutMix(settings.cutmix, **precise))

    def change(batch, seed):
        batch = augment(layers, batch, seed) if layers else batch
        if len(mixers) == 2:
            return either(mixers[:1], mixers[1:], batch, seed + [1, 0])
        return augment(mixers, batch, seed + [1, 0]) if mixers else batch

    return change
