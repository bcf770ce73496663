"""Losses: cross-entropy on sparse labels, with label smoothing and no one-hot tensor, and squared errors."""

import tensorflow as tf


def smoothed_cross_entropy(
    labels: tf.Tensor, logits: tf.Tensor, smoothing: float = 0.0
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Sums the label-smoothed cross-entropy over all tokens.

    With V classes the target is `(1 - smoothing) * onehot + smoothing / V`, as in Szegedy et al. 2016,
    section 7. Since log p(v) = logit(v) - logsumexp(logits), the sum over the vocabulary needs only the mean logit,
    and the `(B, T, V)` one-hot tensor never exists.

    Args:
        labels: Integers of shape `(B, T)`; 0 is padding and weighs nothing.
        logits: Floats of shape `(B, T, V)`.
        smoothing: Share of the target that is spread over the vocabulary, in [0, 1). Defaults to 0.

    Returns:
        Tuple `(loss, nll, weight)` of float32 scalars: the smoothed sum to train on, the sum of the negative
        log-likelihoods in nats, and the number of tokens that are not padding.

    Example:

    >>> labels = tf.constant([[2, 1, 0]])
    >>> logits = tf.zeros((1, 3, 4))
    >>> loss, nll, weight = smoothed_cross_entropy(labels, logits, smoothing=0.1)
    >>> round(float(loss) / float(weight), 4)  # log(4)
    1.3863
    """
    weights = tf.cast(tf.not_equal(labels, 0), tf.float32)  # (B, T)
    flat_logits = tf.reshape(tf.cast(logits, tf.float32), [-1, tf.shape(logits)[-1]])  # (B T, V)
    losses, nlls = _token_losses(flat_logits, tf.reshape(tf.cast(labels, tf.int32), [-1]), smoothing)  # (B T,) each
    flat_weights = tf.reshape(weights, [-1])
    loss = tf.reduce_sum(flat_weights * losses)
    nll = tf.reduce_sum(flat_weights * nlls)  # pyright: ignore[reportOperatorIssue]  it misreads tf.custom_gradient
    return loss, nll, tf.reduce_sum(weights)


def _token_losses(logits, labels, smoothing):
    """Smoothed loss and negative log-likelihood of each row: `(N, V)`, `(N,)` -> `(N,)`, `(N,)`.

    The gradient is written out: a large vocabulary makes the logits the largest tensor of the step, and automatic
    differentiation of the five operations below would read it a dozen times.
    """
    places = tf.stack([tf.range(tf.shape(labels)[0]), labels], axis=1)  # (N, 2)

    @tf.custom_gradient
    def forward(logits):
        greatest = tf.reduce_max(logits, axis=-1, keepdims=True)  # (N, 1)
        exponentials = tf.exp(logits - greatest)  # (N, V)
        normaliser = tf.reduce_sum(exponentials, axis=-1, keepdims=True)  # (N, 1)
        log_normaliser = tf.squeeze(greatest + tf.math.log(normaliser), -1)
        nll = log_normaliser - tf.gather_nd(logits, places)
        uniform = log_normaliser - tf.reduce_mean(logits, axis=-1) if smoothing else 0.0
        loss = (1.0 - smoothing) * nll + smoothing * uniform

        def backward(loss_gradient, nll_gradient):
            total = (loss_gradient + nll_gradient)[:, None]
            gradient = exponentials * (total / normaliser)  # softmax, (N, V)
            if smoothing:
                gradient -= smoothing / tf.cast(tf.shape(logits)[-1], tf.float32) * loss_gradient[:, None]
            return tf.tensor_scatter_nd_sub(gradient, places, (1.0 - smoothing) * loss_gradient + nll_gradient)

        return (loss, nll), backward

    return forward(logits)


def classification_loss(
    labels: tf.Tensor, logits: tf.Tensor, smoothing: float = 0.0
) -> tuple[tf.Tensor, tf.Tensor, dict[str, tf.Tensor]]:
    """Returns what `Task.loss` of a classifier returns: the label-smoothed cross-entropy, and the accuracy.

    Args:
        labels: Integers `(B,)`, the numbers of the classes.
        logits: Floats `(B, K)`.
        smoothing: Share of the target that is spread over the classes, in [0, 1). Defaults to 0.

    Returns:
        The smoothed loss summed over the batch, B as a float, and the sums of "loss", without smoothing, and of
        "accuracy" in percent.

    Example:

    >>> loss, weight, parts = classification_loss(tf.constant([1, 0]), tf.zeros((2, 4)))
    >>> round(float(loss) / float(weight), 4), float(parts["accuracy"])  # log(4)
    (1.3863, 100.0)
    """
    log_probabilities = tf.nn.log_softmax(tf.cast(logits, tf.float32))  # (B, K)
    nll = -tf.gather(log_probabilities, labels, batch_dims=1)
    loss = (1.0 - smoothing) * nll - smoothing * tf.reduce_mean(log_probabilities, axis=-1)
    right = tf.cast(tf.equal(tf.argmax(logits, axis=-1, output_type=labels.dtype), labels), tf.float32)
    parts = {"loss": tf.reduce_sum(nll), "accuracy": 100.0 * tf.reduce_sum(right)}
    return tf.reduce_sum(loss), tf.cast(tf.size(nll), tf.float32), parts


def regression_loss(
    labels: tf.Tensor, answers: tf.Tensor, deviation: float
) -> tuple[tf.Tensor, tf.Tensor, dict[str, tf.Tensor]]:
    """Returns what `Task.loss` of a regression returns: squared errors, with the deviation of the labels as the unit.

    Its mean does not depend on the unit of the labels. It is 1 for a model that answers with their mean, and 0 for a
    perfect one.

    Args:
        labels: Floats `(B,)`.
        answers: Floats `(B,)`, in the unit of the labels.
        deviation: Standard deviation of the training labels, above 0.

    Returns:
        The loss summed over the batch, B as a float, and the sum of "loss".

    Example:

    >>> loss, weight, parts = regression_loss(tf.constant([1.0, 3.0]), tf.constant([2.0, 2.0]), deviation=1.0)
    >>> float(loss), float(weight), float(parts["loss"])
    (2.0, 2.0, 2.0)
    """
    errors = (tf.cast(answers, tf.float32) - labels) / deviation
    loss = tf.reduce_sum(tf.square(errors))
    return loss, tf.cast(tf.size(errors), tf.float32), {"loss": loss}
