"""One hypothesis of a sentence: the likeliest token at each step, or a drawn one."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from attention_zoo.pipelines.engine.decoding import steps  # `top_k` is an argument's name here
from attention_zoo.pipelines.engine.decoding.rules import Rules
from attention_zoo.pipelines.engine.decoding.settings import DecodingSettings
from attention_zoo.pipelines.engine.decoding.steps import (
    Ends,
    extend_until_done,
    log_normaliser,
    step_of,
    without_barred,
)
from attention_zoo.pipelines.engine.text.row_draws import draws_of_rows
from attention_zoo.pipelines.engine.text.special_tokens import PAD


def choose_token(
    log_probs: tf.Tensor,
    temperature: float,
    top_k: int,
    top_p: float,
    draws: tf.Tensor,
    first: int = 0,
) -> tf.Tensor:
    """Picks a class of each row.

    The probabilities are tempered first, cut to the `top_k` likeliest (Fan et al. 2018) and then to the nucleus of mass
    `top_p` (Holtzman et al. 2020, section 3.1).

    Args:
        log_probs: Unnormalised float32 log-probabilities `(B, V)`.
        temperature: 0 picks the likeliest.
        top_k: Classes to draw from; 0 is all.
        top_p: Mass of the smallest set of likeliest classes to draw from; 1 is all.
        draws: Random numbers from 0 to 1, float32 `(B,)`: the mass of the classes before the one that is picked.
        first: Classes below this one are never picked. Defaults to `0`.

    Returns:
        int32 `(B,)`.

    Example:

    >>> log_probs = tf.math.log([[0.2, 0.5, 0.3]] * 3)
    >>> choose_token(log_probs, 1.0, top_k=0, top_p=1.0, draws=tf.constant([0.1, 0.3, 0.9])).numpy().tolist()
    [0, 1, 2]
    """
    if temperature == 0:
        return steps.argmax(log_probs, first)
    log_probs = log_probs[:, first:] / temperature
    if not top_k and top_p == 1:
        return first + _drawn(tf.nn.softmax(log_probs), draws)
    count = tf.shape(log_probs)[-1]
    likeliest, classes = steps.top_k(log_probs, tf.minimum(top_k, count) if top_k else count)  # (B, k), sorted
    shares = tf.nn.softmax(likeliest)
    before = tf.cumsum(shares, axis=-1, exclusive=True)  # mass of the likelier ones
    drawn = _drawn(tf.where(before < top_p, shares, 0.0), draws)
    return first + tf.gather(classes, drawn[:, None], batch_dims=1)[:, 0]


def _drawn(shares: tf.Tensor, draws: tf.Tensor) -> tf.Tensor:
    """Returns the class at which the mass passes the share `draws` of the whole, `(B, V)`, `(B,)` -> int32 `(B,)`."""
    mass = tf.cumsum(shares, axis=-1)
    passed = tf.math.count_nonzero(mass <= draws[:, None] * mass[:, -1:], axis=-1, dtype=tf.int32)
    # Rounding must not lead behind the last class that can be picked.
    last = tf.reduce_max(tf.where(shares > 0, tf.range(tf.shape(shares)[-1]), 0), axis=-1)
    return tf.minimum(passed, last)


def penalise(logits: tf.Tensor, tokens: tf.Tensor, penalty: float) -> tf.Tensor:
    """Lowers the logits of tokens that occurred: divides positive ones, and multiplies negative ones.

    Args:
        logits: float32 `(B, V)`.
        tokens: int32 `(B, L)`; one that occurs twice is penalised once.
        penalty: Above 1 to lower, below 1 to raise.

    Returns:
        float32 `(B, V)`.

    Example:

    >>> penalise(tf.constant([[4.0, -1.0, 3.0]]), tf.constant([[0, 1, 1]]), 2.0).numpy().tolist()
    [[2.0, -2.0, 3.0]]
    """
    found = tf.gather(logits, tokens, batch_dims=1)  # (B, L)
    rows = tf.broadcast_to(tf.range(tf.shape(tokens)[0])[:, None], tf.shape(tokens))
    lowered = tf.where(found > 0, found / penalty, found * penalty)
    return tf.tensor_scatter_nd_update(logits, tf.stack([rows, tokens], axis=-1), lowered)


def sample(
    model: keras.Model,
    memory: dict[str, Any],
    max_lengths: tf.Tensor,
    settings: DecodingSettings,
    ends: Ends = Ends(),
    rows: tf.Tensor | None = None,
    prompts: tf.Tensor | None = None,
    stopped: Callable[[tf.Tensor], tf.Tensor] | None = None,
    rules: Rules = Rules(),
) -> dict[str, tf.Tensor]:
    """Writes one hypothesis a sentence; see `decode` for arguments and results.

    `prompts`, int32 `(B, T)`, are what a repetition penalty counts besides what was written.
    """
    batch = tf.shape(max_lengths)[0]
    state = model.start(memory)
    advance, memory = step_of(model, memory)

    def write(step: tf.Tensor, living: dict[str, Any]) -> dict[str, Any]:
        logits, state, _ = advance(living)
        wanted = without_barred(logits, ends)
        if settings.repetition_penalty != 1:
            before = [living[name] for name in ("prompts", "tokens") if name in living]
            wanted = penalise(wanted, tf.concat(before, axis=1), settings.repetition_penalty)
        draws = living["draws"][:, step] if "draws" in living else tf.zeros(tf.shape(logits)[:1])
        chosen = choose_token(wanted, settings.temperature, settings.top_k, settings.top_p, draws, first=ends.first)
        finished = living["done"]
        token = tf.where(finished | (step >= living["max_lengths"]), ends.end, chosen)
        log_prob = tf.gather(logits, token, batch_dims=1) - log_normaliser(logits)
        written = tf.logical_not(finished | (token == ends.end))
        tokens = tf.concat([living["tokens"], tf.where(written, token, PAD)[:, None]], axis=1)
        done = tf.logical_not(written)
        return living | {
            "token": token,
            "tokens": tokens,
            "lengths": living["lengths"] + tf.cast(written, tf.int32),
            "scores": living["scores"] + tf.where(finished, 0.0, log_prob),
            "done": done if stopped is None else done | stopped(tokens),
            "state": state,
        }

    def is_done(living: dict[str, Any]) -> tf.Tensor:
        return living["done"]

    def answers(living: dict[str, Any]) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        scores = living["scores"] / rules.divisor(living["lengths"] + 1, settings.length_penalty)
        return living["tokens"][:, None], living["lengths"][:, None], scores[:, None]

    living = {
        "token": tf.fill([batch], ends.begin),
        "tokens": tf.zeros([batch, 0], tf.int32),
        "lengths": tf.zeros([batch], tf.int32),
        "scores": tf.zeros([batch]),
        "done": tf.zeros([batch], tf.bool),
        "max_lengths": max_lengths,
        "state": state,
        "memory": memory,
    }
    if settings.repetition_penalty != 1 and prompts is not None:
        living["prompts"] = prompts
    if settings.temperature > 0:
        rows = tf.range(tf.cast(batch, tf.int64)) if rows is None else tf.cast(rows, tf.int64)
        longest = tf.maximum(tf.reduce_max(max_lengths), 0) + 1  # and the end
        living["draws"] = draws_of_rows(settings.seed, rows, longest)
    return extend_until_done(write, is_done, answers, living)
