"""A model steers along a drive that an expert drove: where it looks, and which regions caused its answers."""

import numpy as np
import tensorflow as tf

from attention_zoo.pipelines.engine.scores.causal_saliency import LATER, examine

EXAMINED = 480  # frames of a split that are examined for causal regions


def replay_drive(model, drive):
    """Asks a model for the steering at each frame of a drive, the state carried from the first frame to the last.

    Args:
        model: An `AttentiveDriver`.
        drive: A `Drive` of N frames.

    Returns:
        Steering `(N,)`, weights `(N, h, w)`, and the state (hidden, carry) before each frame, `(N, 2, U)`.
    """
    spec = tf.TensorSpec((1, *drive.frames.shape[1:]), tf.uint8)
    state = model.start(drive.frames[:1])
    state_spec = tf.TensorSpec((1, model.units), state[0].dtype)
    step = tf.function(model.step, input_signature=[spec, (state_spec, state_spec)], autograph=False)
    results = []
    for frame in drive.frames:
        before = state
        steering, weights, state = step(
            tf.constant(frame[None]), tuple(tf.cast(part, state_spec.dtype) for part in state)
        )
        results.append((steering[0], weights[0], tf.concat(before, axis=0)))
    return [np.stack([np.asarray(value) for value in column]) for column in zip(*results)]


def causal_saliency(model, drives, replays):
    """Examines which regions caused the answers, on frames of drives (see `causal_saliency.examine`).

    Args:
        model: An `AttentiveDriver`.
        drives: List of `Drive`s.
        replays: For each what `replay_drive` returned.

    Returns:
        A dict of figures by name.
    """
    frames, truths, states, weights = [], [], [], []
    every = max(1, sum(len(drive) for drive in drives) // EXAMINED)
    for drive, (_, maps, before) in zip(drives, replays):
        for row in range(LATER, len(drive) - LATER, every):
            pair = [row, row + LATER]
            frames.append(drive.frames[pair])
            truths.append(drive.steering[pair])
            states.append(before[pair])
            weights.append(maps[row])

    @tf.function(reduce_retracing=True, autograph=False)
    def answers(images, state):
        count = tf.shape(images)[0]
        return model.step(images, tuple(tf.repeat(part[None], count, axis=0) for part in tf.unstack(state)))[0]

    def predict(images, state):
        return answers(tf.constant(images), tf.constant(state)).numpy()

    return examine(predict, frames, truths, states, weights)
