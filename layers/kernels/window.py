"""Scaled dot-product attention in a sliding window: time and memory grow with T x window rather than with T x S.

A block is some consecutive queries of one head. It visits the keys that the window of any of its queries touches, and
no others. Neighbouring blocks share keys, so the gradient of the keys is summed in a buffer that moves on with the
blocks. The weights are computed again for the gradient, as in `dot_product.py`.

Notation: B batch, T queries, S keys, H heads, D and V features of a key and a value, W the window.
"""

from attention_zoo.layers.kernels.common import DropoutPool, for_range, row_blocks
from attention_zoo.layers.masks import MASKED

_ROWS = 128  # queries of a block: fewer skip more keys, more make better products


class _Plan:
    """Values that all blocks share. Sizes are scalar int32 tensors, except `heads`."""

    def __init__(self, batch, heads, queries, keys, blocks, rows, back, ahead, scale, band, key_mask, mask, dropout):
        self.batch = batch  # B
        self.heads = heads  # H
        self.queries = queries  # T
        self.keys = keys  # S
        self.blocks = blocks  # of one head
        self.rows = rows  # queries of a block; the last one may have fewer
        self.back = back  # how many keys before its own position a query sees
        self.ahead = ahead  # how many after it
        self.scale = scale
        self.band = band  # (rows, columns), 0 where the window allows a key and MASKED elsewhere
        self.key_mask = key_mask  # (B, S) or None
        self.mask = mask  # (B or 1, H or 1, T or 1, S or 1) or None
        self.dropout = dropout  # `DropoutPool` or None


class _Head:
    """The float32 matrices of one head, made once for all of its blocks, which take rows of them.

    `wide_query` and `wide_key` have a column more where there is a key mask: 1, and 0 or MASKED where the key is
    padding. Their product is the masked scores.
    """

    def __init__(self, plan, query, key, value, number):
        import tensorflow as tf

        self.sequence, self.number = number // plan.heads, number % plan.heads
        self.query = self.matrix(query) * plan.scale  # (T, D)
        self.key = self.matrix(key)  # (S, D)
        self.value = self.matrix(value)  # (S, V)
        self.wide_query, self.wide_key = self.query, self.key
        if plan.key_mask is not None:
            padding = tf.where(plan.key_mask[self.sequence, :, None], 0.0, MASKED)  # (S, 1)
            self.wide_query = tf.concat([self.query, tf.ones_like(self.query[:, :1])], 1)  # (T, D + 1)
            self.wide_key = tf.concat([self.key, padding], 1)  # (S, D + 1)

    def matrix(self, x):
        """(length, features) of x (B, length, H, features)."""
        import tensorflow as tf

        return tf.cast(x[self.sequence, :, self.number], tf.float32)


class _Block:
    """One block of a head: its number among all, queries [first, last), keys [start, end)."""

    def __init__(self, plan, i, j):
        import tensorflow as tf

        self.number = i * plan.blocks + j
        self.first = j * plan.rows
        self.last = tf.minimum(self.first + plan.rows, plan.queries)
        self.start = tf.maximum(self.first - plan.back, 0)
        # Far behind the last key a block sees none.
        self.end = tf.maximum(tf.minimum(self.last + plan.ahead, plan.keys), self.start)
        self.offset = self.start - (self.first - plan.back)  # columns of the band before the first key


def window_blocks(query, key, value, key_mask, mask, is_causal, scale, dropout_rate, seed, window):
    """Sliding-window attention in blocks, with the arguments of `dot_product.dot_product_attention`.

    Args:
        query: (B, T, H, D).
        key, value: (B, S, K, D) and (B, S, K, V). Each key head is repeated for the query heads that share it.
        key_mask: Bool (B, S), or `None`.
        mask: Bool (B or 1, H or 1, T or 1, S or 1), or `None`.
        is_causal: Whether query t sees only the keys up to t.
        scale: Factor of the scores.
        dropout_rate, seed: As in `dot_product_attention`.
        window: W; query t sees only the keys s with |t - s| < W.

    Returns:
        (B, T, H, V) in the dtype of `query`; zeros for a query with nothing to attend to.

    Example:

    >>> import keras
    >>> from attention_zoo.layers.kernels import window_blocks
    >>> query = keras.ops.ones((1, 500, 2, 8))
    >>> window_blocks(query, query, query, None, None, True, 1.0, 0.0, None, window=16).shape
    TensorShape([1, 500, 2, 8])
    """
    import tensorflow as tf

    group = query.shape[2] // key.shape[2]
    if group > 1:
        key, value = (tf.repeat(x, group, axis=2) for x in (key, value))
    plan = _make_plan(query, key, key_mask, mask, is_causal, scale, dropout_rate, seed, window)

    @tf.custom_gradient
    def attend(query, key, value):
        output = _forward(plan, query, key, value)
        return output, lambda upstream: _backward(plan, query, key, value, output, upstream)

    return attend(query, key, value)


