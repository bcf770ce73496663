"""Exact attention whose memory grows with T + S rather than with T x S: block by block, weights recomputed for the gradient.

A block is some queries of one head against all the keys they may see: one matrix product, one exact softmax over whole rows.
What is kept for the gradient is the output: the weights are computed again, and the gradient of a row's softmax needs of the row
nothing but its output (Dao et al. 2022, "FlashAttention", sec. 3.1 and B.2; Rabe and Staats 2021, "Self-attention Does Not Need
O(n^2) Memory").

The blocks are TensorFlow's, whose Keras backend has no fused kernel. This file alone may import the active backend.
Notation: B batch, T queries, S keys, H heads, K key heads, D and V features of a key and a value, U hidden units.
"""

import keras
from keras import ops

from attention_zoo.layers.shapes import exceeds

_MASKED = -1.0e30  # below any score, and far enough from the end of float32 that a score can be added to it
_SINK = -5.0e29  # above what is masked, below all else


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


def _loop(count, body, state):
    """`state = body(i, *state)` for i = 0, ..., count - 1."""
    import tensorflow as tf

    return tf.while_loop(lambda i, *_: i < count, lambda i, *s: (i + 1, *body(i, *s)), (0, *state), parallel_iterations=1)[1:]


def _blocks(count, columns):
    """A list for blocks of rows: in a loop, adding to a part of a tensor copies the tensor each time. An empty block more, at the
    end, since nothing at all can't be joined."""
    import tensorflow as tf

    blocks = tf.TensorArray(tf.float32, count + 1, infer_shape=False, element_shape=(None, columns))
    return blocks.write(count, tf.zeros((0, columns)))


