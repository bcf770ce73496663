"""Linear probing before fine-tuning: the last layer begins as a regression on frozen features.

It is a logistic regression for classes, and a ridge regression for numbers. A random layer has large gradients at
first, which distort what the encoder has learned (Kumar et al. 2022).

Shapes: N training texts, D features, C classes.
"""

import numpy as np
import tensorflow as tf

from attention_zoo.pipelines.engine.storage.files import atomic_write

INVERSE_REGULARISATION = 10.0  # of features of length 1, about
RIDGES = np.logspace(-3, 3, 13)  # strengths of the regularisation, of features of length 1


def fit_probe(features, labels, classes):
    """Returns the kernel `(D, C)` and the bias `(C,)` of a logistic regression.

    Args:
        features: float `(N, D)`. Their mean length is taken as the unit in which weights are regularised.
        labels: Numbers of the classes, integers `(N,)`, of two classes or more.
        classes: C. A class without a text gets zeros, and a low bias.

    Example:

    >>> kernel, bias = fit_probe(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([0, 1]), classes=2)
    >>> np.argmax(np.array([[3.0, 1.0], [1.0, 3.0]]) @ kernel + bias, axis=1).tolist()
    [0, 1]
    """
    from sklearn.linear_model import LogisticRegression

    length = np.mean(np.linalg.norm(features, axis=1))
    found = LogisticRegression(C=INVERSE_REGULARISATION, max_iter=1000).fit(features / length, labels)
    weights, biases = found.coef_ / length, found.intercept_
    if len(found.classes_) == 2:  # scikit-learn has one row for both
        weights, biases = np.concatenate([-weights, weights]) / 2, np.concatenate([-biases, biases]) / 2
    kernel, bias = np.zeros((features.shape[1], classes), "float32"), np.full(classes, biases.min(), "float32")
    kernel[:, found.classes_], bias[found.classes_] = weights.T, biases
    return kernel, bias


def fit_ridge(features, numbers):
    """Returns the kernel `(D, 1)` and the bias `(1,)` of a ridge regression.

    Of several strengths it has the one with the least error where each text is left out in turn.

    Args:
        features: float `(N, D)`. Their mean length is taken as the unit in which weights are regularised.
        numbers: float `(N,)`.

    Example:

    >>> features = np.array([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8], [0.8, 0.6]])
    >>> kernel, bias = fit_ridge(features, features @ np.array([2.0, -1.0]) + 5.0)
    >>> np.round(features @ kernel[:, 0] + bias, 1).tolist()
    [7.0, 4.0, 5.4, 6.0]
    """
    from sklearn.linear_model import RidgeCV

    length = np.mean(np.linalg.norm(features, axis=1))
    found = RidgeCV(alphas=RIDGES).fit(features / length, numbers)
    return (found.coef_[:, None] / length).astype("float32"), np.array([found.intercept_], "float32")


def begin_as_probe(model, path, batches, inputs_of, fit):
    """Gives the last layer the weights of a probe, which is fitted once a run.

    Args:
        model: A `SequenceClassifier` with the weights that it begins with.
        path: File of the run that keeps the probe.
        batches: Batches of the training texts, dicts with "labels".
        inputs_of: Function of a batch to inputs of the model.
        fit: Function of features and labels to the kernel and the bias, as `fit_ridge`.
    """
    from safetensors.numpy import load, save

    if not path.is_file():

        def features(batch):
            inputs = inputs_of(batch)
            return model.features(model.encoder(inputs, training=False), inputs, training=False)

        features = tf.function(features, input_signature=[batches.element_spec], autograph=False)
        found, labels = zip(*((features(batch).numpy(), batch["labels"].numpy()) for batch in batches), strict=True)
        kernel, bias = fit(np.concatenate(found).astype("float64"), np.concatenate(labels))
        atomic_write(path, save({"kernel": kernel, "bias": bias}))
    probe = load(path.read_bytes())
    for name in ("kernel", "bias"):
        getattr(model.classes, name).assign(probe[name])
