"""Beam search: several hypotheses of a sentence grow side by side. Finished hypotheses are kept apart."""

from typing import Any

import keras
import tensorflow as tf

from attention_zoo.pipelines.engine.decoding.rules import Rules
from attention_zoo.pipelines.engine.decoding.settings import DecodingSettings
from attention_zoo.pipelines.engine.decoding.steps import (
    Ends,
    Step,
    extend_until_done,
    log_normaliser,
    step_of,
    top_k,
    without_barred,
)

LEAST_COVERAGE = 1e-6  # of a source token without attention, so that its logarithm is finite


def coverage_penalty(coverage: tf.Tensor, source_mask: tf.Tensor | None) -> tf.Tensor:
    """Sums the logarithm of each source token's coverage, at most 1, as Wu et al. 2016, equation 14, do.

    The coverage of a token without attention is 1e-6, so that its penalty is finite; in the paper it is minus infinity.

    Args:
        coverage: Attention that each source token has received so far, float32 `(B, K, S)`.
        source_mask: bool `(B, S)`, or `None` if nothing is padding.

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


def beam_search(
    model: keras.Model,
    memory: dict[str, Any],
    max_lengths: tf.Tensor,
    settings: DecodingSettings,
    source_mask: tf.Tensor | None = None,
    ends: Ends = Ends(),
    rules: Rules = Rules(),
) -> dict[str, tf.Tensor]:
    """Follows the `beam_size` likeliest hypotheses of a sentence; see `decode` for arguments and results.

    At each step the `2 * beam_size` likeliest continuations are found. Those among the first `beam_size` that end are
    scored with the penalties and compete for the `n_best` places of the finished; the `beam_size` likeliest that don't
    end live on. By the default of `rules`, a sentence is done when no living hypothesis can beat the worst of its
    finished ones any more. Since a probability only falls, and the length penalty is largest at the greatest length,
    this stop never changes the result.

    Raises:
        ValueError: A coverage penalty is asked for, and the model has no attention.
    """
    state = tf.nest.map_structure(lambda tensor: tf.repeat(tensor, settings.beam_size, axis=0), model.start(memory))
    advance, memory = step_of(model, memory)
    search = _BeamSearch(model, advance, settings, ends, rules)
    living = search.first_hypotheses(state, memory, max_lengths, source_mask)
    return extend_until_done(search.extend, search.is_done, search.answers, living, settings.beam_size)


class _BeamSearch:
    """The parts of a step. B sentences have K living hypotheses and N finished ones each.

    Args:
        model: The model.
        advance: `living -> (logits, state, attention)`.
        settings: `DecodingSettings`.
        ends: `Ends`.
        rules: `Rules`.
    """

    def __init__(self, model: keras.Model, advance: Step, settings: DecodingSettings, ends: Ends, rules: Rules):
        self.model, self.advance, self.settings, self.ends, self.rules = model, advance, settings, ends, rules
        self.beams = settings.beam_size

    def first_hypotheses(
        self, state: Any, memory: dict[str, Any], max_lengths: tf.Tensor, source_mask: tf.Tensor | None
    ) -> dict[str, Any]:
        """Returns the living hypotheses before the first step."""
        batch, beams, places = tf.shape(max_lengths)[0], self.beams, self.settings.n_best
        living = {
            "token": tf.fill([batch * beams], self.ends.begin),
            "tokens": tf.zeros([batch, beams, 0], tf.int32),
            # All beams begin alike, so only the first may have children in the first step.
            "scores": tf.zeros([batch, beams]) + tf.where(tf.range(beams) == 0, 0.0, -float("inf")),
            "finished": {
                "scores": tf.fill([batch, places], -float("inf")),
                "tokens": tf.zeros([batch, places, 0], tf.int32),
                "lengths": tf.zeros([batch, places], tf.int32),
            },
            "done": tf.zeros([batch], tf.bool),
            "max_lengths": max_lengths,
            "state": state,
            "memory": memory,
        }
        if self.settings.coverage_penalty:
            living["coverage"] = tf.zeros([batch, beams, 0])
            if source_mask is not None:
                living["source_mask"] = source_mask
        return living

    def is_done(self, living: dict[str, Any]) -> tf.Tensor:
        """Returns which sentences are done by the rules, `(B,)`."""
        return living["done"]

    def answers(self, living: dict[str, Any]) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Returns tokens, lengths and scores of the finished hypotheses."""
        finished = living["finished"]
        return finished["tokens"], finished["lengths"], finished["scores"]

    def extend(self, step: tf.Tensor, living: dict[str, Any]) -> dict[str, Any]:
        """Returns the hypotheses, one token longer."""
        logits, state, attention = self.advance(living)
        must_end = step >= living["max_lengths"]
        values, parents, tokens = self.continuations(logits, living["scores"], must_end)  # (B, 2K)
        coverage = self.coverage(living, attention)
        finished = self.finish(step, living, values, parents, tokens, coverage)
        longer: dict[str, Any] = (
            living | self.live_on(living, values, parents, tokens, coverage, state) | {"finished": finished}
        )
        alpha, lengths = self.settings.length_penalty, living["max_lengths"]
        done = self.rules.is_done(longer["scores"], finished["scores"], step + 1, lengths, alpha)
        return longer | {"done": living["done"] | done}

    def continuations(
        self, logits: tf.Tensor, scores: tf.Tensor, must_end: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Returns the 2K likeliest continuations of a sentence: values, parents and tokens, each `(B, 2K)`."""
        beams, batch, first, end = self.beams, tf.shape(scores)[0], self.ends.first, self.ends.end
        count = tf.minimum(2 * beams + first, tf.shape(logits)[1])  # 2K are left when padding, unknown and BOS are gone
        allowed = without_barred(logits, self.ends)
        normaliser = log_normaliser(allowed if self.rules.renormalise else logits)[:, None]
        values, tokens = top_k(allowed, count)  # (B * K, C)
        values = tf.where(tokens < first, -float("inf"), values - normaliser)
        # At the greatest length a hypothesis can only end.
        must_end = tf.repeat(must_end, beams)[:, None]
        missing = tf.stack([[0, 0], [0, count - 1]])
        scored = self.rules.limit == "scored"
        last = logits[:, end : end + 1] - normaliser if scored else tf.zeros_like(normaliser)
        only_end = tf.pad(last, missing, constant_values=-float("inf"))
        values, tokens = tf.where(must_end, only_end, values), tf.where(must_end, end, tokens)
        values = tf.reshape(values, [batch, beams, count]) + scores[:, :, None]
        values, chosen = tf.math.top_k(tf.reshape(values, [batch, beams * count]), 2 * beams)
        tokens = tf.gather(tf.reshape(tokens, [batch, beams * count]), chosen, batch_dims=1)
        return values, chosen // count, tokens

    def coverage(self, living: dict[str, Any], attention: Any) -> tf.Tensor | None:
        """Returns the attention that each source token has received so far, `(B, K, S)`; `None` without a penalty."""
        if not self.settings.coverage_penalty:
            return None
        before = living["coverage"]  # of length 0 in the first step
        attended = self.attended(attention, tf.shape(before)[0])
        missing = tf.shape(attended)[2] - tf.shape(before)[2]
        return attended + tf.pad(before, tf.stack([[0, 0], [0, 0], [0, missing]]))

    def attended(self, attention: Any, batch: tf.Tensor) -> tf.Tensor:
        """Returns the alignment of one step, `(B, K, S)`."""
        alignment = self.model.alignment(attention)
        if alignment is None:
            raise ValueError("coverage_penalty: expected 0, since the model has no attention to measure coverage by")
        return tf.reshape(tf.cast(alignment, tf.float32), [batch, self.beams, -1])

    def finish(
        self,
        step: tf.Tensor,
        living: dict[str, Any],
        values: tf.Tensor,
        parents: tf.Tensor,
        tokens: tf.Tensor,
        coverage: tf.Tensor | None,
    ) -> dict[str, tf.Tensor]:
        """Returns the N best of the earlier finished hypotheses and of the first K continuations that end.

        A sentence that is done keeps its own, so that it does not depend on when it leaves the batch.
        """
        beams = self.beams
        ends = (tokens[:, :beams] == self.ends.end) & ~living["done"][:, None]
        parents = parents[:, :beams]
        lengths = self.rules.lengths(step, step >= living["max_lengths"])[:, None]
        scores = values[:, :beams] / self.rules.divisor(lengths, self.settings.length_penalty)
        if coverage is not None:
            penalties = self.settings.coverage_penalty * coverage_penalty(coverage, living.get("source_mask"))
            scores += tf.gather(penalties, parents, batch_dims=1)
        newcomers = {
            "scores": tf.where(ends, scores, -float("inf")),
            "tokens": tf.gather(living["tokens"], parents, batch_dims=1),
            "lengths": tf.where(ends, step, 0),
        }
        finished = {name: tf.concat([there, newcomers[name]], axis=1) for name, there in living["finished"].items()}
        _, best = tf.math.top_k(finished["scores"], self.settings.n_best)
        finished = {name: tf.gather(tensor, best, batch_dims=1) for name, tensor in finished.items()}
        finished["tokens"] = tf.pad(finished["tokens"], [[0, 0], [0, 0], [0, 1]])
        return finished

    def live_on(
        self,
        living: dict[str, Any],
        values: tf.Tensor,
        parents: tf.Tensor,
        tokens: tf.Tensor,
        coverage: tf.Tensor | None,
        state: Any,
    ) -> dict[str, Any]:
        """Returns the K likeliest of the 2K continuations that do not end."""
        scores, chosen = tf.math.top_k(tf.where(tokens == self.ends.end, -float("inf"), values), self.beams)
        parents, tokens = (tf.gather(tensor, chosen, batch_dims=1) for tensor in (parents, tokens))
        rows = tf.reshape(parents + self.beams * tf.range(tf.shape(parents)[0])[:, None], [-1])  # (B * K,)
        longer = {
            "token": tf.reshape(tokens, [-1]),
            "tokens": tf.concat([tf.gather(living["tokens"], parents, batch_dims=1), tokens[:, :, None]], axis=2),
            "scores": scores,
            "state": tf.nest.map_structure(lambda tensor: tf.gather(tensor, rows), state),
        }
        if coverage is not None:
            longer["coverage"] = tf.gather(coverage, parents, batch_dims=1)
        return longer
