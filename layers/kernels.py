"""Exact attention whose memory grows with T + S rather than with T x S: block by block, weights recomputed for the gradient.

A block is some queries of one head against all the keys they may see: one matrix product, one exact softmax over whole rows.
What is kept for the gradient is the output and each row's log-sum-exp: a weight is then exp(score - log-sum-exp), and the
gradient of a row's softmax needs of the row nothing but its output (Dao et al. 2022, "FlashAttention", sec. 3.1 and B.2; Rabe and
Staats 2021, "Self-attention Does Not Need O(n^2) Memory").

The blocks are TensorFlow's, whose Keras backend has no fused kernel. This file alone may import the active backend.
Notation: B batch, T queries, S keys, H heads, K key heads, D and V features of a key and a value, U hidden units.
"""

import keras
from keras import ops

from attention_zoo.layers.shapes import exceeds

KERNELS = ("auto", "plain", "blocks")
_MASKED = -1.0e30  # below any score, and far enough from the end of float32 that a score can be added to it


def check_kernel(kernel):
    """ValueError unless `kernel` is one of `KERNELS`."""
    if kernel not in KERNELS:
        raise ValueError(f"`kernel` must be one of {KERNELS}. Received: kernel={kernel!r}")


def blocks_possible():
    """Whether block-by-block kernels run here: on TensorFlow, outside of XLA."""
    return keras.backend.backend() == "tensorflow" and not _inside_xla()


def _inside_xla():
    import tensorflow as tf
    from tensorflow.python.ops import control_flow_util  # no public name tells what a graph is being traced for

    return not tf.executing_eagerly() and control_flow_util.GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph())


def choose(kernel, pays, blocks, plain):
    """`blocks()` or `plain()`: as `kernel` says, and with "auto" by `pays`, which lengths known late make a tensor."""
    if kernel == "blocks" and not blocks_possible():
        raise ValueError("kernel='blocks' needs TensorFlow, outside of XLA: compile with jit_compile=False, or take 'auto'.")
    if kernel == "plain" or not blocks_possible():
        return plain()
    if kernel == "auto" and ops.is_tensor(pays):
        return ops.cond(pays, blocks, plain)
    return blocks() if kernel == "blocks" or pays else plain()


def traced(*tensors):
    """The tensors, or None, as nodes of the graph that is traced: TensorFlow 2.21 can't differentiate a `cond` that took a constant
    from outside of it. Elsewhere they stay as they are."""
    return [x if x is None or keras.backend.backend() != "tensorflow" else ops.copy(x) for x in tensors]


def _seed_pair(seed):
    """Two int32 for TensorFlow's stateless random numbers."""
    import tensorflow as tf

    if seed is None:  # other ones at each call, as `keras.random` has it
        return keras.random.randint((2,), 0, 2**31 - 1)
    return tf.cast(seed.next(), tf.int32) if isinstance(seed, keras.random.SeedGenerator) else tf.stack([int(seed), 0])


