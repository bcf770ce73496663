"""Scaled dot-product attention whose memory grows with T + S rather than with T x S.

A block is some queries of one head, which attend to all the keys that they may see: one matrix product, and one exact
softmax over whole rows. Only the output is kept for the gradient. The gradient computes the weights again, and the
gradient of a row's softmax needs nothing else of the row but its output (Dao et al. 2022, "FlashAttention", sec. 3.1
and B.2; Rabe and Staats 2021, "Self-attention Does Not Need O(n^2) Memory"). If there are few weights, at most 128 MB
of them a call, they are kept as well.

The outer loop visits the heads of the keys, the inner one the blocks of all query heads that share such a head. A pass
over a block costs up to half as much as a matrix product. These choices save passes:
- the fused softmax is one pass;
- padding adds to the scores through one more column of the keys, for which the queries have a column of ones; the
  gradient of a softmax subtracts from its inputs in the same way;
- in a causal block only the square on the diagonal is masked. The products transpose matrices as wide as a head, never
  a block: TensorFlow would multiply those at half the speed.

Notation: B batch, T queries, S keys, H heads, K key heads, D and V features of a key and a value.
"""

from attention_zoo.layers.kernels.common import SINK, being_saved, choose_implementation, for_range, row_blocks
from attention_zoo.layers.kernels.plan import Plan, block_at
from attention_zoo.layers.masks import MASKED


def dot_product_blocks(query, key, value, key_mask, mask, bias, is_causal, scale, dropout_rate, seed):
    """Attention in blocks, with the arguments of `layers.dot_product.dot_product_attention`.

    Args:
        query: (B, T, H, D).
        key, value: (B, S, K, D) and (B, S, K, V). The query heads that share a key head are neighbours.
        key_mask: Bool (B, S), or `None`.
        mask: Bool (B or 1, H or 1, T or 1, S or 1), or `None`.
        bias: (B or 1, H or 1, T, S), or `None`.
        is_causal: Whether query t sees only the keys up to t.
        scale: Factor of the scores.
        dropout_rate, seed: As in `dot_product_attention`.

    Returns:
        (B, T, H, V) in the dtype of `query`; zeros for a query with nothing to attend to.

    Example:

    >>> import keras
    >>> from attention_zoo.layers.kernels import dot_product_blocks
    >>> query = keras.ops.ones((1, 500, 2, 8))
    >>> dot_product_blocks(query, query, query, None, None, None, True, 1.0, 0.0, None).shape
    TensorShape([1, 500, 2, 8])
    """
    import tensorflow as tf

    plan = Plan(query, key, key_mask, mask, bias, is_causal, scale, dropout_rate, seed)

    @tf.custom_gradient
    def attend(query, key, value, bias=None):
        output, kept = _forward(plan, query, key, value, bias)
        return output, lambda upstream: _backward(plan, query, key, value, bias, output, kept, upstream)

    if bias is None:
        return attend(query, key, value)
    return attend(query, key, value, plan.with_sinks(tf.cast(bias, tf.float32), 0.0))


def _rows(x, block):
    """The rows of a block from (B, T, H, features): float32 (rows, features)."""
    import tensorflow as tf

    return tf.cast(x[block.sequence, block.first : block.last, block.head], tf.float32)


