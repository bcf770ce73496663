"""Closed loop, with drivers that are simpler than a network."""

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from attention_zoo.pipelines.steering.driving import describe, drive, write_gif


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
    assert len(watched) == 2 and report["decisions"] == 4 and report["seed"] == 7
    np.testing.assert_array_equal(watched[1][0], seen[1][1])
    assert watched[0][0].shape == (84, 96, 3) and 0 < report["tiles"] < 0.2 and not report["left_the_road"]


def test_one_who_turns_in_a_circle_is_seen_to_leave_the_road():
    pytest.importorskip("Box2D", reason="the simulator comes with the extra `driving`")
    report, _ = drive(served(lambda count, image: 0.4 if count > 20 else 0.0), 7, max_decisions=90)
    first = report["left_the_road"][0]
    assert 20 < first["decision"] <= 90 and set(first) == {"decision", "tile", "x", "y"}
    assert f"first at decision {first['decision']}" in describe(report)


def test_the_animation_has_the_frames_and_the_heat_beside_them(tmp_path):
    frame = np.full((20, 30, 3), 60, "uint8")
    weights = np.zeros((2, 3), "float32")
    weights[0, 0] = 1.0
    other = frame.copy()
    other[5:9] = 250
    watched = [(frame, weights, 0.0), (frame, weights, 0.0), (other, weights, 0.2), (other, weights, 0.2)]
    path = write_gif(watched, tmp_path / "a.gif")
    with Image.open(path) as image:
        assert image.n_frames == 2 and image.size == (120, 40)
        pixels = np.asarray(image.convert("RGB"), int)
    heat = np.abs(pixels[:, 60:] - pixels[:, :60]).sum(axis=-1)
    assert heat[:10, :10].mean() > 60 > 3 * heat[20:30, 40:].mean()
    with pytest.raises(ValueError, match="expected frames, received none"):
        write_gif([], tmp_path / "b.gif")