def dot_product_blocks(query, key, value, key_mask, mask, bias, is_causal, scale, dropout_rate, seed):
    """What `dot_product.dot_product_attention` promises, with its arguments.

    Outside goes a loop over the heads of the keys, inside one over the blocks of all queries that look at such a head.
    A column of ones beside the values makes the product count each row's sum too; columns beside queries and keys add the padding
    and subtract the log-sum-exp. Each saves a pass over the block, and a pass costs up to half as much as a product. In the
    gradient blocks lie on their side, keys down and queries across: then no product turns a whole block around, which TensorFlow
    multiplies at half the speed.
    """
    import tensorflow as tf

    batch, queries, heads, _ = tf.unstack(tf.shape(query))
    keys, key_heads, group, width = tf.shape(key)[1], key.shape[2], query.shape[2] // key.shape[2], value.shape[3]
    # Smaller blocks skip more of the future and take less memory; larger ones make better products.
    size = 256 if is_causal else tf.clip_by_value(2**20 // keys, 256, 512)
    per_head = (queries + size - 1) // size
    key_mask, mask = (x if x is None else tf.cast(x, tf.bool) for x in (key_mask, mask))
    if dropout_rate:
        # Random numbers cost more than a product. One pool serves all blocks: each row turns it by a number of its own, which
        # leaves every weight's chance exact, the weights of a row independent of each other, and those of two rows pairwise so.
        seed, threshold = _seed_pair(seed), tf.constant(int(dropout_rate * 65536), tf.uint16)
        pool = tf.random.stateless_uniform((size, keys // 2 + 1), seed, None, None, tf.uint32)
        pool = tf.reshape(tf.bitcast(pool, tf.uint16), (size, -1))[:, :keys]  # (size, S)

    def place(i, j):
        """Of block j of key head i: the sequence, the key head, the query head, first and last query, last key."""
        first = j % per_head * size
        last = tf.minimum(first + size, queries)
        end = tf.minimum(last, keys) if is_causal else keys
        return i // key_heads, i % key_heads, i % key_heads * group + j // per_head, first, last, end

    def rows(x, b, h, first, last):
        return tf.cast(x[b, first:last, h], tf.float32)

    def columns(matrix, *others):
        return tf.concat([matrix, *others], 1)

    def add(total, b, h, first, block, length, of_heads):
        """`block` onto the rows of one head in (sequence, position, head); TensorFlow does it in place."""
        positions = (b * length + first + tf.range(tf.shape(block)[0])) * of_heads + h
        return tf.tensor_scatter_nd_add(total, positions[:, None], block)

    def matrix_of(x, b, h):
        """Which matrix of a mask or bias (B or 1, H or 1, T, S) belongs to a head."""
        return b % tf.shape(x)[0], h % tf.shape(x)[1]

    def padding(b):
        return [] if key_mask is None else [tf.where(key_mask[b, :, None], 0.0, _MASKED)]  # (S, 1)

    def ones(x):
        return tf.ones_like(x[:, :1])

    def turns(i, j, length):
        own_seed = tf.random.experimental.stateless_fold_in(seed, i * group * per_head + j)
        numbers = tf.random.stateless_uniform((size,), own_seed, 0, 65536, tf.int32)
        return tf.cast(numbers[:length], tf.uint16)

    def loop(count, body, state):
        """`state = body(i, *state)` for i = 0, ..., count - 1."""
        return tf.while_loop(lambda i, *_: i < count, lambda i, *s: (i + 1, *body(i, *s)), (0, *state), parallel_iterations=1)[1:]

    @tf.custom_gradient
    def attend(query, key, value, *bias):
        bias = bias[0] if bias else None

        def forward(i, found, log_sums):
            b, kh, *_ = place(i, 0)
            added, v = padding(b), rows(value, b, kh, 0, keys)
            all_keys, all_values = columns(rows(key, b, kh, 0, keys), *added), columns(v, ones(v))

            def block(j, found, log_sums):
                _, _, h, first, last, end = place(i, j)
                q = rows(query, b, h, first, last) * scale
                scores = tf.matmul(columns(q, *[ones(q) for _ in added]), all_keys[:end], transpose_b=True)  # (rows, end)
                if bias is not None:
                    scores += bias[matrix_of(bias, b, h)][first:last, :end]
                if mask is not None:
                    scores = tf.where(mask[matrix_of(mask, b, h)][first:last, :end], scores, _MASKED)
                if is_causal:
                    scores = tf.where(tf.range(first, last)[:, None] >= tf.range(end), scores, _MASKED)
                top = tf.maximum(tf.reduce_max(scores, 1, keepdims=True), _MASKED)  # (rows, 1)
                weights = tf.exp(scores - top)  # not divided by their sum: the output is, which is smaller
                if dropout_rate:
                    total = tf.reduce_sum(weights, 1, keepdims=True)
                    keep = tf.bitwise.bitwise_xor(pool[: last - first, :end], turns(i, j, last - first)[:, None]) >= threshold
                    weights = tf.where(keep, weights, 0.0)
                output = tf.matmul(weights, all_values[:end])  # (rows, V + 1)
                total = total if dropout_rate else output[:, width:]
                attends = top > _MASKED / 2
                log_sum = tf.where(attends, top + tf.math.log(total), -_MASKED)  # which makes all weights of the row zero
                output = tf.where(attends, output[:, :width] / (total * (1 - dropout_rate)), 0.0)
                return add(found, b, h, first, output, queries, heads), add(log_sums, b, h, first, log_sum, queries, heads)

            return loop(group * per_head, block, (found, log_sums))

        rows_in_all = batch * queries * heads
        state = tf.zeros((rows_in_all, width)), tf.zeros((rows_in_all, 1))
        found, log_sums = loop(batch * key_heads, forward, state)
        found = tf.reshape(tf.cast(found, query.dtype), (batch, queries, heads, width))
        log_sums = tf.reshape(log_sums, (batch, queries, heads, 1))

        def gradient(upstream):
            def backward(i, d_query, d_key, d_value, *d_bias):
                b, kh, *_ = place(i, 0)
                k, v, added = rows(key, b, kh, 0, keys), rows(value, b, kh, 0, keys), padding(b)
                all_keys, all_values = columns(k, ones(k), *added), columns(v, ones(v))

                def block(j, d_query, d_k, d_v, *d_bias):
                    _, _, h, first, last, end = place(i, j)
                    q = rows(query, b, h, first, last) * scale
                    out = rows(upstream, b, h, first, last)  # (rows, V)
                    inner = tf.reduce_sum(out * rows(found, b, h, first, last), 1, keepdims=True)  # Σ_s weight · its gradient
                    shifted = columns(q, -rows(log_sums, b, h, first, last), *[ones(q) for _ in added])
                    scores = tf.matmul(all_keys[:end], shifted, transpose_b=True)  # (end, rows)
                    if bias is not None:
                        scores += tf.transpose(bias[matrix_of(bias, b, h)][first:last, :end])
                    if mask is not None:
                        scores = tf.where(tf.transpose(mask[matrix_of(mask, b, h)][first:last, :end]), scores, _MASKED)
                    weights = tf.exp(scores)
                    if is_causal:
                        weights = tf.linalg.band_part(weights, tf.minimum(first, end), -1)  # no key after its query
                    if dropout_rate:
                        out /= 1 - dropout_rate
                        keep = tf.bitwise.bitwise_xor(turned_pool[:end, : last - first], turns(i, j, last - first)) >= threshold
                        kept = tf.where(keep, weights, 0.0)
                        d_weights = tf.where(keep, tf.matmul(v[:end], out, transpose_b=True), 0.0) - inner[:, 0]
                    else:
                        kept = weights
                        d_weights = tf.matmul(all_values[:end], columns(out, -inner), transpose_b=True)  # (end, rows)
                    d_scores = weights * d_weights  # (end, rows)
                    d_k = add(d_k, 0, 0, 0, tf.matmul(d_scores, q), keys, 1)
                    d_v = add(d_v, 0, 0, 0, tf.matmul(kept, out), keys, 1)
                    of_query = tf.transpose(tf.matmul(k[:end], d_scores, transpose_a=True)) * scale
                    if bias is not None:
                        of_bias = tf.pad(tf.transpose(d_scores), [[0, 0], [0, keys - end]])  # (rows, S)
                        b_bias, h_bias = matrix_of(bias, b, h)
                        d_bias = [add(d_bias[0], b_bias * tf.shape(bias)[1] + h_bias, 0, first, of_bias, queries, 1)]
                    return add(d_query, b, h, first, of_query, queries, heads), d_k, d_v, *d_bias

                state = d_query, tf.zeros_like(k), tf.zeros_like(v), *d_bias
                d_query, d_k, d_v, *d_bias = loop(group * per_head, block, state)
                d_key, d_value = (add(x, b, kh, 0, of_head, keys, key_heads) for x, of_head in ((d_key, d_k), (d_value, d_v)))
                return d_query, d_key, d_value, *d_bias

            turned_pool = tf.transpose(pool) if dropout_rate else None
            inputs = [query, key, value] if bias is None else [query, key, value, bias]
            sums = [tf.zeros((tf.size(x) // tf.shape(x)[-1], tf.shape(x)[-1])) for x in inputs]
            sums = loop(batch * key_heads, backward, sums)
            return [tf.cast(tf.reshape(sum_, tf.shape(x)), x.dtype) for sum_, x in zip(sums, inputs)]

        return found, gradient

    if mask is not None:
        mask = _whole(mask, queries, keys)
    return attend(query, key, value, *([] if bias is None else [_whole(tf.cast(bias, tf.float32), queries, keys)]))


def additive_blocks_pay(query_length, key_length, units):
    """Whether so many hidden units of a sequence, more than 4 MB of them, are computed faster in blocks."""
    return exceeds(2**20, query_length, key_length, units)


def additive_blocks(query, key, vector, value, mask=None, dropout_rate=0.0, seed=None):
    """softmax(vectorᵀ tanh(query + key)) value (Bahdanau et al. 2015, appendix A.1.2) without the (B, T, S, U) tensor.

    Args:
        query: (B, T, U), projected.
        key: (B, S, U), projected.
        vector: (U,).
        value: (B, S, V).
        mask: bool, broadcastable to (B, T, S), True = may attend. Default None.
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
    size = tf.clip_by_value(2**19 // (keys * units), 1, queries)  # 2 MB of hidden units: what caches hold
    per_sequence = (queries + size - 1) // size
    count = tf.shape(query)[0] * per_sequence
    seed = _seed_pair(seed) if dropout_rate else None
    if mask is not None:
        sizes = (*[1] * (3 - len(mask.shape)), *tf.unstack(tf.shape(mask)))  # (B or 1, T or 1, S or 1)
        mask = tf.reshape(tf.cast(mask, tf.bool), sizes)

    def place(i):
        first = i % per_sequence * size
        return i // per_sequence, first, tf.minimum(first + size, queries)

    def recompute(i, query, key, vector):
        """tanh(query + key) (rows, S, U), the weights (rows, S), and by what dropout multiplies them."""
        sequence, first, last = place(i)
        hidden = tf.tanh(query[sequence, first:last, None] + key[sequence])
        scores = tf.reshape(tf.matmul(tf.reshape(hidden, (-1, units)), vector[:, None]), (last - first, keys))
        factor = 1.0
        if mask is not None:
            allowed = mask[sequence % tf.shape(mask)[0], tf.minimum(first, tf.shape(mask)[1] - 1) : last]  # (rows or 1, S or 1)
            weights = tf.where(allowed, tf.nn.softmax(tf.where(allowed, scores, _MASKED)), 0.0)
        else:
            weights = tf.nn.softmax(scores)
        if dropout_rate:
            numbers = tf.random.stateless_uniform(tf.shape(scores), tf.random.experimental.stateless_fold_in(seed, i))
            factor = tf.cast(numbers >= dropout_rate, tf.float32) / (1 - dropout_rate)
        return hidden, weights, factor

    def loop(body, *state):
        return tf.while_loop(lambda i, *_: i < count, body, (0, *state), parallel_iterations=1)[1:]

    def rows_of(columns):
        return tf.TensorArray(tf.float32, count, infer_shape=False, element_shape=(None, columns))

    @tf.custom_gradient
    def attend(query, key, vector, value):
        def forward(i, found):
            _, weights, factor = recompute(i, query, key, vector)
            return i + 1, found.write(i, tf.matmul(weights * factor, value[place(i)[0]]))

        def gradient(upstream):
            def backward(i, d_query, d_key, d_vector, d_value):
                sequence, first, last = place(i)
                hidden, weights, factor = recompute(i, query, key, vector)
                rows = upstream[sequence, first:last]  # (rows, V)
                d_weights = tf.matmul(rows, value[sequence], transpose_b=True) * factor
                d_scores = weights * (d_weights - tf.reduce_sum(weights * d_weights, 1, keepdims=True))  # (rows, S)
                d_vector += tf.matmul(tf.reshape(d_scores, (1, -1)), tf.reshape(hidden, (-1, units)))[0]
                slope = 1.0 - tf.square(hidden)  # (rows, S, U)
                d_query = d_query.write(i, tf.matmul(d_scores[:, None], slope)[:, 0] * vector)
                of_key = tf.reduce_sum(d_scores[:, :, None] * slope, 0) * vector  # (S, U)
                d_key = tf.tensor_scatter_nd_add(d_key, [[sequence]], of_key[None])
                of_value = tf.matmul(weights * factor, rows, transpose_a=True)  # (S, V)
                return i + 1, d_query, d_key, d_vector, tf.tensor_scatter_nd_add(d_value, [[sequence]], of_value[None])

            state = [rows_of(units), *(tf.zeros_like(x) for x in (key, vector, value))]
            d_query, *others = loop(backward, *state)
            return [tf.reshape(d_query.concat(), tf.shape(query)), *others]

        found = loop(forward, rows_of(value.shape[2]))[0].concat()
        return tf.reshape(found, (tf.shape(query)[0], queries, value.shape[2])), gradient

    return tf.cast(attend(query, key, vector, value), dtype)


def _whole(x, queries, keys):
    """A mask or bias of all queries and keys, from one that is the same for all of either."""
    import tensorflow as tf

    return tf.broadcast_to(x, (*tf.unstack(tf.shape(x)[:2]), queries, keys)) if {1, None} & set(x.shape[2:]) else x
