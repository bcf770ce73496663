"""What greedy decoding, sampling and beam search share: one step of the model inside a loop."""

import tensorflow as tf


def length_penalty(lengths, alpha):
    """The divisor `((5 + length) / 6) ** alpha` of Wu et al. 2016, equation 14; lengths count the end of sentence.

    Example:

    >>> length_penalty(tf.constant([1, 7]), 1.0).numpy().tolist()
    [1.0, 2.0]
    """
    return ((5.0 + tf.cast(lengths, tf.float32)) / 6.0) ** alpha


def greatest(values, k):
    """What `tf.math.top_k` returns for a few of many, several times faster.

    The k greatest lie in the k blocks with the greatest maxima, and only those are searched.

    Args:
        values: `(N, V)`.
        k: How many, an integer or a scalar Tensor.

    Returns:
        (values, indices): `(N, k)` each, greatest first, the lower index first where values are equal.

    Example:

    >>> values, indices = greatest(tf.range(320.0)[None] % 100, 3)
    >>> values.numpy().tolist(), indices.numpy().tolist()
    ([[99.0, 99.0, 99.0]], [[99, 199, 299]])
    """
    size = values.shape[-1]
    width = next((width for width in range(128, 15, -1) if size and size % width == 0), None)
    if width is None:  # blocks of one width would need a padded copy of all values
        return tf.math.top_k(values, k)
    blocks = tf.reshape(values, [-1, size // width, width])  # (N, V / W, W)
    _, chosen = tf.math.top_k(tf.reduce_max(blocks, axis=-1), tf.minimum(k, size // width))
    chosen = tf.sort(chosen, axis=-1)  # so that of equal values the first still comes first
    found = tf.gather(blocks, chosen, batch_dims=1)  # (N, k, W)
    values, places = tf.math.top_k(tf.reshape(found, [tf.shape(found)[0], -1]), k)
    return values, tf.gather(chosen, places // width, batch_dims=1) * width + places % width


class StateLoop:
    """Carries a model's nested state through `tf.while_loop` as a flat list with the right shape invariants.

    The batch axis is free, and so is every axis of static size 0: it grows from step to step.

    Args:
        model: Has `step(token, state, memory) -> (logits, state, scores)`.
        memory: What the steps read and never change.
        state: What `model.start` returned.
    """

    def __init__(self, model, memory, state):
        self.model = model
        self.memory = memory
        self.structure = state
        self.shapes = [
            tf.TensorShape([None, *(None if size == 0 else size for size in tensor.shape[1:])])
            for tensor in tf.nest.flatten(state)
        ]

    def step(self, token, flat_state):
        """One step: float32 log-probabilities `(B, V)`, the new flat state, and the scores of the attention."""
        state = tf.nest.pack_sequence_as(self.structure, flat_state)
        logits, state, scores = self.model.step(token, state, self.memory)
        flat_state = tf.nest.flatten(state)
        for tensor, shape in zip(flat_state, self.shapes, strict=True):
            tensor.set_shape(shape)  # the loop compares static shapes, and a step may have lost some
        return tf.nn.log_softmax(tf.cast(logits, tf.float32)), flat_state, scores