def _make_plan(query, key, key_mask, mask, is_causal, scale, dropout_rate, seed, window):
    import tensorflow as tf

    (batch, queries), keys = tf.unstack(tf.shape(query)[:2]), tf.shape(key)[1]
    rows = tf.minimum(_ROWS, tf.maximum(queries, 1))
    blocks = tf.maximum((queries + rows - 1) // rows, 1)
    back = tf.minimum(window, tf.maximum(tf.maximum(queries, keys), 1)) - 1  # a wider window shows no more
    ahead = tf.zeros_like(back) if is_causal else back
    columns = back + rows + ahead
    # Row r of a block sees the columns from r to r + back + ahead; column 0 is `back` keys before the first query.
    distance = tf.range(columns) - tf.range(rows)[:, None]  # (rows, columns)
    band = tf.where((distance >= 0) & (distance <= back + ahead), 0.0, MASKED)
    dropout, heads = None, query.shape[2]
    if dropout_rate:
        dropout = DropoutPool(dropout_rate, seed, rows * columns, batch * heads * blocks)
    key_mask, mask = (x if x is None else tf.cast(x, tf.bool) for x in (key_mask, mask))
    return _Plan(batch, heads, queries, keys, blocks, rows, back, ahead, scale, band, key_mask, mask, dropout)


def _mask_of(plan, head, block, shape):
    """The part of the mask that a block looks at, (rows, keys)."""
    import tensorflow as tf

    batch, heads, rows, columns = tf.unstack(tf.shape(plan.mask))
    matrix = plan.mask[head.sequence % batch, head.number % heads]
    # An axis of size 1 is the same for all queries or keys.
    first, start = tf.minimum(block.first, rows - 1), tf.minimum(block.start, columns - 1)
    return tf.broadcast_to(matrix[first : block.last, start : block.end], shape)


def _weights(plan, head, block):
    """The weights of a block before dropout (rows, keys), and which of its queries attend to anything (rows, 1).

    The weights of a query that may attend to nothing are not zero: what is computed from them has to be.
    """
    import tensorflow as tf

    query, key = head.wide_query[block.first : block.last], head.wide_key[block.start : block.end]
    band = plan.band[: block.last - block.first, block.offset : block.offset + block.end - block.start]
    scores = tf.matmul(query, key, transpose_b=True) + band
    if plan.mask is not None:
        allowed = _mask_of(plan, head, block, tf.shape(scores))
        scores = tf.raw_ops.Select(condition=allowed, x=scores, y=tf.fill(tf.shape(scores), MASKED))
    attends = tf.cast(tf.reduce_max(scores, 1, keepdims=True) > MASKED / 2, tf.float32)
    return tf.nn.softmax(scores), attends


def _forward(plan, query, key, value):
    """The output (B, T, H, V)."""
    import tensorflow as tf

    def of_head(i, outputs):
        head = _Head(plan, query, key, value, i)

        def of_block(j, outputs):
            block = _Block(plan, i, j)
            weights, attends = _weights(plan, head, block)
            if plan.dropout is not None:
                weights *= plan.dropout.factors(block.number, tf.shape(weights))
            output = tf.matmul(weights, head.value[block.start : block.end]) * attends  # (rows, V)
            return [outputs.write(block.number, output)]

        return for_range(plan.blocks, of_block, [outputs])

    heads = plan.batch * plan.heads
    (outputs,) = for_range(heads, of_head, [row_blocks(heads * plan.blocks, value.shape[3])])
    return tf.cast(_by_position(plan, outputs, plan.queries), query.dtype)


def _backward(plan, query, key, value, output, upstream):
    """The gradients of query, key and value."""
    import tensorflow as tf

    columns = plan.back + plan.rows + plan.ahead  # rows of the buffers; row 0 is `back` keys before the first query

    def of_head(i, d_query, d_key, d_value):
        head = _Head(plan, query, key, value, i)
        d_output = head.matrix(upstream)  # (T, V)
        # The gradient of a softmax needs the sum of a row's weights times their gradients. It equals the row's output
        # times the gradient of the output.
        inner = tf.reduce_sum(d_output * head.matrix(output), 1, keepdims=True)  # (T, 1)

        def of_block(j, d_query, d_key, d_value, key_sums, value_sums):
            block = _Block(plan, i, j)
            of_query, of_key, of_value = _block_gradients(plan, head, d_output, inner, block)
            sides = [[block.offset, columns - block.offset - (block.end - block.start)], [0, 0]]
            of_key, of_value = tf.pad(of_key, sides), tf.pad(of_value, sides)  # (columns, D) and (columns, V)
            # No later block sees the first `rows` keys of the buffers.
            place, rows = i * (plan.blocks + 1) + j, plan.rows
            d_key = d_key.write(place, key_sums[:rows] + of_key[:rows])
            d_value = d_value.write(place, value_sums[:rows] + of_value[:rows])
            key_sums = tf.pad(key_sums[rows:] + of_key[rows:], [[0, rows], [0, 0]])
            value_sums = tf.pad(value_sums[rows:] + of_value[rows:], [[0, rows], [0, 0]])
            return d_query.write(block.number, of_query), d_key, d_value, key_sums, value_sums

        sums = [tf.zeros((columns, x.shape[3])) for x in (key, value)]
        d_query, d_key, d_value, *sums = for_range(plan.blocks, of_block, (d_query, d_key, d_value, *sums))
        rest = [x[: columns - plan.rows] for x in sums]
        place = i * (plan.blocks + 1) + plan.blocks
        return d_query, d_key.write(place, rest[0]), d_value.write(place, rest[1])

    heads = plan.batch * plan.heads
    pieces = heads * (plan.blocks + 1)
    empty = (
        row_blocks(heads * plan.blocks, query.shape[3]),
        row_blocks(pieces, key.shape[3]),
        row_blocks(pieces, value.shape[3]),
    )
    d_query, d_key, d_value = for_range(heads, of_head, empty)
    gradients = _by_position(plan, d_query, plan.queries), _of_keys(plan, d_key), _of_keys(plan, d_value)
    return [tf.cast(gradient, x.dtype) for gradient, x in zip(gradients, (query, key, value))]


def _block_gradients(plan, head, d_output, inner, block):
    """The gradients of a block's queries (rows, D), keys (keys, D) and values (keys, V)."""
    import tensorflow as tf

    queries, keys = slice(block.first, block.last), slice(block.start, block.end)
    weights, attends = _weights(plan, head, block)
    d_output = d_output[queries] * attends  # (rows, V)
    d_weights = tf.matmul(d_output, head.value[keys], transpose_b=True)
    dropped = weights
    if plan.dropout is not None:
        factors = plan.dropout.factors(block.number, tf.shape(weights))
        dropped, d_weights = weights * factors, d_weights * factors
    d_scores = weights * (d_weights - inner[queries])  # (rows, keys)
    of_query = tf.matmul(d_scores, head.key[keys]) * plan.scale
    of_key = tf.matmul(d_scores, head.query[queries], transpose_a=True)
    of_value = tf.matmul(dropped, d_output, transpose_a=True)
    return of_query, of_key, of_value


def _by_position(plan, pieces, length):
    """(B, length, H, features) from the pieces of each head."""
    import tensorflow as tf

    joined = pieces.concat()
    return tf.transpose(tf.reshape(joined, (plan.batch, plan.heads, length, joined.shape[1])), (0, 2, 1, 3))


def _of_keys(plan, pieces):
    """(B, S, H, features) from pieces that begin `back` keys before the first and may end before or after the last."""
    import tensorflow as tf

    whole = _by_position(plan, pieces, plan.blocks * plan.rows + plan.back + plan.ahead)
    of_keys = whole[:, plan.back : plan.back + plan.keys]
    return tf.pad(of_keys, [[0, 0], [0, plan.keys - tf.shape(of_keys)[1]], [0, 0], [0, 0]])
