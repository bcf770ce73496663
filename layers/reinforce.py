"""REINFORCE for attention that samples: the reward of a sampled location as a gradient of its probability.

Notation: B batch, T queries, S locations.
"""

from keras import ops

_LEAST = 1e-20  # a probability that rounded to zero must not have an infinite logarithm


def reinforce_loss(log_likelihood, weights, samples, baseline, mask=None, reward_scale=0.1, entropy_scale=0.002):
    """The loss whose negative gradient is that of hard attention (Xu et al. 2015, sec. 4.1):

        λ_r (log p(y|s) - b) Σ_t ∂log p(s_t) + λ_e Σ_t ∂H[s_t]

    The gradient of log p(y|s) itself belongs to the negative log-likelihood, and is not part of this loss. An example
    that used the expectation has no samples, so that only its entropy contributes.

    Args:
        log_likelihood: (B,), log p(y|s) of the whole answer. No gradient flows through it.
        weights: float32 (B, T, S), the probabilities of the locations.
        samples: float32 (B, T, S), from `sample_locations`: one-hot, or zeros if nothing was sampled.
        baseline: b, a scalar.
        mask: (B, T), the queries that count. Defaults to all.
        reward_scale: λ_r. Defaults to 0.1, as in the authors' code.
        entropy_scale: λ_e. Defaults to 0.002, as in the authors' code.

    Returns:
        float32 (B,). Only its gradient is meaningful.

    Example:

    >>> import keras
    >>> from attention_zoo.layers import reinforce_loss
    >>> half, left = keras.ops.array([[[0.5, 0.5]]]), keras.ops.array([[[1.0, 0.0]]])
    >>> loss = reinforce_loss(keras.ops.array([-2.0]), half, left, baseline=-3.0, reward_scale=1.0, entropy_scale=0.0)
    >>> print(loss.numpy())  # -(-2 + 3) log 0.5
    [0.6931472]
    """
    logs = ops.log(ops.maximum(weights, _LEAST))  # (B, T, S)
    # log p(s_t) and H[s_t], (2, B, T)
    per_query = ops.stack([ops.sum(samples * logs, axis=-1), -ops.sum(weights * logs, axis=-1)])
    if mask is not None:
        per_query = per_query * ops.cast(mask, "float32")
    log_probability, entropy = ops.unstack(ops.sum(per_query, axis=-1), 2)  # (B,) each
    reward = ops.stop_gradient(ops.cast(log_likelihood, "float32") - baseline)
    return -(reward_scale * reward * log_probability + entropy_scale * entropy)
