"""Baselines of a Vision Transformer on the same split: nearest neighbours, a support vector machine and a small CNN."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from attention_zoo.pipelines.engine.stages import counted

NEIGHBOURS = 3


def knn_predictions(train: np.ndarray, labels: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Labels of the nearest training images, by the distance of their pixels.

    Args:
        train: Images `(N, H, W, C)`.
        labels: Their classes, integers `(N,)`.
        test: Images `(M, H, W, C)`.

    Returns:
        Classes of the test images, integers `(M,)`.
    """
    from sklearn.neighbors import KNeighborsClassifier

    return KNeighborsClassifier(NEIGHBOURS, weights="distance").fit(rows_of(train), labels).predict(rows_of(test))


def svm_predictions(train: np.ndarray, labels: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Labels of a support vector machine with an RBF kernel, C=10 and scikit-learn's width.

    Args:
        train: Images `(N, H, W, C)`.
        labels: Their classes, integers `(N,)`.
        test: Images `(M, H, W, C)`.

    Returns:
        Classes of the test images, integers `(M,)`.
    """
    from sklearn.svm import SVC

    return SVC(C=10.0, gamma="scale").fit(rows_of(train), labels).predict(rows_of(test))


def rows_of(images: np.ndarray) -> np.ndarray:
    """uint8 images `(N, H, W, C)` as rows from 0 to 1."""
    return np.reshape(images, (len(images), -1)).astype("float32") / 255.0


def train_cnn(
    batches: Callable[[int], tf.data.Dataset],
    image_shape: tuple[int, int, int],
    num_classes: int,
    epochs: int,
    learning_rate: float = 1e-3,
    seed: int = 1,
) -> keras.Model:
    """Trains three convolutions, pooled to one vector, by Adam.

    Args:
        batches: Called with the number of an epoch, gives its `tf.data.Dataset` of dicts of images and one-hot labels.
        image_shape: `(H, W, C)`.
        num_classes: K.
        epochs: Passes over the data.
        learning_rate: Of Adam; it falls to zero as a cosine.
        seed: Of the initial weights.

    Returns:
        The `keras.Model`, images to logits `(B, K)`.
    """
    convolutions = []
    for i, filters in enumerate((32, 64, 128)):
        initializer = keras.initializers.HeNormal(seed=seed + i)
        convolutions.append(
            keras.layers.Conv2D(filters, 3, padding="same", activation="relu", kernel_initializer=initializer)
        )
        convolutions.append(keras.layers.MaxPooling2D(2, padding="same"))
    head = keras.layers.Dense(
        num_classes, kernel_initializer=keras.initializers.GlorotUniform(seed=seed), dtype="float32"
    )
    pool = keras.layers.GlobalMaxPooling2D()
    model = keras.Sequential([keras.Input(image_shape), *convolutions[:-1], pool, head])
    steps = max(1, epochs * int(batches(0).cardinality()))
    schedule = keras.optimizers.schedules.CosineDecay(learning_rate, steps)
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(schedule), loss, jit_compile=False)
    model.optimizer.build(model.trainable_variables)  # or `fit` makes its variables, and traces the step twice
    for epoch in counted(range(epochs)):
        pairs = batches(epoch).map(lambda batch: (batch["images"], batch["labels"]))
        model.fit(pairs, shuffle=False, verbose=0)  # they come shuffled
    return model
