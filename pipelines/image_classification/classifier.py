"""From image files to classes: pixels as the model sees them, and the answers of the SavedModel.

Shapes: B images, K classes, h x w the grid of patches, H heads.
"""

import tensorflow as tf

from attention_zoo.pipelines.engine.images.image_files import decode_each_image
from attention_zoo.pipelines.engine.serving.answers import empty_where


def in_channels(images, color):
    """Returns uint8 images `(..., 3)` as they are or, without color, as their mean in one channel."""
    if color:
        return images
    return tf.cast(tf.round(tf.reduce_mean(tf.cast(images, tf.float32), axis=-1, keepdims=True)), tf.uint8)


def scaled(images):
    """Returns pixels from 0 to 255 as the model sees them, float32 from -1 to 1."""
    return tf.cast(images, tf.float32) / 127.5 - 1.0


class Classifier:
    """Classifies encoded images with a trained model. An image that cannot be decoded has empty values and an `error`.

    Args:
        model: A `VisionTransformer`.
        labels: Names of the K classes.
        size: (height, width) that images are brought to.
        color: Whether the model sees three channels.
    """

    def __init__(self, model, labels, size, color):
        self.model = model
        self.labels = labels
        self.size = size
        self.color = color

    def classify(self, image_bytes):
        """Returns `label` and `error` `(B,)`, and all `labels` and `probabilities` `(B, K)`, best first."""
        images, error = self.decode(image_bytes)
        return empty_where(error, self.answer(self.model(images, training=False)))

    def attend(self, image_bytes):
        """Returns the answer of `classify` and its attention.

        `attention` `(B, h, w)` is the rollout, `head_attention` `(B, layers, H, h, w)` that of each head.
        """
        images, error = self.decode(image_bytes)
        logits, scores = self.model(images, training=False, return_attention_scores=True)
        maps = {
            "attention": self.model.rollout(scores, images.shape),
            "head_attention": self.model.head_maps(scores, images.shape),
        }
        return empty_where(error, self.answer(logits) | maps)

    def decode(self, image_bytes):
        """Returns images as the model sees them, and the `error` of each `(B,)`."""
        images, error = decode_each_image(image_bytes, self.size)
        return scaled(in_channels(images, self.color)), error

    def answer(self, logits):
        """Returns logits `(B, K)` in words."""
        probabilities, order = tf.math.top_k(tf.nn.softmax(tf.cast(logits, tf.float32)), len(self.labels))
        labels = tf.gather(tf.constant(self.labels), order)
        return {"label": labels[:, 0], "labels": labels, "probabilities": probabilities}
