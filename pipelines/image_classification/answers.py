"""The answers of a classifier of images on a split."""

import numpy as np
import tensorflow as tf


def answers_of(model, batches):
    """Returns the true class, the answered class and its probability of each image, arrays `(N,)`.

    Args:
        model: Any model from images to logits.
        batches: Batches of `images` and one-hot `labels`, as `preprocess` makes them.
    """

    @tf.function(autograph=False, reduce_retracing=True)
    def answer(batch):
        logits = tf.cast(model(batch["images"], training=False), tf.float32)  # (B, K)
        probability = tf.reduce_max(tf.nn.softmax(logits), axis=-1)
        return tf.argmax(batch["labels"], -1), tf.argmax(logits, -1), probability

    return [np.concatenate(column) for column in zip(*[[part.numpy() for part in answer(batch)] for batch in batches])]
