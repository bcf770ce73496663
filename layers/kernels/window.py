"""Scaled dot-product attention in a sliding window: time and memory grow with T x window rather than with T x S.

A block is some consecutive queries of one head. It visits the keys that the window of any of its queries touches, and
no others. Neighbouring blocks share keys, so the gradient of the keys is summed in a buffer that moves on with the
blocks. The weights are computed again for the gradient, as in `dot_product.py`.

Notation: B batch, T queries, S keys, H heads, D and V features of a key and a value, W the window.
"""

from attention_zoo.layers.kernels.common import MASKED, SINK, DropoutPool, loop, row_blocks

_ROWS = 128  # queries of a block: fewer skip more keys, more make better products


class _Plan:
    """What all blocks share. Sizes are scalar int32 tensors, except `heads` and `sinks`."""

    def __init__(
        self, batch, heads, queries, keys, blocks, rows, back, ahead, sinks, scale, band, key_mask, mask, dropout
    ):
        self.batch = batch  # B
        self.heads = heads  # H
        self.queries = queries  # T
        self.keys = keys  # S
        self.blocks = blocks  # of one head
        self.rows = rows  # queries of a block; the last one may have fewer
        self.back = back  # how many keys before its own position a query sees
        self.ahead = ahead  # how many after it
        self.sinks = sinks  # columns before the keys, see `_with_sinks`
        self.scale = scale
        self.band = band  # (rows, columns), 0 where the window allows a key and MASKED elsewhere
        self.key_mask = key_mask  # (B, S) or None
        self.mask = mask  # (B or 1, H or 1, T or 1, S or 1) or None
        self.dropout = dropout  # `DropoutPool` or None


class _Block:
    """One block: its number among all, sequence and head, queries [first, last), keys [start, end)."""

    def __init__(self, number, sequence, head, first, last, start, end):
        self.number = number
        self.sequence = sequence
        self.head = head
        self.first = first
        self.last = last
        self.start = start
        self.end = end


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
    sinks, dropout, heads = 16, None, query.shape[2]
    if dropout_rate:
        dropout = DropoutPool(dropout_rate, seed, rows * (sinks + columns), batch * heads * blocks)
    key_mask, mask = (x if x is None else tf.cast(x, tf.bool) for x in (key_mask, mask))
    return _Plan(batch, heads, queries, keys, blocks, rows, back, ahead, sinks, scale, band, key_mask, mask, dropout)


