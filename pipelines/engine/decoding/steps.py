"""Shared by greedy decoding, sampling and beam search: the loop over a shrinking batch, penalties, and fast maxima."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from attention_zoo.pipelines.engine.text.special_tokens import BOS, EOS

# Share of a batch that must be done before it leaves: copying the rest then costs less than the steps it saves.
LEAVING_SHARE = 0.25
BEST_BLOCK_WIDTH, LEAST_BLOCK_WIDTH, GREATEST_BLOCK_WIDTH = 32, 16, 128  # measured: 11 of 8,000 values

Step = Callable[[dict[str, Any]], tuple[tf.Tensor, Any, Any]]  # the hypotheses -> (logits, state, scores)


@dataclass(frozen=True)
class Ends:
    """Ids of a vocabulary that begin and end what is written.

    Args:
        begin: The token that the first step takes. Defaults to `BOS`.
        end: The token that ends an answer. Defaults to `EOS`.
        first: Ids below this one are never written. Defaults to `EOS`: padding, unknown and begin of sentence have the
            ids below. Vocabularies without them, such as GPT-2's, begin with 0.
        barred: Further ids that are never written. Defaults to none.
    """

    begin: int = BOS
    end: int = EOS
    first: int = EOS
    barred: tuple[int, ...] = ()


def without_barred(logits: tf.Tensor, ends: Ends) -> tf.Tensor:
    """Returns logits `(N, V)` in which those of `ends.barred` are minus infinity.

    Example:

    >>> without_barred(tf.constant([[1.0, 2.0, 3.0]]), Ends(barred=(2,))).numpy().tolist()
    [[1.0, 2.0, -inf]]
    """
    if not ends.barred:
        return logits
    same = tf.range(tf.shape(logits)[1])[:, None] == tf.constant(ends.barred)  # (V, number of barred)
    return tf.where(tf.reduce_any(same, axis=1), -float("inf"), logits)


def length_penalty(lengths: tf.Tensor, alpha: float) -> tf.Tensor:
    """Returns the divisor `((5 + length) / 6) ** alpha` of Wu et al. 2016, equation 14. Lengths count EOS.

    Example:

    >>> length_penalty(tf.constant([1, 7]), 1.0).numpy().tolist()
    [1.0, 2.0]
    """
    return ((5.0 + tf.cast(lengths, tf.float32)) / 6.0) ** alpha


def top_k(values: tf.Tensor, k: int | tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the result of `tf.math.top_k`, several times faster if k is small and the row is long.

    The k greatest lie in the k blocks with the greatest maxima, and only those are searched.

    Args:
        values: `(N, V)`.
        k: How many, an integer or a scalar Tensor.

    Returns:
        (values, indices): `(N, k)` each, greatest first, the lower index first where values are equal.

    Example:

    >>> values, indices = top_k(tf.range(320.0)[None] % 100, 3)
    >>> values.numpy().tolist(), indices.numpy().tolist()
    ([[99.0, 99.0, 99.0]], [[99, 199, 299]])
    """
    size = values.shape[-1]
    width = _block_width(size)
    if size is None or width is None:  # blocks of one width would need a padded copy of all values
        return tf.math.top_k(values, k)
    blocks = tf.reshape(values, [-1, size // width, width])  # (N, V / W, W)
    _, chosen = tf.math.top_k(tf.reduce_max(blocks, axis=-1), tf.minimum(k, size // width))
    chosen = tf.sort(chosen, axis=-1)  # so that of equal values the first still comes first
    candidates = tf.gather(blocks, chosen, batch_dims=1)  # (N, k, W)
    values, places = tf.math.top_k(tf.reshape(candidates, [tf.shape(candidates)[0], -1]), k)
    return values, tf.gather(chosen, places // width, batch_dims=1) * width + places % width


def argmax(values: tf.Tensor, first: int = 0) -> tf.Tensor:
    """Returns the place of the greatest value of each row, the lower place where two are equal.

    Only the block with the greatest maximum is searched: maxima of blocks are vectorised, `tf.argmax` of a row is not.

    Args:
        values: `(N, V)`.
        first: Places below this one do not count. Defaults to `0`.

    Returns:
        int32 `(N,)`.

    Example:

    >>> argmax(tf.constant([[9.0, 1.0, 7.0, 7.0]]), first=1).numpy().tolist()
    [2]
    """
    size = values.shape[-1]
    width = _block_width(size)
    if size is None or width is None or width <= first:
        return first + tf.argmax(values[:, first:], axis=-1, output_type=tf.int32)
    blocks = tf.reshape(values, [-1, size // width, width])  # (N, V / W, W)
    maxima = tf.reduce_max(blocks, axis=-1)
    of_first_block = tf.reduce_max(values[:, first:width], axis=-1, keepdims=True)
    block = tf.argmax(tf.concat([of_first_block, maxima[:, 1:]], axis=1), axis=-1, output_type=tf.int32)  # (N,)
    places = block[:, None] * width + tf.range(width)  # (N, W)
    candidates = tf.where(places < first, -float("inf"), tf.gather(blocks, block, batch_dims=1))
    return block * width + tf.argmax(candidates, axis=-1, output_type=tf.int32)


def _block_width(size: int | None) -> int | None:
    """Returns the divisor of a row's size that is nearest to the best width of a block; None if no width divides it."""
    if not size:  # unknown, or 0
        return None
    widths = [width for width in range(LEAST_BLOCK_WIDTH, GREATEST_BLOCK_WIDTH + 1) if size % width == 0]
    return min(widths, key=lambda width: abs(width - BEST_BLOCK_WIDTH), default=None)


def log_normaliser(logits: tf.Tensor) -> tf.Tensor:
    """Returns `log Σ exp logits` over the last axis, by the fused softmax, in less than half the time of a log-softmax.

    Args:
        logits: float32 `(N, V)`.

    Returns:
        float32 `(N,)`.

    Example:

    >>> print(f"{log_normaliser(tf.math.log([[1.0, 2.0, 5.0]])).numpy()[0]:.3f}")  # log 8
    2.079
    """
    # The probability of the likeliest is never too small for a logarithm.
    return tf.reduce_max(logits, axis=-1) - tf.math.log(tf.reduce_max(tf.nn.softmax(logits), axis=-1))


def step_of(model: keras.Model, memory: dict[str, Any]) -> tuple[Step, dict[str, Any]]:
    """Separates the memory of each source from the memory that all sources share.

    Args:
        model: As `decode` takes it.
        memory: Memory that `model.encode` returned.

    Returns:
        (step, memory): `step(living) -> (logits, state, scores)`, with float32 logits, for `living` with a "token", a
        "state" and a "memory" as it is returned: without "shared".
    """
    shared = {name: nest for name, nest in memory.items() if name == "shared"}

    def step(living: dict[str, Any]) -> tuple[tf.Tensor, Any, Any]:
        logits, state, scores = model.step(living["token"], living["state"], living["memory"] | shared)
        return tf.cast(logits, tf.float32), state, scores

    return step, {name: nest for name, nest in memory.items() if name != "shared"}


def extend_until_done(
    extend: Callable[[tf.Tensor, dict[str, Any]], dict[str, Any]],
    is_done: Callable[[dict[str, Any]], tf.Tensor],
    answers: Callable[[dict[str, Any]], tuple[tf.Tensor, tf.Tensor, tf.Tensor]],
    living: dict[str, Any],
    beams: int = 1,
) -> dict[str, tf.Tensor]:
    """Lets the hypotheses of a batch grow until all sentences are done.

    The cost of a step grows with its rows, so sentences that are done leave the batch when they are a quarter of it.

    Args:
        extend: `(step, living) -> living`, one token longer.
        is_done: `living -> (B,)` bool.
        answers: `living -> (tokens, lengths, scores)`, int32 `(B, N, L)`, filled up with 0, int32 `(B, N)`, and float32
            `(B, N)`.
        living: Dict of nests of Tensors `(B, ...)`, and `(B beams, ...)` in "token" and "state". An axis of static
            size 0 grows.
        beams: Rows of "token" and "state" for a sentence. Defaults to `1`.

    Returns:
        A dict of `tokens`, int32 `(B, N, longest)`, `lengths`, int32 `(B, N)`, and `scores`, float32 `(B, N)`.
    """
    shapes = [
        tf.TensorShape([None, *(None if size == 0 else size for size in tensor.shape[1:])])
        for tensor in tf.nest.flatten(living)
    ]

    def pack(flat: list[tf.Tensor]) -> dict[str, Any]:
        return tf.nest.pack_sequence_as(living, flat)

    def most_are_undone(step: tf.Tensor, flat: list[tf.Tensor]) -> tf.Tensor:
        done = is_done(pack(flat))
        return tf.reduce_sum(tf.cast(done, tf.float32)) < LEAVING_SHARE * tf.cast(tf.size(done), tf.float32)

    def grow(step: tf.Tensor, flat: list[tf.Tensor]) -> tuple[tf.Tensor, list[tf.Tensor]]:
        flat = tf.nest.flatten(extend(step, pack(flat)))
        for tensor, shape in zip(flat, shapes, strict=True):
            tensor.set_shape(shape)  # the loop compares static shapes, and a step may have lost some
        return step + 1, flat

    def take(flat: list[tf.Tensor], sentences: tf.Tensor) -> list[tf.Tensor]:
        hypotheses = tf.reshape(sentences[:, None] * beams + tf.range(beams), [-1])
        taken = {}
        for name, nest in pack(flat).items():
            rows = hypotheses if name in ("token", "state") else sentences
            taken[name] = tf.nest.map_structure(lambda tensor: tf.gather(tensor, rows), nest)
        return tf.nest.flatten(taken)

    def until_some_leave(
        step: tf.Tensor,
        sentences: tf.Tensor,
        flat: list[tf.Tensor],
        tokens: tf.Tensor,
        lengths: tf.Tensor,
        scores: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor, list[tf.Tensor], tf.Tensor, tf.Tensor, tf.Tensor]:
        step, flat = tf.while_loop(most_are_undone, grow, (step, flat), shape_invariants=(tf.TensorShape([]), shapes))
        done = is_done(pack(flat))
        gone, left = (tf.cast(tf.where(rows)[:, 0], tf.int32) for rows in (done, tf.logical_not(done)))
        done_tokens, done_lengths, done_scores = (tf.gather(tensor, gone) for tensor in answers(pack(flat)))
        places = tf.gather(sentences, gone)[:, None]
        missing = tf.shape(done_tokens)[2] - tf.shape(tokens)[2]
        tokens = tf.pad(tokens, tf.stack([[0, 0], [0, 0], [0, missing]]))
        tokens = tf.tensor_scatter_nd_update(tokens, places, done_tokens)
        lengths = tf.tensor_scatter_nd_update(lengths, places, done_lengths)
        scores = tf.tensor_scatter_nd_update(scores, places, done_scores)
        return step, tf.gather(sentences, left), take(flat, left), tokens, lengths, scores

    tokens, lengths, scores = answers(living)  # of the shapes that the answers begin with
    sentences = tf.range(tf.shape(scores)[0])
    _, _, _, tokens, lengths, scores = tf.while_loop(
        lambda step, sentences, *_: tf.size(sentences) > 0,
        until_some_leave,
        (0, sentences, tf.nest.flatten(living), tokens, lengths, scores),
        shape_invariants=(
            tf.TensorShape([]),
            tf.TensorShape([None]),
            shapes,
            tf.TensorShape([None, *tokens.shape[1:2], None]),
            lengths.shape,
            scores.shape,
        ),
    )
    longest = tf.maximum(tf.reduce_max(lengths), 0)  # the maximum of an empty batch is below 0
    return {"tokens": tokens[:, :, :longest], "lengths": lengths, "scores": scores}
