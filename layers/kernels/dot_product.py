"""Scaled dot-product attention whose memory grows with T + S rather than with T x S.

A block is some queries of one head against all the keys they may see: one matrix product, one exact softmax over whole
rows.
What is kept for the gradient is the output: the weights are computed again, and the gradient of a row's softmax needs
of the row
nothing but its output (Dao et al. 2022, "FlashAttention", sec. 3.1 and B.2; Rabe and Staats 2021, "Self-attention Does
Not Need O(n^2) Memory"). Where weights are few they are kept too, at most 128 MB of them a call.

Notation: B batch, T queries, S keys, H heads, K key heads, D and V features of a key and a value.
"""

from keras import ops

from attention_zoo.layers.kernels.common import (
    SINK,
    DropoutPool,
    being_saved,
    choose_implementation,
    for_range,
    row_blocks,
)
from attention_zoo.layers.masks import MASKED
from attention_zoo.layers.shapes import exceeds

_FEW = 2**25  # as many weights, 128 MB, are kept for the gradient: to compute them again is a sixth of its time


def dot_product_blocks(query, key, value, key_mask, mask, bias, is_causal, scale, dropout_rate, seed):
    """What `dot_product.dot_product_attention` promises, with its arguments.

    Outside goes a loop over the heads of the keys, inside one over the blocks of all queries that look at such a head.
    A pass over
    a block costs up to half as much as a product, so passes are saved: the fused softmax is one; padding is a column
        beside queries
    and keys; so is what the gradient of a softmax subtracts; and in a causal block only the square on the diagonal is
    masked. The
    products turn matrices of a head's width, never a block, which TensorFlow would multiply at half the speed.
    """
    import tensorflow as tf

    (batch, queries, heads, _), given = tf.unstack(tf.shape(query)), tf.shape(key)[1]
    key_heads, group, width = key.shape[2], query.shape[2] // key.shape[2], value.shape[3]
    # Sinks, keys before the others, have values of zeros: a query that may attend to nothing attends to them. Rows of
    # 2, 4, 6 ... KB
    # fall on a few lines of a cache, and a product takes twice the time, so they widen those too; causal blocks, each
    # as wide as its last query's place, have sizes that seldom meet one.
    sinks = None
    if key_mask is not None or mask is not None or bias is not None:
        sinks = tf.where(given % 512 == 496, 32, 16)
    elif not is_causal and (key.shape[1] is None or key.shape[1] % 512 == 0):
        sinks = tf.where(given % 512 == 0, 16, 0)
    before = 0 if sinks is None else sinks
    keys = before + given
    # Smaller blocks skip more of the future and stay in the cache, larger ones make better products.
    size = tf.where(given > 8192, *((60, 120) if is_causal else (64, 256)))
    few = ops.logical_not(exceeds(_FEW, batch, heads, queries, given))  # a graph without a gradient drops what is kept

    def with_sinks(x, value):
        shape = (*tf.unstack(tf.shape(x)[:2]), queries, given)
        return tf.pad(tf.broadcast_to(x, shape), [*[[0, 0]] * 3, [before, 0]], constant_values=value)

    key_mask, mask = (x if x is None else tf.cast(x, tf.bool) for x in (key_mask, mask))
    mask = mask if mask is None else with_sinks(mask, True)
    bias = bias if bias is None else with_sinks(tf.cast(bias, tf.float32), 0.0)
    per_head = tf.maximum((queries + size - 1) // size, 1)
    future = tf.where(
        tf.range(size)[:, None] >= tf.range(size), 0.0, MASKED
    )  # (size, size), for the diagonal of causal ones
    nowhere = (
        None if mask is None else tf.fill((size, keys), MASKED)
    )  # `Select` wants it whole; `tf.where` takes twice as long
    pool = DropoutPool(dropout_rate, seed, size * keys, batch * heads * per_head) if dropout_rate else None

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
        of_given = tf.zeros((given, 1)) if key_mask is None else tf.where(key_mask[b, :, None], 0.0, MASKED)
        return [tf.pad(of_given, [[before, 0], [0, 0]], constant_values=SINK)]

    def weights_of(q, all_keys, bias, b, h, first, last, end):
        """The weights of a block, before dropout: (rows, end)."""
        if sinks is not None:
            q = columns(q, tf.ones_like(q[:, :1]))
        if is_causal:
            seen = before + tf.minimum(first, given)  # by all rows
            square = tf.matmul(q, all_keys[:, seen:end]) + future[: last - first, : end - seen]
            scores = columns(tf.matmul(q, all_keys[:, :seen]), square)
        else:
            scores = tf.matmul(q, all_keys)
        if bias is not None:
            scores += tf.maximum(block_of(bias, b, h, first, last, end), MASKED)  # -∞ too
        if mask is not None:
            allowed = block_of(mask, b, h, first, last, end)
            scores = tf.raw_ops.Select(condition=allowed, x=scores, y=up_to(end, nowhere[: last - first]))
        return tf.nn.softmax(scores)

    @tf.custom_gradient
    def attend(query, key, value, *bias):
        bias = bias[0] if bias else None

        def forward(i, found, remembered):
            b, kh, *_ = place(i, 0)
            all_keys = tf.transpose(columns(all_rows(key, b, kh), *padding(b)))  # (D, S)
            v = all_rows(value, b, kh)

            def block(j, found, remembered):
                _, _, h, first, last, end = place(i, j)
                number = i * group * per_head + j
                q = rows(query, b, h, first, last) * scale
                weights = weights_of(q, all_keys, bias, b, h, first, last, end)
                # All columns are the tensor itself; a slice of no rows would share its memory, one of no columns has
                # its own.
                remembered = remembered.write(number, weights[:, : tf.where(few, end, 0)])
                if dropout_rate:
                    weights *= pool.factors(number, (last - first, end))
                return found.write(number, tf.matmul(weights, v[:end])), remembered

            return for_range(group * per_head, block, [found, remembered])

        in_all = batch * heads * per_head
        remembered = tf.TensorArray(
            tf.float32, in_all, clear_after_read=False, infer_shape=False, element_shape=(None, None)
        )
        found, remembered = for_range(batch * key_heads, forward, (row_blocks(in_all, width), remembered))
        found = tf.cast(by_position(found, queries, heads), query.dtype)  # (B, T, H, V)

        def gradient(upstream):
            at_hand = False if being_saved() else few

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
                    inner = tf.reduce_sum(
                        out * rows(found, b, h, first, last), 1, keepdims=True
                    )  # Σ_s weight · its gradient
                    again = q, all_keys, bias, b, h, first, last, end
                    weights = choose_implementation(
                        "auto", at_hand, lambda: remembered.read(number), lambda: weights_of(*again)
                    )  # (rows, end)
                    if dropout_rate:
                        kept = weights * pool.factors(number, (last - first, end))
                        d_scores = kept * tf.matmul(out, up_to(end, all_values[:width])) - weights * inner
                    else:
                        kept = weights
                        d_scores = weights * tf.matmul(columns(out, -inner), up_to(end, all_values))  # (rows, end)
                    of_query = tf.matmul(d_scores, k[:end]) * scale
                    of_key, of_value = (
                        tf.matmul(q, d_scores, transpose_a=True),
                        tf.matmul(out, kept, transpose_a=True),
                    )  # (D or V, end)
                    if is_causal:
                        of_key, of_value = (tf.pad(x, [[0, 0], [0, keys - end]]) for x in (of_key, of_value))
                    if bias is not None:  # heads or sequences may share it
                        block_row = matrix_of(bias, b, h) * per_head + first // size
                        of_bias = tf.pad(d_scores, [[0, size - (last - first)], [0, keys - end]])  # (size, S)
                        d_bias = [d_bias[0].write(block_row, d_bias[0].read(block_row) + of_bias)]
                    return d_query.write(number, of_query), d_k + of_key, d_v + of_value, *d_bias

                state = d_query, tf.zeros_like(all_keys[: key.shape[3]]), tf.zeros_like(all_values[:width]), *d_bias
                d_query, d_k, d_v, *d_bias = for_range(group * per_head, block, state)
                return (
                    d_query,
                    d_key.write(i, tf.transpose(d_k)[before:]),
                    d_value.write(i, tf.transpose(d_v)[before:]),
                    *d_bias,
                )

            of_keys = batch * key_heads
            state = [row_blocks(in_all, query.shape[3]), row_blocks(of_keys, key.shape[3]), row_blocks(of_keys, width)]
            if bias is not None:
                matrices = tf.size(bias) // (queries * keys)
                zeros = tf.zeros((matrices * per_head, size, keys))
                state.append(tf.TensorArray(tf.float32, matrices * per_head, clear_after_read=False).unstack(zeros))
            sums = for_range(of_keys, backward, state)
            shapes = (queries, heads), (given, key_heads), (given, key_heads)
            sums, d_bias = [by_position(x, *shape) for x, shape in zip(sums, shapes)], sums[3:]
            sums += [
                tf.reshape(x.stack(), (*tf.unstack(tf.shape(bias)[:2]), per_head * size, keys))[:, :, :queries]
                for x in d_bias
            ]
            return [tf.cast(sum_, x.dtype) for sum_, x in zip(sums, (query, key, value, bias))]

        return found, gradient

    return attend(query, key, value, *([] if bias is None else [bias]))
