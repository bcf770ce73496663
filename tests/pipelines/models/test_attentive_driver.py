"""The driver of Kim and Canny: sizes of the paper, the order of time, and the state that is handed on."""

import keras
import numpy as np
import pytest
from fitting import compile_built

from attention_zoo.pipelines.models import AttentiveDriver, UniformDriver

SIZE = {"height": 16, "width": 24, "units": 5}


def frames(batch=2, time=4, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (batch, time, 16, 24, 3), dtype="uint8")


def built(model_class=AttentiveDriver, **changes):
    keras.utils.set_random_seed(7)
    model = model_class(**(SIZE | changes))
    model.build()
    return model


def test_the_papers_frames_give_the_papers_two_hundred_locations():
    model = AttentiveDriver.paper(units=2)
    assert model.grid == (10, 20) and [c.filters for c in model.convolutions] == [24, 36, 48, 64, 64]
    _, scores = model(np.zeros((1, 1, 80, 160, 3), "uint8"), return_attention_scores=True)
    assert tuple(scores["driver/spatial"].shape) == (1, 1, 10, 20)


def test_parameters_are_those_of_the_equations():
    u, s, d = 5, 2 * 3, 64
    convolutions = [(3, 24, 5), (24, 36, 5), (36, 48, 5), (48, 64, 3), (64, 64, 3)]
    seen = sum(k * k * a * b + b for a, b, k in convolutions)
    start = 2 * (d * u + u)
    attention, gate = u * u + d * u + u, u + 1
    lstm = 4 * u * (s * d + u + 1)
    out = (s * d + u) * u + u + u + 1
    assert built().count_params() == seen + start + attention + gate + lstm + out
    assert built(UniformDriver).count_params() == seen + start + gate + lstm + out


def test_an_answer_does_not_depend_on_later_frames_but_does_on_earlier_ones():
    model, clip = built(), frames()
    before = np.array(model(clip))
    clip[:, 2] = 255 - clip[:, 2]
    after = np.array(model(clip))
    np.testing.assert_allclose(after[:, :2], before[:, :2], atol=1e-6)
    assert np.abs(after[:, 2:] - before[:, 2:]).min() > 1e-6


@pytest.mark.parametrize("model_class", [AttentiveDriver, UniformDriver])
def test_a_clip_in_two_halves_is_the_clip(model_class):
    model, clip = built(model_class), frames()
    whole, scores = model(clip, return_attention_scores=True)
    features = model.see(clip)
    first, _, state = model.drive(features[:, :3], model.start(clip[:, 0]))
    second, weights, _ = model.drive(features[:, 3:], state)
    np.testing.assert_allclose(np.concatenate([first, second], axis=1), whole, atol=1e-6)
    np.testing.assert_allclose(weights[:, 0], scores["driver/spatial"][:, 3], atol=1e-6)
    np.testing.assert_allclose(np.sum(scores["driver/spatial"], axis=(2, 3)), 1.0, atol=1e-5)


def test_where_it_looks_depends_on_the_state_before_the_frame():
    model = built()
    features, ones = model.see(frames(time=1)), np.ones((2, 5), "float32")
    (_, first, _), (_, second, _) = (model.drive(features, (sign * ones, 0 * ones)) for sign in (1, -1))
    assert np.abs(np.array(first) - np.array(second)).max() > 1e-4


@pytest.mark.parametrize("model_class", [AttentiveDriver, UniformDriver])
def test_it_learns_by_fit_alone_and_is_saved(model_class, tmp_path):
    model, clips = built(model_class), frames(8, 3)
    target = np.linspace(-0.3, 0.3, 8, dtype="float32")[:, None].repeat(3, axis=1)
    compile_built(model, keras.optimizers.Adam(3e-3), "mae", jit_compile=False)
    losses = model.fit(clips, target, epochs=12, batch_size=8, verbose=0).history["loss"]
    assert losses[-1] < 0.7 * losses[0]
    model.save(tmp_path / "driver.keras")
    again = keras.models.load_model(tmp_path / "driver.keras")
    np.testing.assert_allclose(again(clips), model(clips), atol=1e-6)
