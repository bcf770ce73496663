"""How `dot_product.py` cuts attention into blocks: the values that all share, and the queries and keys of each one.

Notation: B batch, T queries, S keys, H heads, K key heads.
"""

from keras import ops

from attention_zoo.layers.kernels.common import DropoutPool
from attention_zoo.layers.masks import MASKED
from attention_zoo.layers.shapes import exceeds

# Up to so many weights, 128 MB, are kept for the gradient: computing them again is a sixth of its time.
_FEW = 2**25


class Plan:
    """Values that all blocks share. Sizes are int32 tensors, except `key_heads`, `group` and sometimes `sinks`."""

    def __init__(self, query, key, key_mask, mask, bias, is_causal, scale, dropout_rate, seed):
        import tensorflow as tf

        self.batch, self.queries, self.heads, _ = tf.unstack(tf.shape(query))  # B, T, H
        self.given = tf.shape(key)[1]  # S
        self.key_heads = key.shape[2]  # K
        self.group = query.shape[2] // key.shape[2]  # query heads of a key head
        self.is_causal = is_causal
        self.scale = scale
        # Sinks are keys before the others, with values of zeros: a query that may attend to nothing attends to them.
        # They also widen rows of 2, 4, 6, ... KB. Such rows share few lines of a cache, and a product takes twice the
        # time. Causal blocks seldom have such a size: each is as wide as the position of its last query.
        self.has_sinks, self.sinks = False, 0
        if key_mask is not None or mask is not None or bias is not None:
            self.has_sinks, self.sinks = True, tf.where(self.given % 512 == 496, 32, 16)
        elif not is_causal and (key.shape[1] is None or key.shape[1] % 512 == 0):
            self.has_sinks, self.sinks = True, tf.where(self.given % 512 == 0, 16, 0)
        self.keys = self.sinks + self.given  # S with the sinks
        # Queries of a block: smaller blocks skip more of the future and stay in the cache, larger ones make better
        # products.
        small, large = (60, 120) if is_causal else (64, 256)
        self.size = tf.where(self.given > 8192, small, large)
        self.per_head = tf.maximum((self.queries + self.size - 1) // self.size, 1)  # blocks of a head
        # Whether weights are kept. A graph without a gradient drops what is kept.
        self.few = ops.logical_not(exceeds(_FEW, self.batch, self.heads, self.queries, self.given))
        self.key_mask = None if key_mask is None else tf.cast(key_mask, tf.bool)  # (B, S)
        self.mask, self.nowhere = None, None
        if mask is not None:
            self.mask = self.with_sinks(tf.cast(mask, tf.bool), True)  # (B or 1, H or 1, T, keys)
            self.nowhere = tf.fill(
                (self.size, self.keys), MASKED
            )  # a tensor for `Select`: `tf.where` takes twice as long
        positions = tf.range(self.size)
        self.future = tf.where(positions[:, None] >= positions, 0.0, MASKED)  # (size, size), for the diagonal
        self.dropout = None
        if dropout_rate:
            blocks = self.batch * self.heads * self.per_head
            self.dropout = DropoutPool(dropout_rate, seed, self.size * self.keys, blocks)

    def with_sinks(self, matrices, value):
        """A mask or bias (B or 1, H or 1, T or 1, S or 1) as (B or 1, H or 1, T, keys), `value` at the sinks."""
        import tensorflow as tf

        shape = (*tf.unstack(tf.shape(matrices)[:2]), self.queries, self.given)
        sides = [[0, 0], [0, 0], [0, 0], [self.sinks, 0]]
        return tf.pad(tf.broadcast_to(matrices, shape), sides, constant_values=value)


class Block:
    """One block: its number among all, sequence and query head, queries [first, last), keys [0, end)."""

    def __init__(self, number, sequence, head, first, last, end):
        self.number = number
        self.sequence = sequence
        self.head = head
        self.first = first
        self.last = last
        self.end = end


def block_at(plan, i, j):
    """Block j of key head i, counted over all sequences."""
    import tensorflow as tf

    first = j % plan.per_head * plan.size
    last = tf.minimum(first + plan.size, plan.queries)
    end = plan.sinks + tf.minimum(last, plan.given) if plan.is_causal else plan.keys
    head = i % plan.key_heads * plan.group + j // plan.per_head
    return Block(i * plan.group * plan.per_head + j, i // plan.key_heads, head, first, last, end)
