"""One hypothesis a sentence: the likeliest token at each step, or one drawn."""

import tensorflow as tf

from attention_zoo.pipelines.engine.decoding_steps import StateLoop, greatest, length_penalty
from attention_zoo.pipelines.engine.text import BOS, EOS, PAD


def choose_token(log_probs, temperature, top_k, top_p, seed):
    """Picks a class of each row.

    The probabilities are tempered first, cut to the `top_k` likeliest (Fan et al. 2018) and then to the nucleus of mass
    `top_p` (Holtzman et al. 2020, section 3.1).

    Args:
        log_probs: Unnormalised float32 log-probabilities `(B, V)`.
        temperature: 0 picks the likeliest.
        top_k: Classes to draw from; 0 is all.
        top_p: Mass of the smallest set of likeliest classes to draw from; 1 is all.
        seed: Two integers; the same give the same draw.

    Returns:
        int32 `(B,)`.

    Example:

    >>> choose_token(tf.constant([[0.0, 5.0, 1.0]]), temperature=1.0, top_k=1, top_p=1.0, seed=[1, 0]).numpy().tolist()
    [1]
    """
    if temperature == 0:
        return tf.argmax(log_probs, axis=-1, output_type=tf.int32)
    log_probs = log_probs / temperature
    if not top_k and top_p == 1:
        return tf.random.stateless_categorical(log_probs, 1, seed, dtype=tf.int32)[:, 0]
    count = tf.shape(log_probs)[-1]
    likeliest, classes = greatest(log_probs, tf.minimum(top_k, count) if top_k else count)  # (B, k), sorted
    before = tf.cumsum(tf.nn.softmax(likeliest), axis=-1, exclusive=True)  # mass of the likelier ones
    likeliest = tf.where(before < top_p, likeliest, -float("inf"))
    drawn = tf.random.stateless_categorical(likeliest, 1, seed, dtype=tf.int32)  # (B, 1)
    return tf.gather(classes, drawn, batch_dims=1)[:, 0]


def sample(model, memory, max_lengths, settings):
    """Writes one hypothesis a sentence; see `decode` for arguments and results."""
    state = model.start(memory)
    loop = StateLoop(model, memory, state)
    batch = tf.shape(max_lengths)[0]
    seed = tf.constant([settings.seed, 0])

    def unfinished(step, token, *_):
        return tf.reduce_any(token != EOS)

    def write(step, token, tokens, scores, state):
        log_probs, state, _ = loop.step(token, state)
        # Padding, unknown and begin of sentence have the ids below EOS.
        chosen = EOS + choose_token(
            log_probs[:, EOS:],
            settings.temperature,
            settings.top_k,
            settings.top_p,
            tf.random.experimental.stateless_fold_in(seed, step),
        )
        finished = token == EOS
        token = tf.where(finished | (step >= max_lengths), EOS, chosen)
        scores += tf.where(finished, 0.0, tf.gather(log_probs, token, batch_dims=1))
        tokens = tf.concat([tokens, tf.where(token == EOS, PAD, token)[:, None]], axis=1)
        return step + 1, token, tokens, scores, state

    _, _, tokens, scores, _ = tf.while_loop(
        unfinished,
        write,
        (0, tf.fill([batch], BOS), tf.zeros([batch, 0], tf.int32), tf.zeros([batch]), tf.nest.flatten(state)),
        shape_invariants=(
            tf.TensorShape([]),
            tf.TensorShape([None]),
            tf.TensorShape([None, None]),
            tf.TensorShape([None]),
            loop.shapes,
        ),
    )
    tokens = tokens[:, :-1]  # in the last step all wrote the end
    lengths = tf.reduce_sum(tf.cast(tokens != PAD, tf.int32), axis=1)
    scores /= length_penalty(lengths + 1, settings.length_penalty)
    return {"tokens": tokens[:, None], "lengths": lengths[:, None], "scores": scores[:, None]}
