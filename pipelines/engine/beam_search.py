"""Beam search: several hypotheses a sentence grow side by side, and those that have ended are kept apart."""

import tensorflow as tf

from attention_zoo.pipelines.engine.decoding_steps import StateLoop, greatest, length_penalty
from attention_zoo.pipelines.engine.text import BOS, EOS

LEAST_COVERAGE = 1e-6  # of a source token that was never looked at: its logarithm has to stay finite


def coverage_penalty(coverage, source_mask):
    """Sums the logarithm of each source token's coverage, at most 1, as Wu et al. 2016, equation 14, do.

    A token that got no attention at all counts as 1e-6, where the paper has minus infinity.

    Args:
        coverage: Attention that each source token has got so far, float32 `(B, K, S)`.
        source_mask: bool `(B, S)`, or None where nothing is padding.

    Returns:
        float32 `(B, K)`, never above 0.

    Example:

    >>> coverage_penalty(tf.constant([[[1.0, 1.5, 0.0]]]), tf.constant([[True, True, False]])).numpy().tolist()
    [[0.0]]
    """
    penalties = tf.math.log(tf.clip_by_value(coverage, LEAST_COVERAGE, 1.0))
    if source_mask is not None:
        penalties = tf.where(source_mask[:, None], penalties, 0.0)
    return tf.reduce_sum(penalties, axis=-1)


def beam_search(model, memory, max_lengths, settings, source_mask=None):
    """Follows the `beam_size` likeliest hypotheses of a sentence; see `decode` for arguments and results.

    At each step the `2 * beam_size` likeliest continuations are found. Those among the first `beam_size` that end are
    scored with the penalties and compete for the `n_best` places of the finished; the `beam_size` likeliest that don't
    end live on. A sentence is done when no living hypothesis can beat the worst of its finished ones any more: a
    probability only falls, and the length penalty is largest at the greatest length, so the stop never changes the result.

    Raises:
        ValueError: A coverage penalty is asked for, and the model has no attention.
    """
    beams, places = settings.beam_size, settings.n_best
    batch = tf.shape(max_lengths)[0]
    state = model.start(memory)
    loop = StateLoop(model, memory, state)
    state = [tf.repeat(tensor, beams, axis=0) for tensor in tf.nest.flatten(state)]
    greatest_penalty = length_penalty(max_lengths + 1, settings.length_penalty)  # (B,)

    def undone(step, token, scores, tokens, coverage, finished, state):
        return tf.reduce_any(tf.reduce_max(scores, axis=1) / greatest_penalty > finished["scores"][:, -1])

    def extend(step, token, scores, tokens, coverage, finished, state):
        log_probs, state, attention = loop.step(token, state)
        if settings.coverage_penalty:
            coverage += attended(model, attention, batch, beams)  # (B, K, S)
        values, parents, token = continuations(log_probs, scores, step >= max_lengths)  # (B, 2K)
        ends = token == EOS

        # Those that end: (B, K) newcomers compete with the (B, N) that are there.
        last = parents[:, :beams]
        ended_scores = values[:, :beams] / length_penalty(step + 1, settings.length_penalty)
        if settings.coverage_penalty:
            penalties = settings.coverage_penalty * coverage_penalty(coverage, source_mask)
            ended_scores += tf.gather(penalties, last, batch_dims=1)
        newcomers = {
            "scores": tf.where(ends[:, :beams], ended_scores, -float("inf")),
            "tokens": tf.gather(tokens, last, batch_dims=1),
            "lengths": tf.fill([batch, beams], step),
        }
        finished = {name: tf.concat([finished[name], newcomers[name]], axis=1) for name in finished}
        _, best = tf.math.top_k(finished["scores"], places)
        finished = {name: tf.gather(tensor, best, batch_dims=1) for name, tensor in finished.items()}
        finished["tokens"] = tf.pad(finished["tokens"], [[0, 0], [0, 0], [0, 1]])

        # Those that live on: (B, K) of the (B, 2K).
        scores, chosen = tf.math.top_k(tf.where(ends, -float("inf"), values), beams)
        parents, token = (tf.gather(tensor, chosen, batch_dims=1) for tensor in (parents, token))
        tokens = tf.concat([tf.gather(tokens, parents, batch_dims=1), token[:, :, None]], axis=2)
        coverage = tf.gather(coverage, parents, batch_dims=1)
        rows = tf.reshape(parents + beams * tf.range(batch)[:, None], [-1])  # (B * K,)
        state = [tf.gather(tensor, rows) for tensor in state]
        return step + 1, tf.reshape(token, [-1]), scores, tokens, coverage, finished, state

    def continuations(log_probs, scores, must_end):
        """The 2K likeliest continuations of a sentence's K hypotheses: values, parents and tokens, each `(B, 2K)`."""
        count = tf.minimum(2 * beams + EOS, tf.shape(log_probs)[1])  # 2K are left when padding, unknown and BOS are gone
        values, tokens = greatest(log_probs, count)  # (B * K, C)
        values = tf.where(tokens < EOS, -float("inf"), values)
        # At the greatest length a hypothesis can only end.
        must_end = tf.repeat(must_end, beams)[:, None]
        only_end = tf.pad(log_probs[:, EOS : EOS + 1], [[0, 0], [0, count - 1]], constant_values=-float("inf"))
        values, tokens = tf.where(must_end, only_end, values), tf.where(must_end, EOS, tokens)
        values = tf.reshape(values, [batch, beams, count]) + scores[:, :, None]
        values, chosen = tf.math.top_k(tf.reshape(values, [batch, beams * count]), 2 * beams)
        tokens = tf.gather(tf.reshape(tokens, [batch, beams * count]), chosen, batch_dims=1)
        return values, chosen // count, tokens

    # All beams begin alike: only the first may have children in the first step.
    scores = tf.zeros([batch, beams]) + tf.where(tf.range(beams) == 0, 0.0, -float("inf"))
    finished = {
        "scores": tf.fill([batch, places], -float("inf")),
        "tokens": tf.zeros([batch, places, 0], tf.int32),
        "lengths": tf.zeros([batch, places], tf.int32),
    }
    _, _, _, _, _, finished, _ = tf.while_loop(
        undone,
        extend,
        (
            0,
            tf.fill([batch * beams], BOS),
            scores,
            tf.zeros([batch, beams, 0], tf.int32),
            tf.zeros([batch, beams, 1]),
            finished,
            state,
        ),
        shape_invariants=(
            tf.TensorShape([]),
            tf.TensorShape([None]),
            tf.TensorShape([None, beams]),
            tf.TensorShape([None, beams, None]),
            tf.TensorShape([None, beams, None]),
            {
                "scores": tf.TensorShape([None, places]),
                "tokens": tf.TensorShape([None, places, None]),
                "lengths": tf.TensorShape([None, places]),
            },
            loop.shapes,
        ),
    )
    longest = tf.maximum(tf.reduce_max(finished["lengths"]), 0)  # the maximum of an empty batch is below 0
    return finished | {"tokens": finished["tokens"][:, :, :longest]}


def attended(model, attention, batch, beams):
    """The alignment of one step, `(B, K, S)`."""
    alignment = model.alignment(attention)
    if alignment is None:
        raise ValueError("coverage_penalty: expected 0, since the model has no attention to measure coverage by")
    return tf.reshape(tf.cast(alignment, tf.float32), [batch, beams, -1])
