"""Code that the kernels share: when they can run, the choice of an implementation, dropout, loops, lists of blocks."""

import keras
from keras import ops

from attention_zoo.layers.masks import MASKED

SINK = MASKED / 2  # the score of a sink: above masked keys, below all others


def blocks_possible():
    """Whether kernels in blocks can run here: on TensorFlow, outside XLA."""
    return keras.backend.backend() == "tensorflow" and not _inside_xla()


def tracing():
    """Whether TensorFlow is tracing a graph, whose tensors have no values; other backends are not asked.

    Example:

    >>> from attention_zoo.layers.kernels import tracing
    >>> tracing()
    False
    """
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return not tf.executing_eagerly()


def _inside_xla():
    import tensorflow as tf
    from tensorflow.python.ops import control_flow_util  # there is no public name for this

    return not tf.executing_eagerly() and control_flow_util.GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph())


def being_saved():
    """Whether TensorFlow is writing a SavedModel.

    It then traces each gradient once more, and cannot save a `TensorArray` that the gradient captured.
    """
    from tensorflow.python.saved_model import save_context  # there is no public name for this

    return save_context.in_save_context()


def choose_implementation(implementation, pays, blocks, plain):
    """Calls `blocks` or `plain`.

    Args:
        implementation: `"blocks"`, `"plain"`, or `"auto"`, with which `pays` decides.
        pays: Whether blocks are faster: a bool, or a scalar bool tensor if a graph does not know the lengths.
        blocks, plain: Functions without arguments.

    Returns:
        The result of the one that was called.

    Raises:
        ValueError: For `"blocks"`, if blocks cannot run here.

    Example:

    >>> from attention_zoo.layers.kernels import choose_implementation
    >>> choose_implementation("auto", False, blocks=lambda: "in blocks", plain=lambda: "at once")
    'at once'
    """
    if implementation == "blocks" and not blocks_possible():
        raise ValueError(
            "implementation='blocks' needs TensorFlow, outside XLA: compile with jit_compile=False, or use 'auto'."
        )
    if implementation == "plain" or not blocks_possible():
        return plain()
    if implementation == "auto" and ops.is_tensor(pays):
        return ops.cond(pays, blocks, plain)
    return blocks() if implementation == "blocks" or pays else plain()


def traced(*tensors):
    """Copies tensors, of which some may be `None`, into the graph that is being traced.

    TensorFlow 2.21 cannot differentiate a `cond` that captures a constant from outside. Other backends need no copies.
    """
    return [x if x is None or keras.backend.backend() != "tensorflow" else ops.copy(x) for x in tensors]


def seed_pair(seed):
    """Two int32 numbers, the seed of TensorFlow's stateless random numbers."""
    import tensorflow as tf

    if seed is None:  # different numbers at each call, as in `keras.random`
        return keras.random.randint((2,), 0, 2**31 - 1)
    return tf.cast(seed.next(), tf.int32) if isinstance(seed, keras.random.SeedGenerator) else tf.stack([int(seed), 0])


class DropoutPool:
    """Random numbers for dropout in blocks, from one pool, since drawing them costs as much as a matrix product.

    Each block reads the pool from a random start. Within a block all weights are dropped independently. Two blocks use
    different numbers at the same positions, unless they have the same start.

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
        # TensorFlow can slice a tensor without a copy at multiples of 16 numbers, 64 bytes.
        seed = tf.random.experimental.stateless_fold_in(seed, 1)
        self.starts = tf.random.stateless_uniform((blocks,), seed, 0, size // 16 + 1, tf.int32) * 16

    def factors(self, number, shape):
        """The factors by which dropout multiplies the weights of a block."""
        import tensorflow as tf

        start = self.starts[number]
        return tf.reshape(self.pool[start : start + shape[0] * shape[1]], shape)


def for_range(count, body, state):
    """Computes `state = body(i, *state)` for i = 0, ..., count - 1."""
    import tensorflow as tf

    return tf.while_loop(
        lambda i, *_: i < count, lambda i, *s: (i + 1, *body(i, *s)), (0, *state), parallel_iterations=1
    )[1:]


def row_blocks(count, columns):
    """Makes a list for `count` blocks of rows, each (rows, columns).

    A loop that wrote to a part of a tensor would copy the tensor each time. The last block of the list is an empty one,
    since `concat` needs at least one block.
    """
    import tensorflow as tf

    blocks = tf.TensorArray(tf.float32, count + 1, infer_shape=False, element_shape=(None, columns))
    return blocks.write(count, tf.zeros((0, columns)))