def _block_at(plan, i, j):
    """Block j of head i, counted over all sequences."""
    import tensorflow as tf

    first = j * plan.rows
    last = tf.minimum(first + plan.rows, plan.queries)
    start = tf.maximum(first - plan.back, 0)
    end = tf.maximum(tf.minimum(last + plan.ahead, plan.keys), start)  # far behind the last key a block sees none
    return _Block(i * plan.blocks + j, i // plan.heads, i % plan.heads, first, last, start, end)


def _rows(x, block, first, last):
    """float32 (last - first, features) of one head."""
    import tensorflow as tf

    return tf.cast(x[block.sequence, first:last, block.head], tf.float32)


def _with_sinks(plan, matrix):
    """Puts rows of zeros before keys or values.

    Such a sink scores less than any key and more than a masked one, and its value is zero: a query that may attend to
    nothing attends to the sinks.
    """
    import tensorflow as tf

    return tf.pad(matrix, [[plan.sinks, 0], [0, 0]])


def _keys_of(plan, key, block):
    """The keys of a block and beside them what sinks and padding add to the scores: (sinks + end - start, D + 1)."""
    import tensorflow as tf

    keys = _with_sinks(plan, _rows(key, block, block.start, block.end))
    added = tf.zeros((block.end - block.start, 1))
    if plan.key_mask is not None:
        added = tf.where(plan.key_mask[block.sequence, block.start : block.end, None], 0.0, MASKED)
    added = tf.pad(added, [[plan.sinks, 0], [0, 0]], constant_values=SINK)
    return tf.concat([keys, added], 1)


def _mask_of(plan, block, shape):
    """The part of the mask that a block looks at, True for the sinks: (rows, sinks + end - start)."""
    import tensorflow as tf

    batch, heads, rows, columns = tf.unstack(tf.shape(plan.mask))
    matrix = plan.mask[block.sequence % batch, block.head % heads]
    # An axis of size 1 is the same for all queries or keys.
    first, start = tf.minimum(block.first, rows - 1), tf.minimum(block.start, columns - 1)
    part = tf.broadcast_to(matrix[first : block.last, start : block.end], (shape[0], shape[1] - plan.sinks))
    return tf.pad(part, [[0, 0], [plan.sinks, 0]], constant_values=True)


def _weights(plan, query, keys, block):
    """The weights of a block before dropout, (rows, sinks + end - start), from queries (rows, D) and `_keys_of`."""
    import tensorflow as tf

    query = tf.concat([query, tf.ones_like(query[:, :1])], 1)  # the last column meets what is added
    scores = tf.matmul(query, keys, transpose_b=True)
    offset = block.start - (block.first - plan.back)  # columns of the band before the first key
    band = plan.band[: block.last - block.first, offset : offset + block.end - block.start]
    scores += tf.pad(band, [[0, 0], [plan.sinks, 0]])
    if plan.mask is not None:
        allowed = _mask_of(plan, block, tf.shape(scores))
        scores = tf.raw_ops.Select(condition=allowed, x=scores, y=tf.fill(tf.shape(scores), MASKED))
    return tf.nn.softmax(scores)


def _forward(plan, query, key, value):
    """The output (B, T, H, V)."""
    import tensorflow as tf

    def head(i, outputs):
        def block(j, outputs):
            at = _block_at(plan, i, j)
            q = _rows(query, at, at.first, at.last) * plan.scale
            v = _with_sinks(plan, _rows(value, at, at.start, at.end))
            weights = _weights(plan, q, _keys_of(plan, key, at), at)
            if plan.dropout is not None:
                weights *= plan.dropout.factors(at.number, tf.shape(weights))
            return [outputs.write(at.number, tf.matmul(weights, v))]

        return loop(plan.blocks, block, [outputs])

    heads = plan.batch * plan.heads
    (outputs,) = loop(heads, head, [row_blocks(heads * plan.blocks, value.shape[3])])
    return tf.cast(_by_position(plan, outputs, plan.queries), query.dtype)


def _backward(plan, query, key, value, output, upstream):
    """The gradients of query, key and value."""
    import tensorflow as tf

    columns = plan.back + plan.rows + plan.ahead  # of the buffer; column 0 is `back` keys before the first query

    def head(i, d_query, d_key, d_value):
        def block(j, d_query, d_key, d_value, key_sums, value_sums):
            at = _block_at(plan, i, j)
            q, of_query, of_key, of_value = _block_gradients(plan, query, key, value, output, upstream, at)
            before = at.start - (at.first - plan.back)
            sides = [[0, 0], [before, columns - before - (at.end - at.start)]]
            key_sums += tf.pad(of_key, sides)  # (D, columns)
            value_sums += tf.pad(of_value, sides)  # (V, columns)
            # No later block sees the first `rows` columns.
            place = i * (plan.blocks + 1) + j
            d_key = d_key.write(place, tf.transpose(key_sums[:, : plan.rows]))
            d_value = d_value.write(place, tf.transpose(value_sums[:, : plan.rows]))
            onward = [[0, 0], [0, plan.rows]]
            key_sums, value_sums = (tf.pad(x[:, plan.rows :], onward) for x in (key_sums, value_sums))
            return d_query.write(at.number, of_query), d_key, d_value, key_sums, value_sums

        sums = [tf.zeros((x.shape[3], columns)) for x in (key, value)]
        d_query, d_key, d_value, *sums = loop(plan.blocks, block, (d_query, d_key, d_value, *sums))
        rest = [tf.transpose(x[:, : columns - plan.rows]) for x in sums]
        place = i * (plan.blocks + 1) + plan.blocks
        return d_query, d_key.write(place, rest[0]), d_value.write(place, rest[1])

    heads = plan.batch * plan.heads
    pieces = heads * (plan.blocks + 1)
    empty = (
        row_blocks(heads * plan.blocks, query.shape[3]),
        row_blocks(pieces, key.shape[3]),
        row_blocks(pieces, value.shape[3]),
    )
    d_query, d_key, d_value = loop(heads, head, empty)
    gradients = _by_position(plan, d_query, plan.queries), _of_keys(plan, d_key), _of_keys(plan, d_value)
    return [tf.cast(gradient, x.dtype) for gradient, x in zip(gradients, (query, key, value))]


def _block_gradients(plan, query, key, value, output, upstream, block):
    """Of one block: its queries (rows, D), and the gradients of queries (rows, D), keys (D, keys), values (V, keys)."""
    import tensorflow as tf

    q = _rows(query, block, block.first, block.last) * plan.scale
    keys = _keys_of(plan, key, block)
    v = _with_sinks(plan, _rows(value, block, block.start, block.end))
    d_output = _rows(upstream, block, block.first, block.last)  # (rows, V)
    # Of a row's softmax: the sum of its weights times their gradients, which is its output times the output's gradient.
    inner = tf.reduce_sum(d_output * _rows(output, block, block.first, block.last), 1, keepdims=True)  # (rows, 1)
    weights = _weights(plan, q, keys, block)
    d_weights = tf.matmul(d_output, v, transpose_b=True)
    dropped = weights
    if plan.dropout is not None:
        factors = plan.dropout.factors(block.number, tf.shape(weights))
        dropped, d_weights = weights * factors, d_weights * factors
    d_scores = weights * (d_weights - inner)  # (rows, sinks + keys)
    of_query = tf.matmul(d_scores, keys[:, :-1]) * plan.scale
    of_key = tf.matmul(q, d_scores, transpose_a=True)[:, plan.sinks :]
    of_value = tf.matmul(d_output, dropped, transpose_a=True)[:, plan.sinks :]
    return q, of_query, of_key, of_value


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
