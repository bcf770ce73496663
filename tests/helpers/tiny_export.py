"""The export of the smallest model there is."""

import keras
import tensorflow as tf

from attention_zoo.pipelines.engine.serving.export import export_saved_model


def dense(directory, warm_up=None):
    """Exports a dense layer on two features."""
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    features = tf.TensorSpec((None, 2), tf.float32)
    signatures = {"serving_default": (lambda features: {"logit": model(features)}, {"features": features})}
    return export_saved_model(directory, [model], signatures, warm_up)