def dot_product_blocks(query, key, value, key_mask, mask, bias, is_causal, scale, dropout_rate, seed):
    """What `dot_product.dot_product_attention` promises, with its arguments.

    Outside goes a loop over the heads of the keys, inside one over the blocks of all queries that look at such a head. A pass over
    a block costs up to half as much as a product, so passes are saved: the fused softmax is one; padding is a column beside queries
    and keys; so is what the gradient of a softmax subtracts; and in a causal block only the square on the diagonal is masked. The
    products turn matrices of a head's width, never a block, which TensorFlow would multiply at half the speed.
    """
    import tensorflow as tf

    (batch, queries, heads, _), given = tf.unstack(tf.shape(query)), tf.shape(key)[1]
    key_heads, group, width = key.shape[2], query.shape[2] // key.shape[2], value.shape[3]
    # Sinks, keys before the others, have values of zeros: a query that may attend to nothing attends to them. Rows of 2, 4, 6 ... KB
    # fall on a few lines of a cache, and a product takes twice the time, so they widen those too; causal blocks, each as wide as its
    # last query's place, have sizes that seldom meet one.
    sinks = None
    if key_mask is not None or mask is not None or bias is not None:
        sinks = tf.where(given % 512 == 496, 32, 16)
    elif not is_causal and (key.shape[1] is None or key.shape[1] % 512 == 0):
        sinks = tf.where(given % 512 == 0, 16, 0)
    before = 0 if sinks is None else sinks
    keys = before + given
    # Smaller blocks skip more of the future and stay in the cache, larger ones make better products.
    size = tf.where(given > 8192, *((60, 120) if is_causal else (64, 256)))

    def with_sinks(x, value):
        shape = (*tf.unstack(tf.shape(x)[:2]), queries, given)
        return tf.pad(tf.broadcast_to(x, shape), [*[[0, 0]] * 3, [before, 0]], constant_values=value)

    key_mask, mask = (x if x is None else tf.cast(x, tf.bool) for x in (key_mask, mask))
    mask = mask if mask is None else with_sinks(mask, True)
    bias = bias if bias is None else with_sinks(tf.cast(bias, tf.float32), 0.0)
    per_head = tf.maximum((queries + size - 1) // size, 1)
    future = tf.where(tf.range(size)[:, None] >= tf.range(size), 0.0, _MASKED)  # (size, size), for the diagonal of causal ones
    nowhere = None if mask is None else tf.fill((size, keys), _MASKED)  # `Select` wants it whole; `tf.where` takes twice as long
    if dropout_rate:
        # Random numbers cost as much as a product. One pool serves all blocks, each from a place of its own on: within a block all
        # weights are dropped independently; two blocks drop by other numbers at the same places, unless they drew the same place.
        seed = _seed_pair(seed)
        numbers = tf.random.stateless_uniform((size * keys + 1,), seed, None, None, tf.uint32)  # 2 numbers each
        kept = tf.bitcast(numbers, tf.uint16) >= tf.constant(int(dropout_rate * 65536), tf.uint16)
        pool = tf.reshape(tf.cast(kept, tf.float32) / (1 - dropout_rate), (-1,))
        # A multiple of 16 numbers, 64 bytes, is where TensorFlow can look at a part of a tensor without copying it.
        seed = tf.random.experimental.stateless_fold_in(seed, 1)
        starts = tf.random.stateless_uniform((batch * heads * per_head,), seed, 0, size * keys // 16 + 1, tf.int32) * 16

    def place(i, j):
        """Of block j of key head i: the sequence, the key head, the query head, first and last query, last key."""
        first = j % per_head * size
        last = tf.minimum(first + size, queries)
        end = before + tf.minimum(last, given) if is_causal else keys
        return i // key_heads, i % key_heads, i % key_heads * group + j // per_head, first, last, end

    def rows(x, b, h, first, last):
        return tf.cast(x[b, first:last, h], tf.float32)

    def all_rows(x, b, kh):
        return tf.pad(rows(x, b, kh, 0, given), [[before, 0], [0, 0]])

    def columns(matrix, *others):
        return tf.concat([matrix, *others], 1)

    def by_position(blocks, length, of_heads):
        """(B, length, heads, features) from the blocks of each sequence's heads."""
        joined = blocks.concat()
        return tf.transpose(tf.reshape(joined, (batch, of_heads, length, joined.shape[1])), (0, 2, 1, 3))

    def up_to(end, matrix):
        """The columns of the first keys."""
        return matrix[:, :end] if is_causal else matrix

    def matrix_of(x, b, h):
        """Which matrix of a mask or bias (B or 1, H or 1, T, S) belongs to a head."""
        return b % tf.shape(x)[0] * tf.shape(x)[1] + h % tf.shape(x)[1]

    def block_of(x, b, h, first, last, end):
        """A block of a mask or bias: (rows, end). Rows of a matrix are looked at where they are; parts of more are copied first."""
        above = matrix_of(x, b, h) * queries
        return up_to(end, tf.reshape(x, (-1, keys))[above + first : above + last])

    def padding(b):
        """What sinks and padding add to the scores, as a column beside the keys: (S, 1)."""
        if sinks is None:
            return []
        of_given = tf.zeros((given, 1)) if key_mask is None else tf.where(key_mask[b, :, None], 0.0, _MASKED)
        return [tf.pad(of_given, [[before, 0], [0, 0]], constant_values=_SINK)]

    def scores_of(q, all_keys, bias, b, h, first, last, end):
        """The scores of a block, masked: (rows, end)."""
        if sinks is not None:
            q = columns(q, tf.ones_like(q[:, :1]))
        if is_causal:
            seen = before + tf.minimum(first, given)  # by all rows
            square = tf.matmul(q, all_keys[:, seen:end]) + future[: last - first, : end - seen]
            scores = columns(tf.matmul(q, all_keys[:, :seen]), square)
        else:
            scores = tf.matmul(q, all_keys)
        if bias is not None:
            scores += tf.maximum(block_of(bias, b, h, first, last, end), _MASKED)  # -∞ too
        if mask is not None:
            allowed = block_of(mask, b, h, first, last, end)
            scores = tf.raw_ops.Select(condition=allowed, x=scores, y=up_to(end, nowhere[: last - first]))
        return scores

    def factors(number, length, end):
        """By what dropout multiplies the weights of a block."""
        return tf.reshape(pool[starts[number] : starts[number] + length * end], (length, end))

    @tf.custom_gradient
    def attend(query, key, value, *bias):
        bias = bias[0] if bias else None

        def forward(i, found):
            b, kh, *_ = place(i, 0)
            all_keys = tf.transpose(columns(all_rows(key, b, kh), *padding(b)))  # (D, S)
            v = all_rows(value, b, kh)

            def block(j, found):
                _, _, h, first, last, end = place(i, j)
                number = i * group * per_head + j
                q = rows(query, b, h, first, last) * scale
                weights = tf.nn.softmax(scores_of(q, all_keys, bias, b, h, first, last, end))
                if dropout_rate:
                    weights *= factors(number, last - first, end)
                return [found.write(number, tf.matmul(weights, v[:end]))]

            return _loop(group * per_head, block, [found])

        in_all = batch * heads * per_head
        found = by_position(_loop(batch * key_heads, forward, [_blocks(in_all, width)])[0], queries, heads)  # (B, T, H, V)
        found = tf.cast(found, query.dtype)

        def gradient(upstream):
            def backward(i, d_query, d_key, d_value, *d_bias):
                b, kh, *_ = place(i, 0)
                k, v = all_rows(key, b, kh), all_rows(value, b, kh)
                all_keys = tf.transpose(columns(k, *padding(b)))  # (D, S)
                all_values = tf.transpose(columns(v, tf.ones_like(v[:, :1])))  # (V + 1, S)

                def block(j, d_query, d_k, d_v, *d_bias):
                    _, _, h, first, last, end = place(i, j)
                    number = i * group * per_head + j
                    q = rows(query, b, h, first, last) * scale
                    out = rows(upstream, b, h, first, last)  # (rows, V)
                    inner = tf.reduce_sum(out * rows(found, b, h, first, last), 1, keepdims=True)  # Σ_s weight · its gradient
                    weights = tf.nn.softmax(scores_of(q, all_keys, bias, b, h, first, last, end))  # (rows, end)
                    if dropout_rate:
                        kept = weights * factors(number, last - first, end)
                        d_scores = kept * tf.matmul(out, up_to(end, all_values[:width])) - weights * inner
                    else:
                        kept = weights
                        d_scores = weights * tf.matmul(columns(out, -inner), up_to(end, all_values))  # (rows, end)
                    of_query = tf.matmul(d_scores, k[:end]) * scale
                    of_key, of_value = tf.matmul(q, d_scores, transpose_a=True), tf.matmul(out, kept, transpose_a=True)  # (D or V, end)
                    if is_causal:
                        of_key, of_value = (tf.pad(x, [[0, 0], [0, keys - end]]) for x in (of_key, of_value))
                    if bias is not None:  # heads or sequences may share it
                        block_row = matrix_of(bias, b, h) * per_head + first // size
                        of_bias = tf.pad(d_scores, [[0, size - (last - first)], [0, keys - end]])  # (size, S)
                        d_bias = [d_bias[0].write(block_row, d_bias[0].read(block_row) + of_bias)]
                    return d_query.write(number, of_query), d_k + of_key, d_v + of_value, *d_bias

                state = d_query, tf.zeros_like(all_keys[: key.shape[3]]), tf.zeros_like(all_values[:width]), *d_bias
                d_query, d_k, d_v, *d_bias = _loop(group * per_head, block, state)
                return d_query, d_key.write(i, tf.transpose(d_k)[before:]), d_value.write(i, tf.transpose(d_v)[before:]), *d_bias

            of_keys = batch * key_heads
            state = [_blocks(in_all, query.shape[3]), _blocks(of_keys, key.shape[3]), _blocks(of_keys, width)]
            if bias is not None:
                matrices = tf.size(bias) // (queries * keys)
                zeros = tf.zeros((matrices * per_head, size, keys))
                state.append(tf.TensorArray(tf.float32, matrices * per_head, clear_after_read=False).unstack(zeros))
            sums = _loop(of_keys, backward, state)
            shapes = (queries, heads), (given, key_heads), (given, key_heads)
            sums, d_bias = [by_position(x, *shape) for x, shape in zip(sums, shapes)], sums[3:]
            sums += [tf.reshape(x.stack(), (*tf.unstack(tf.shape(bias)[:2]), per_head * size, keys))[:, :, :queries] for x in d_bias]
            return [tf.cast(sum_, x.dtype) for sum_, x in zip(sums, (query, key, value, bias))]

        return found, gradient

    return attend(query, key, value, *([] if bias is None else [bias]))


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
    size = tf.clip_by_value(2**20 // tf.maximum(keys * units, 1), 1, queries)  # 4 MB of hidden units: what caches hold
    batch, per_sequence = tf.shape(query)[0], tf.maximum((queries + size - 1) // size, 1)
    seed = _seed_pair(seed) if dropout_rate else None
    if mask is not None:
        sizes = (*[1] * (3 - len(mask.shape)), *tf.unstack(tf.shape(mask)))  # (B or 1, T or 1, S or 1)
        mask = tf.reshape(tf.cast(mask, tf.bool), sizes)

    def recompute(i, j, query, key, vector):
        """Of block j of sequence i: tanh(query + key) (rows, S, U), the weights (rows, S), and by what dropout multiplies them."""
        first = j * size
        last = tf.minimum(first + size, queries)
        hidden = tf.tanh(query[i, first:last, None] + key)
        scores = tf.reshape(tf.matmul(tf.reshape(hidden, (-1, units)), vector[:, None]), (last - first, keys))
        factor = 1.0
        if mask is not None:
            allowed = mask[i % tf.shape(mask)[0], tf.minimum(first, tf.shape(mask)[1] - 1) : last]  # (rows or 1, S or 1)
            weights = tf.where(allowed, tf.nn.softmax(tf.where(allowed, scores, _MASKED)), 0.0)
        else:
            weights = tf.nn.softmax(scores)
        if dropout_rate:
            number = i * per_sequence + j
            numbers = tf.random.stateless_uniform(tf.shape(scores), tf.random.experimental.stateless_fold_in(seed, number))
            factor = tf.cast(numbers >= dropout_rate, tf.float32) / (1 - dropout_rate)
        return hidden, weights, factor

    @tf.custom_gradient
    def attend(query, key, vector, value):
        def forward(i, found):
            def block(j, found):
                _, weights, factor = recompute(i, j, query, key[i], vector)
                return [found.write(i * per_sequence + j, tf.matmul(weights * factor, value[i]))]

            return _loop(per_sequence, block, [found])

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

                d_query, d_k, d_v, d_vector = _loop(per_sequence, block, (d_query, tf.zeros_like(k), tf.zeros_like(v), d_vector))
                return d_query, d_key.write(i, d_k), d_value.write(i, d_v), d_vector

            empty = _blocks(batch * per_sequence, units), _blocks(batch, units), _blocks(batch, value.shape[2])
            *sums, d_vector = _loop(batch, backward, (*empty, tf.zeros_like(vector)))
            d_query, d_key, d_value = (tf.reshape(total.concat(), tf.shape(x)) for total, x in zip(sums, (query, key, value)))
            return d_query, d_key, d_vector, d_value

        found = _loop(batch, forward, [_blocks(batch * per_sequence, value.shape[2])])[0].concat()
        return tf.reshape(found, (batch, queries, value.shape[2])), gradient

    return tf.cast(attend(query, key, vector, value), dtype)
