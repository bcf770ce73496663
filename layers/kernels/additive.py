"""Additive attention without the (B, T, S, U) tensor of hidden units.

A block is some queries of a sequence against all its keys. The gradient computes the hidden units again.

Notation: B batch, T queries, S keys, U hidden units, V features of a value.
"""

from attention_zoo.layers.kernels.common import for_range, row_blocks, seed_pair
from attention_zoo.layers.masks import MASKED
from attention_zoo.layers.shapes import exceeds


def additive_blocks_pay(query_length, key_length, units):
    """Whether blocks compute so many hidden units of a sequence faster: if they are more than 4 MB."""
    return exceeds(2**20, query_length, key_length, units)


def additive_blocks(query, key, vector, value, mask=None, dropout_rate=0.0, seed=None):
    """softmax(vectorᵀ tanh(query + key)) value (Bahdanau et al. 2015, appendix A.1.2) without the (B, T, S, U) tensor.

    Args:
        query: (B, T, U), projected.
        key: (B, S, U), projected.
        vector: (U,).
        value: (B, S, V).
        mask: Bool, broadcastable to (B, T, S), True = may attend. Defaults to `None`.
        dropout_rate, seed: As in `dot_product.dot_product_attention`.

    Returns:
        (B, T, V) in the dtype of `query`; zeros for a query with nothing to attend to.

    Example:

    >>> import keras
    >>> from attention_zoo.layers.kernels import additive_blocks
    >>> query, key = keras.ops.ones((2, 3, 8)), keras.ops.ones((2, 5, 8))
    >>> additive_blocks(query, key, keras.ops.ones((8,)), key).shape
    TensorShape([2, 3, 8])
    """
    import tensorflow as tf

    dtype = query.dtype
    query, key, vector, value = (tf.cast(x, tf.float32) for x in (query, key, vector, value))
    queries, keys, units = tf.shape(query)[1], tf.shape(key)[1], query.shape[2]
    size = tf.clip_by_value(2**20 // tf.maximum(keys * units, 1), 1, queries)  # 4 MB of hidden units, which fit a cache
    batch, per_sequence = tf.shape(query)[0], tf.maximum((queries + size - 1) // size, 1)
    seed = seed_pair(seed) if dropout_rate else None
    if mask is not None:
        sizes = (*[1] * (3 - len(mask.shape)), *tf.unstack(tf.shape(mask)))  # (B or 1, T or 1, S or 1)
        mask = tf.reshape(tf.cast(mask, tf.bool), sizes)

    def recompute(i, j, query, key, vector):
        """Returns for block j of sequence i: tanh(query + key) (rows, S, U), weights and dropout factors (rows, S)."""
        first = j * size
        last = tf.minimum(first + size, queries)
        hidden = tf.tanh(query[i, first:last, None] + key)
        scores = tf.reshape(tf.matmul(tf.reshape(hidden, (-1, units)), vector[:, None]), (last - first, keys))
        factor = 1.0
        if mask is not None:
            allowed = mask[
                i % tf.shape(mask)[0], tf.minimum(first, tf.shape(mask)[1] - 1) : last
            ]  # (rows or 1, S or 1)
            weights = tf.where(allowed, tf.nn.softmax(tf.where(allowed, scores, MASKED)), 0.0)
        else:
            weights = tf.nn.softmax(scores)
        if dropout_rate:
            number = i * per_sequence + j
            numbers = tf.random.stateless_uniform(
                tf.shape(scores), tf.random.experimental.stateless_fold_in(seed, number)
            )
            factor = tf.cast(numbers >= dropout_rate, tf.float32) / (1 - dropout_rate)
        return hidden, weights, factor

    @tf.custom_gradient
    def attend(query, key, vector, value):
        def forward(i, outputs):
            def block(j, outputs):
                _, weights, factor = recompute(i, j, query, key[i], vector)
                return [outputs.write(i * per_sequence + j, tf.matmul(weights * factor, value[i]))]

            return for_range(per_sequence, block, [outputs])

        def gradient(upstream):
            def backward(i, d_query, d_key, d_value, d_vector):
                k, v = key[i, :keys], value[i, :keys]

                def block(j, d_query, d_k, d_v, d_vector):
                    hidden, weights, factor = recompute(i, j, query, k, vector)
                    rows = upstream[i, j * size : (j + 1) * size]  # (rows, V)
                    d_weights = tf.matmul(rows, v, transpose_b=True) * factor
                    d_scores = weights * (d_weights - tf.reduce_sum(weights * d_weights, 1, keepdims=True))  # (rows, S)
                    d_vector += tf.matmul(tf.reshape(d_scores, (1, -1)), tf.reshape(hidden, (-1, units)))[0]
                    slope = 1.0 - tf.square(hidden)  # (rows, S, U)
                    d_query = d_query.write(i * per_sequence + j, tf.matmul(d_scores[:, None], slope)[:, 0] * vector)
                    d_k += tf.reduce_sum(d_scores[:, :, None] * slope, 0) * vector
                    return d_query, d_k, d_v + tf.matmul(weights * factor, rows, transpose_a=True), d_vector

                d_query, d_k, d_v, d_vector = for_range(
                    per_sequence, block, (d_query, tf.zeros_like(k), tf.zeros_like(v), d_vector)
                )
                return d_query, d_key.write(i, d_k), d_value.write(i, d_v), d_vector

            empty = row_blocks(batch * per_sequence, units), row_blocks(batch, units), row_blocks(batch, value.shape[2])
            *sums, d_vector = for_range(batch, backward, (*empty, tf.zeros_like(vector)))
            d_query, d_key, d_value = (
                tf.reshape(total.concat(), tf.shape(x)) for total, x in zip(sums, (query, key, value))
            )
            return d_query, d_key, d_vector, d_value

        outputs = for_range(batch, forward, [row_blocks(batch * per_sequence, value.shape[2])])[0].concat()
        return tf.reshape(outputs, (batch, queries, value.shape[2])), gradient

    return tf.cast(attend(query, key, vector, value), dtype)
