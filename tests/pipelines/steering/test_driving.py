"""Closed loop, with drivers that are simpler than a network."""

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from attention_zoo.pipelines.steering.driving import describe, drive


def served(steer):
    """An export whose state counts the frames, and whose steering is `steer(count, image)`."""

    def start(image_bytes):
        return {"hidden": tf.zeros([1, 1]), "carry": tf.zeros([1, 1])}

    def step(image_bytes, hidden, carry):
        image = tf.io.decode_png(image_bytes[0]).numpy()
        steering = tf.constant([steer(int(hidden[0, 0]), image)], tf.float32)
        return {"steering": steering, "weights": tf.ones([1, 2, 2]) / 4, "hidden": hidden + 1, "carry": carry}

    return SimpleNamespace(signatures={"start": start, "step": step})


def test_the_state_is_handed_on_and_the_frames_are_those_of_the_game():
    pytest.importorskip("Box2D", reason="the simulator comes with the extra `driving`")
    seen = []

    def steer(count, image):
        seen.append((count, image))
        return 0.0

    report, watched = drive(served(steer), 7, max_decisions=4, watch=2)
    assert [count for count, _ in seen] == [0, 1, 2, 3]
    frames, weights, steering = watched
    assert len(frames) == len(weights) == len(steering) == 2 and report["decisions"] == 4 and report["seed"] == 7
    np.testing.assert_array_equal(frames[1], seen[1][1])
    assert frames.shape == (2, 84, 96, 3) and 0 < report["tiles"] < 0.2 and not report["left_the_road"]


def test_one_who_turns_in_a_circle_is_seen_to_leave_the_road():
    pytest.importorskip("Box2D", reason="the simulator comes with the extra `driving`")
    report, _ = drive(served(lambda count, image: 0.4 if count > 20 else 0.0), 7, max_decisions=90)
    first = report["left_the_road"][0]
    assert 20 < first["decision"] <= 90 and set(first) == {"decision", "tile", "x", "y"}
    assert f"first at decision {first['decision']}" in describe(report)
