"""Beam search: several hypotheses a sentence grow side by side, and those that have ended are kept apart."""

import tensorflow as tf

from attention_zoo.pipelines.engine.decoding.steps import (
    extend_until_done,
    greatest,
    length_penalty,
    log_normaliser,
    step_of,
)
from attention_zoo.pipelines.engine.text.subwords import BOS, EOS

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
    probability only falls, and the length penalty is largest at the greatest length, so the stop never changes the
    result.

    Raises:
        ValueError: A coverage penalty is asked for, and the model has no attention.
    """
    beams, places = settings.beam_size, settings.n_best
    batch = tf.shape(max_lengths)[0]
    state = tf.nest.map_structure(lambda tensor: tf.repeat(tensor, beams, axis=0), model.start(memory))
    advance, memory = step_of(model, memory)

    def is_done(living):
        bound = tf.reduce_max(living["scores"], axis=1) / length_penalty(
            living["max_lengths"] + 1, settings.length_penalty
        )
        return bound <= living["finished"]["scores"][:, -1]

    def extend(step, living):
        batch = tf.shape(living["scores"])[0]
        logits, state, attention = advance(living)
        must_end = step >= living["max_lengths"]
        values, parents, token = continuations(logits, living["scores"], must_end, batch)  # (B, 2K)
        ends = token == EOS

        # Those that end: (B, K) newcomers compete with the (B, N) that are there.
        last = parents[:, :beams]
        ended_scores = values[:, :beams] / length_penalty(step + 1, settings.length_penalty)
        if settings.coverage_penalty:
            coverage = attended(model, attention, batch, beams)  # (B, K, S)
            before = living["coverage"]  # of length 0 in the first step
            coverage += tf.pad(before, [[0, 0], [0, 0], [0, tf.shape(coverage)[2] - tf.shape(before)[2]]])
            penalties = settings.coverage_penalty * coverage_penalty(coverage, living.get("source_mask"))
            ended_scores += tf.gather(penalties, last, batch_dims=1)
        newcomers = {
            "scores": tf.where(ends[:, :beams], ended_scores, -float("inf")),
            "tokens": tf.gather(living["tokens"], last, batch_dims=1),
        }
        finished = {name: tf.concat([there, newcomers[name]], axis=1) for name, there in living["finished"].items()}
        _, best = tf.math.top_k(finished["scores"], places)
        finished = {name: tf.gather(tensor, best, batch_dims=1) for name, tensor in finished.items()}
        finished["tokens"] = tf.pad(finished["tokens"], [[0, 0], [0, 0], [0, 1]])

        # Those that live on: (B, K) of the (B, 2K).
        scores, chosen = tf.math.top_k(tf.where(ends, -float("inf"), values), beams)
        parents, token = (tf.gather(tensor, chosen, batch_dims=1) for tensor in (parents, token))
        rows = tf.reshape(parents + beams * tf.range(batch)[:, None], [-1])  # (B * K,)
        longer = {
            "token": tf.reshape(token, [-1]),
            "tokens": tf.concat([tf.gather(living["tokens"], parents, batch_dims=1), token[:, :, None]], axis=2),
            "scores": scores,
            "finished": finished,
            "state": tf.nest.map_structure(lambda tensor: tf.gather(tensor, rows), state),
        }
        if settings.coverage_penalty:
            longer["coverage"] = tf.gather(coverage, parents, batch_dims=1)
        return living | longer

    def continuations(logits, scores, must_end, batch):
        """The 2K likeliest continuations of a sentence's K hypotheses: values, parents and tokens, each `(B, 2K)`."""
        count = tf.minimum(2 * beams + EOS, tf.shape(logits)[1])  # 2K are left when padding, unknown and BOS are gone
        values, tokens = greatest(logits, count)  # (B * K, C)
        values = tf.where(tokens < EOS, -float("inf"), values)
        # At the greatest length a hypothesis can only end.
        must_end = tf.repeat(must_end, beams)[:, None]
        only_end = tf.pad(logits[:, EOS : EOS + 1], [[0, 0], [0, count - 1]], constant_values=-float("inf"))
        values, tokens = tf.where(must_end, only_end, values), tf.where(must_end, EOS, tokens)
        values = tf.reshape(values - log_normaliser(logits)[:, None], [batch, beams, count]) + scores[:, :, None]
        values, chosen = tf.math.top_k(tf.reshape(values, [batch, beams * count]), 2 * beams)
        tokens = tf.gather(tf.reshape(tokens, [batch, beams * count]), chosen, batch_dims=1)
        return values, chosen // count, tokens

    living = {
        "token": tf.fill([batch * beams], BOS),
        "tokens": tf.zeros([batch, beams, 0], tf.int32),
        # All beams begin alike: only the first may have children in the first step.
        "scores": tf.zeros([batch, beams]) + tf.where(tf.range(beams) == 0, 0.0, -float("inf")),
        "finished": {
            "scores": tf.fill([batch, places], -float("inf")),
            "tokens": tf.zeros([batch, places, 0], tf.int32),
        },
        "max_lengths": max_lengths,
        "state": state,
        "memory": memory,
    }
    if settings.coverage_penalty:
        living["coverage"] = tf.zeros([batch, beams, 0])
        if source_mask is not None:
            living["source_mask"] = source_mask
    return extend_until_done(
        extend, is_done, lambda living: (living["finished"]["tokens"], living["finished"]["scores"]), living, beams
    )


def attended(model, attention, batch, beams):
    """The alignment of one step, `(B, K, S)`."""
    alignment = model.alignment(attention)
    if alignment is None:
        raise ValueError("coverage_penalty: expected 0, since the model has no attention to measure coverage by")
    return tf.reshape(tf.cast(alignment, tf.float32), [batch, beams, -1])
