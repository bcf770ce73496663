"""Cross-entropy on sparse labels, with label smoothing and no one-hot tensor."""

import keras


def smoothed_cross_entropy(labels, logits, smoothing=0.0):
    """Sums over all tokens the cross-entropy of labels whose mass `smoothing` is spread over the vocabulary.

    With V classes the target is `(1 - smoothing) * onehot + smoothing / V`, as in Szegedy et al. 2016,
    section 7. Since log p(v) = logit(v) - logsumexp(logits), the sum over the vocabulary needs the mean logit alone,
    and the `(B, T, V)` one-hot tensor never exists.

    Args:
        labels: Integers of shape `(B, T)`; 0 is padding and weighs nothing.
        logits: Floats of shape `(B, T, V)`.
        smoothing: Mass that leaves the label, in [0, 1).

    Returns:
        (loss, nll, weight): float32 scalars. The smoothed sum that is trained on, the plain
        negative log-likelihood sum in nats, and the number of tokens that are not padding.

    Example:

    >>> labels = keras.ops.array([[2, 1, 0]])
    >>> logits = keras.ops.zeros((1, 3, 4))
    >>> loss, nll, weight = smoothed_cross_entropy(labels, logits, smoothing=0.1)
    >>> round(float(loss) / float(weight), 4)  # log(4)
    1.3863
    """
    ops = keras.ops
    logits = ops.cast(logits, "float32")
    weights = ops.cast(ops.not_equal(labels, 0), "float32")  # (B, T)
    label_logit = ops.take_along_axis(logits, ops.cast(labels, "int32")[..., None], axis=-1)[..., 0]  # (B, T)
    log_normaliser = ops.logsumexp(logits, axis=-1)  # (B, T)
    nll = ops.sum(weights * (log_normaliser - label_logit))
    weight = ops.sum(weights)
    if not smoothing:
        return nll, nll, weight
    uniform = ops.sum(weights * (log_normaliser - ops.mean(logits, axis=-1)))
    return (1.0 - smoothing) * nll + smoothing * uniform, nll, weight
