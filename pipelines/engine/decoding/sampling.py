"""One hypothesis of a sentence: the likeliest token at each step, or a drawn one."""

from typing import Any

import keras
import tensorflow as tf

from attention_zoo.pipelines.engine.decoding import steps  # its `top_k` is the name of an argument here
from attention_zoo.pipelines.engine.decoding.settings import DecodingSettings
from attention_zoo.pipelines.engine.decoding.steps import (
    extend_until_done,
    length_penalty,
    log_normaliser,
    step_of,
)
from attention_zoo.pipelines.engine.text.special_tokens import BOS, EOS, PAD


def choose_token(
    log_probs: tf.Tensor,
    temperature: float,
    top_k: int,
    top_p: float,
    seed: tuple[int, int] | tf.Tensor,
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
        seed: Two integers. The same seed gives the same draw.
        first: Classes below this one are never picked. Defaults to `0`.

    Returns:
        int32 `(B,)`.

    Example:

    >>> choose_token(tf.constant([[0.0, 5.0, 1.0]]), temperature=1.0, top_k=1, top_p=1.0, seed=(1, 0)).numpy().tolist()
    [1]
    """
    if temperature == 0:
        likeliest, classes = steps.top_k(log_probs, first + 1)  # (B, first + 1): not all of them lie below `first`
        best = tf.argmax(tf.where(classes < first, -float("inf"), likeliest), axis=-1)
        return tf.gather(classes, best, batch_dims=1)
    log_probs = log_probs[:, first:] / temperature
    if not top_k and top_p == 1:
        return first + tf.random.stateless_categorical(log_probs, 1, seed, dtype=tf.int32)[:, 0]
    count = tf.shape(log_probs)[-1]
    likeliest, classes = steps.top_k(log_probs, tf.minimum(top_k, count) if top_k else count)  # (B, k), sorted
    before = tf.cumsum(tf.nn.softmax(likeliest), axis=-1, exclusive=True)  # mass of the likelier ones
    likeliest = tf.where(before < top_p, likeliest, -float("inf"))
    drawn = tf.random.stateless_categorical(likeliest, 1, seed, dtype=tf.int32)  # (B, 1)
    return first + tf.gather(classes, drawn, batch_dims=1)[:, 0]


def sample(
    model: keras.Model, memory: dict[str, Any], max_lengths: tf.Tensor, settings: DecodingSettings
) -> dict[str, tf.Tensor]:
    """Writes one hypothesis a sentence; see `decode` for arguments and results."""
    batch = tf.shape(max_lengths)[0]
    seed = tf.constant([settings.seed, 0])
    state = model.start(memory)
    advance, memory = step_of(model, memory)

    def write(step: tf.Tensor, living: dict[str, Any]) -> dict[str, Any]:
        logits, state, _ = advance(living)
        chosen = choose_token(
            logits,
            settings.temperature,
            settings.top_k,
            settings.top_p,
            tf.random.experimental.stateless_fold_in(seed, step),
            first=EOS,  # padding, unknown and begin of sentence have the ids below
        )
        finished = is_done(living)
        token = tf.where(finished | (step >= living["max_lengths"]), EOS, chosen)
        log_prob = tf.gather(logits, token, batch_dims=1) - log_normaliser(logits)
        scores = living["scores"] + tf.where(finished, 0.0, log_prob)
        tokens = tf.concat([living["tokens"], tf.where(token == EOS, PAD, token)[:, None]], axis=1)
        return living | {"token": token, "tokens": tokens, "scores": scores, "state": state}

    def is_done(living: dict[str, Any]) -> tf.Tensor:
        return living["token"] == EOS

    def answers(living: dict[str, Any]) -> tuple[tf.Tensor, tf.Tensor]:
        lengths = tf.math.count_nonzero(living["tokens"], axis=1, dtype=tf.int32)
        scores = living["scores"] / length_penalty(lengths + 1, settings.length_penalty)
        return living["tokens"][:, None], scores[:, None]

    living = {
        "token": tf.fill([batch], BOS),
        "tokens": tf.zeros([batch, 0], tf.int32),
        "scores": tf.zeros([batch]),
        "max_lengths": max_lengths,
        "state": state,
        "memory": memory,
    }
    return extend_until_done(write, is_done, answers, living)
