"""What the kernels share: when they can run, which path is taken, loops and lists of blocks in TensorFlow."""

import keras
from keras import ops

from attention_zoo.layers.masks import MASKED

SINK = MASKED / 2  # the score of a sink: above masked keys, below all others


def blocks_possible():
    """Whether block-by-block kernels run here: on TensorFlow, outside of XLA."""
    return keras.backend.backend() == "tensorflow" and not _inside_xla()


def _inside_xla():
    import tensorflow as tf
    from tensorflow.python.ops import control_flow_util  # no public name tells what a graph is being traced for

    return not tf.executing_eagerly() and control_flow_util.GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph())


def being_saved():
    """Whether a SavedModel is being written, which traces each gradient once more and holds no lists that one may have captured."""
    from tensorflow.python.saved_model import save_context  # no public name tells

    return save_context.in_save_context()


def choose_implementation(implementation, pays, blocks, plain):
    """`blocks()` or `plain()`: as `implementation` says, and with "auto" by `pays`, which lengths known late make a tensor."""
    if implementation == "blocks" and not blocks_possible():
        raise ValueError(
            "implementation='blocks' needs TensorFlow, outside of XLA: compile with jit_compile=False, or take 'auto'."
        )
    if implementation == "plain" or not blocks_possible():
        return plain()
    if implementation == "auto" and ops.is_tensor(pays):
        return ops.cond(pays, blocks, plain)
    return blocks() if implementation == "blocks" or pays else plain()


def traced(*tensors):
    """The tensors, or None, as nodes of the graph that is traced: TensorFlow 2.21 can't differentiate a `cond` that
    took a constant
    from outside of it. Elsewhere they stay as they are."""
    return [x if x is None or keras.backend.backend() != "tensorflow" else ops.copy(x) for x in tensors]


def seed_pair(seed):
    """Two int32 for TensorFlow's stateless random numbers."""
    import tensorflow as tf

    if seed is None:  # other ones at each call, as `keras.random` has it
        return keras.random.randint((2,), 0, 2**31 - 1)
    return tf.cast(seed.next(), tf.int32) if isinstance(seed, keras.random.SeedGenerator) else tf.stack([int(seed), 0])


class DropoutPool:
    """Random numbers for dropout in blocks, from one pool, since to draw them costs as much as a product.

    Each block reads the pool from a random place. Within a block all weights are dropped independently; two blocks drop
    by different numbers at the same positions, unless they drew the same place.

    Args:
        rate: Share of the weights that are dropped.
        seed: As `seed_pair` takes it.
        size: Weights of the largest block, int32.
        blocks: Number of blocks, int32.
    """

    def __init__(self, rate, seed, size, blocks):
        import tensorflow as tf

        seed = seed_pair(seed)
        numbers = tf.random.stateless_uniform((size + 1,), seed, None, None, tf.uint32)  # 2 numbers each
        kept = tf.bitcast(numbers, tf.uint16) >= tf.constant(int(rate * 65536), tf.uint16)
        self.pool = tf.reshape(tf.cast(kept, tf.float32) / (1 - rate), (-1,))
        # A multiple of 16 numbers, 64 bytes, is where TensorFlow can look at a part of a tensor without copying it.
        seed = tf.random.experimental.stateless_fold_in(seed, 1)
        self.starts = tf.random.stateless_uniform((blocks,), seed, 0, size // 16 + 1, tf.int32) * 16

    def factors(self, number, shape):
        """By what the weights of a block are multiplied."""
        import tensorflow as tf

        start = self.starts[number]
        return tf.reshape(self.pool[start : start + shape[0] * shape[1]], shape)


def for_range(count, body, state):
    """`state = body(i, *state)` for i = 0, ..., count - 1."""
    import tensorflow as tf

    return tf.while_loop(
        lambda i, *_: i < count, lambda i, *s: (i + 1, *body(i, *s)), (0, *state), parallel_iterations=1
    )[1:]


def row_blocks(count, columns):
    """A list for blocks of rows: in a loop, adding to a part of a tensor copies the tensor each time. An empty block
    more, at the
    end, since nothing at all can't be joined."""
    import tensorflow as tf

    blocks = tf.TensorArray(tf.float32, count + 1, infer_shape=False, element_shape=(None, columns))
    return blocks.write(count, tf.zeros((0, columns)))