def _all_rows(plan, x, i):
    """All keys or values of key head i from (B, S, K, features), zeros for the sinks: float32 (keys, features)."""
    import tensorflow as tf

    rows = tf.cast(x[i // plan.key_heads, : plan.given, i % plan.key_heads], tf.float32)
    return tf.pad(rows, [[plan.sinks, 0], [0, 0]])


def _transposed_keys(plan, keys, i):
    """Keys (keys, D) of key head i as (D, keys), and with sinks one row more, which is added to the scores."""
    import tensorflow as tf

    if plan.has_sinks:
        added = tf.zeros((plan.given, 1))
        if plan.key_mask is not None:
            added = tf.where(plan.key_mask[i // plan.key_heads, :, None], 0.0, MASKED)
        added = tf.pad(added, [[plan.sinks, 0], [0, 0]], constant_values=SINK)
        keys = tf.concat([keys, added], 1)
    return tf.transpose(keys)


def _up_to(plan, end, matrix):
    """The columns of the first `end` keys."""
    return matrix[:, :end] if plan.is_causal else matrix


def _matrix_number(x, block):
    """Which matrix of a mask or bias (B or 1, H or 1, T, keys) belongs to the head of a block."""
    import tensorflow as tf

    batch, heads = tf.unstack(tf.shape(x)[:2])
    return block.sequence % batch * heads + block.head % heads


def _part_of(plan, x, block):
    """The part of a mask or bias for a block: (rows, end)."""
    import tensorflow as tf

    # TensorFlow slices rows of a matrix without a copy, but would copy a part of a tensor with more axes.
    above = _matrix_number(x, block) * plan.queries
    return _up_to(plan, block.end, tf.reshape(x, (-1, plan.keys))[above + block.first : above + block.last])


def _weights(plan, query, keys, bias, block):
    """The weights of a block before dropout, (rows, end), from queries (rows, D) and `_transposed_keys`."""
    import tensorflow as tf

    if plan.has_sinks:
        query = tf.concat([query, tf.ones_like(query[:, :1])], 1)  # ones for the last row of the keys
    if plan.is_causal:
        seen = plan.sinks + tf.minimum(block.first, plan.given)  # keys that all queries of the block see
        diagonal = plan.future[: block.last - block.first, : block.end - seen]
        square = tf.matmul(query, keys[:, seen : block.end]) + diagonal
        scores = tf.concat([tf.matmul(query, keys[:, :seen]), square], 1)
    else:
        scores = tf.matmul(query, keys)
    if bias is not None:
        scores += tf.maximum(_part_of(plan, bias, block), MASKED)  # it may be -inf
    if plan.mask is not None:
        allowed = _part_of(plan, plan.mask, block)
        nowhere = _up_to(plan, block.end, plan.nowhere[: block.last - block.first])
        scores = tf.raw_ops.Select(condition=allowed, x=scores, y=nowhere)
    return tf.nn.softmax(scores)


def _forward(plan, query, key, value, bias):
    """The output (B, T, H, V), and the weights of all blocks if there are few."""
    import tensorflow as tf

    def head(i, outputs, kept):
        keys = _transposed_keys(plan, _all_rows(plan, key, i), i)
        values = _all_rows(plan, value, i)

        def block(j, outputs, kept):
            at = block_at(plan, i, j)
            weights = _weights(plan, _rows(query, at) * plan.scale, keys, bias, at)
            # A slice of all columns is the tensor itself, and one of no columns has memory of its own. A slice of no
            # rows would keep the memory of the tensor.
            kept = kept.write(at.number, weights[:, : tf.where(plan.few, at.end, 0)])
            if plan.dropout is not None:
                weights *= plan.dropout.factors(at.number, (at.last - at.first, at.end))
            return outputs.write(at.number, tf.matmul(weights, values[: at.end])), kept

        return for_range(plan.group * plan.per_head, block, [outputs, kept])

    blocks = plan.batch * plan.heads * plan.per_head
    kept = tf.TensorArray(tf.float32, blocks, clear_after_read=False, infer_shape=False, element_shape=(None, None))
    outputs, kept = for_range(plan.batch * plan.key_heads, head, (row_blocks(blocks, value.shape[3]), kept))
    return tf.cast(_by_position(plan, outputs, plan.queries, plan.heads), query.dtype), kept


def _backward(plan, query, key, value, bias, output, kept, upstream):
    """The gradients of query, key, value and, if there is one, bias."""
    import tensorflow as tf

    at_hand = False if being_saved() else plan.few

    def head(i, d_query, d_key, d_value, *d_bias):
        keys, values = _all_rows(plan, key, i), _all_rows(plan, value, i)
        transposed = _transposed_keys(plan, keys, i)
        with_ones = tf.transpose(tf.concat([values, tf.ones_like(values[:, :1])], 1))  # (V + 1, keys)

        def block(j, d_query, key_sums, value_sums, *d_bias):
            at = block_at(plan, i, j)
            q = _rows(query, at) * plan.scale
            weights = choose_implementation(
                "auto",
                at_hand,
                lambda: kept.read(at.number),
                lambda: _weights(plan, q, transposed, bias, at),
            )
            d_scores, dropped = _score_gradients(plan, weights, with_ones, output, upstream, at)
            of_query = tf.matmul(d_scores, keys[: at.end]) * plan.scale
            of_key = tf.matmul(q, d_scores, transpose_a=True)  # (D, end)
            of_value = tf.matmul(_rows(upstream, at), dropped, transpose_a=True)  # (V, end)
            if plan.is_causal:
                unseen = [[0, 0], [0, plan.keys - at.end]]
                of_key, of_value = tf.pad(of_key, unseen), tf.pad(of_value, unseen)
            d_bias = [_add_to_bias(plan, sums, bias, d_scores, at) for sums in d_bias]
            return d_query.write(at.number, of_query), key_sums + of_key, value_sums + of_value, *d_bias

        sums = tf.zeros_like(transposed[: key.shape[3]]), tf.zeros_like(with_ones[: value.shape[3]])
        d_query, key_sums, value_sums, *d_bias = for_range(plan.group * plan.per_head, block, (d_query, *sums, *d_bias))
        d_key = d_key.write(i, tf.transpose(key_sums)[plan.sinks :])
        return d_query, d_key, d_value.write(i, tf.transpose(value_sums)[plan.sinks :]), *d_bias

    heads, blocks = plan.batch * plan.key_heads, plan.batch * plan.heads * plan.per_head
    state = [row_blocks(blocks, query.shape[3]), row_blocks(heads, key.shape[3]), row_blocks(heads, value.shape[3])]
    if bias is not None:
        matrices = tf.size(bias) // (plan.queries * plan.keys)
        zeros = tf.zeros((matrices * plan.per_head, plan.size, plan.keys))
        sums = tf.TensorArray(tf.float32, matrices * plan.per_head, clear_after_read=False)
        state.append(sums.unstack(zeros))
    d_query, d_key, d_value, *d_bias = for_range(heads, head, state)
    gradients = [
        tf.cast(_by_position(plan, d_query, plan.queries, plan.heads), query.dtype),
        tf.cast(_by_position(plan, d_key, plan.given, plan.key_heads), key.dtype),
        tf.cast(_by_position(plan, d_value, plan.given, plan.key_heads), value.dtype),
    ]
    if bias is not None:
        shape = (*tf.unstack(tf.shape(bias)[:2]), plan.per_head * plan.size, plan.keys)
        gradients.append(tf.reshape(d_bias[0].stack(), shape)[:, :, : plan.queries])
    return gradients


def _score_gradients(plan, weights, with_ones, output, upstream, block):
    """The gradient of a block's scores, and its weights after dropout: (rows, end) each.

    `with_ones` are the transposed values, and below them a row of ones: (V + 1, keys).
    """
    import tensorflow as tf

    d_output = _rows(upstream, block)  # (rows, V)
    # The sum over a row of its weights times their gradients is its output times the gradient of the output.
    inner = tf.reduce_sum(d_output * _rows(output, block), 1, keepdims=True)  # (rows, 1)
    if plan.dropout is None:
        d_output = tf.concat([d_output, -inner], 1)
        return weights * tf.matmul(d_output, _up_to(plan, block.end, with_ones)), weights
    dropped = weights * plan.dropout.factors(block.number, (block.last - block.first, block.end))
    d_weights = tf.matmul(d_output, _up_to(plan, block.end, with_ones[:-1]))
    return dropped * d_weights - weights * inner, dropped


def _add_to_bias(plan, sums, bias, d_scores, block):
    """Adds the gradient of a block's scores to that of the bias, which heads or sequences may share."""
    import tensorflow as tf

    place = _matrix_number(bias, block) * plan.per_head + block.first // plan.size
    of_bias = tf.pad(d_scores, [[0, plan.size - (block.last - block.first)], [0, plan.keys - block.end]])
    return sums.write(place, sums.read(place) + of_bias)  # (size, keys)


def _by_position(plan, pieces, length, heads):
    """(B, length, heads, features) from the pieces of each sequence's heads."""
    import tensorflow as tf

    joined = pieces.concat()
    return tf.transpose(tf.reshape(joined, (plan.batch, heads, length, joined.shape[1])), (0, 2, 1, 3))
