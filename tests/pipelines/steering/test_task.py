"""What steering does besides what the end-to-end test of all tasks asks for."""

import json
from typing import ClassVar

import numpy as np
import pytest
import tensorflow as tf
from tiny_images import ROAD, encoded, road

from attention_zoo.pipelines.datasets.drives import Drive
from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.images.image_files import ImageFile
from attention_zoo.pipelines.engine.pages.contents import frames_content
from attention_zoo.pipelines.engine.serving.versions import load_saved_model
from attention_zoo.pipelines.engine.settings import ExportSettings, TrainingSettings
from attention_zoo.pipelines.steering.asking import Track, examine_clip, frames_of
from attention_zoo.pipelines.steering.replay import replay_drive
from attention_zoo.pipelines.steering.settings import DataSettings, DriveSettings, ModelSettings, SteeringConfig
from attention_zoo.pipelines.steering.task import Steering


def drive(count, seed):
    angles = np.random.default_rng(seed).uniform(-0.4, 0.4, count).astype("float32")
    return Drive(f"drive {seed}", np.stack([road(angle) for angle in angles]), angles)


def tiny(folder, directory, **training):
    return SteeringConfig(
        data=DataSettings(folder=folder, height=ROAD[0], width=ROAD[1], clip_frames=4),
        model=ModelSettings(units=4),
        training=TrainingSettings(**{"epochs": 1, "batch_tokens": 16, **training}),
        drive=DriveSettings(tracks=1, max_decisions=3),
        export=ExportSettings(directory=str(directory / "saved_models")),
    )


def task_of(tmp_path, **drives):
    task = Steering(tiny("", tmp_path), tmp_path)
    task.drives = {"train": [drive(24, 0)], "validation": [drive(9, 1)], "test": [drive(9, 2)]} | drives
    return task


@pytest.fixture
def finished(finished_run):
    pytest.importorskip("Box2D", reason="the simulator comes with the extra `driving`")
    return finished_run("steering")


def test_the_exported_model_drives_after_training(finished):
    metrics = json.loads((finished.run / "metrics.json").read_text())
    (report,) = json.loads((finished.run / "drives.json").read_text())
    assert report["seed"] == 4000 and report["decisions"] == 3
    assert metrics["drive/tiles_mean"] == pytest.approx(100 * report["tiles"])
    assert "attention-zoo predict steering track:" in finished.printed


def test_the_session_loader_serves_clips_and_single_frames_alike(finished, session_run):
    version = finished.version
    clip = [[encoded(road(angle)) for angle in row] for row in ((0.1, 0.2, 0.3), (-0.3, 0.0, 0.3))]
    seen = session_run(version, "attention", {"image_bytes": clip})
    assert seen["steering"].shape == (2, 3) and seen["weights"].shape == (2, 3, 2, 3)
    np.testing.assert_allclose(seen["weights"].sum(axis=(2, 3)), 1.0, atol=1e-5)
    best = session_run(version, "serving_default", {"image_bytes": clip})
    np.testing.assert_allclose(best["steering"], seen["steering"][:, -1], atol=1e-6)
    frames = [[row[t] for row in clip] for t in range(3)]
    state = session_run(version, "start", {"image_bytes": frames[0]})
    for t in range(3):
        state = session_run(
            version, "step", {"image_bytes": frames[t], "hidden": state["hidden"], "carry": state["carry"]}
        )
        np.testing.assert_allclose(state["steering"], seen["steering"][:, t], atol=1e-5)
        np.testing.assert_allclose(state["weights"], seen["weights"][:, t], atol=1e-5)


def test_empty_batches_get_empty_answers_and_what_is_no_image_one_clear_error(finished, session_run):
    version = finished.version
    none = np.zeros((0,), object)
    assert session_run(version, "serving_default", {"image_bytes": none.reshape(0, 3)})["steering"].shape == (0,)
    assert session_run(version, "attention", {"image_bytes": none.reshape(0, 3)})["weights"].shape == (0, 3, 2, 3)
    state = {name: np.zeros((0, 4), "float32") for name in ("hidden", "carry")}
    assert session_run(version, "step", {"image_bytes": none} | state)["steering"].shape == (0,)
    with pytest.raises(tf.errors.InvalidArgumentError, match="expected one frame at least"):
        session_run(version, "serving_default", {"image_bytes": none.reshape(1, 0)})
    answer = session_run(version, "serving_default", {"image_bytes": [[b"hello"]]})
    assert b"frame 1: image_bytes: expected a JPEG, PNG, GIF or BMP image" in answer["error"][0]
    state = {name: np.ones((1, 4), "float32") for name in ("hidden", "carry")}
    answer = session_run(version, "step", {"image_bytes": [b"hello"]} | state)
    assert answer["error"][0].startswith(b"image_bytes: ") and not answer["hidden"].any()
    large = encoded(np.zeros((300, 200, 3), "uint8"), "JPEG")
    assert np.isfinite(session_run(version, "serving_default", {"image_bytes": [[large]]})["steering"]).all()


def test_an_answer_to_a_clip_has_a_line_a_frame_and_one_to_a_track_its_report(finished):
    served = load_saved_model(finished.version.parent, "steering")
    frames = [ImageFile(f"{number}.png", encoded(road(0.1 * number))) for number in range(3)]
    (clip,) = Steering.ask(served, frames, attention=True)
    assert len(clip["regions"]) == len(Steering.view(clip).regions) == 3 and None not in clip["regions"]
    assert "regions" not in next(iter(Steering.ask(served, frames)))
    assert [f"{angle:+.4f}" for angle in clip["steering"]] == Steering.say(clip).splitlines()
    assert clip["input"] == "0.png 1.png 2.png" and len(Steering.view(clip).images) == 3
    with pytest.raises(UserError, match="received both"):
        list(Steering.ask(served, [Track(4), frames[0]]))


def test_evenly_spaced_frames_of_a_long_clip_are_examined(finished, monkeypatch):
    monkeypatch.setattr("attention_zoo.pipelines.steering.asking.EXAMINED", 2)
    served = load_saved_model(finished.version.parent, "steering")
    frames, weights = np.stack([road(0.1 * number) for number in range(5)]), np.zeros((5, 2, 3))
    weights[:, 0, 1] = 1
    regions = examine_clip(served, frames, weights)
    assert [one is None for one in regions] == [False, True, True, False, True]
    assert frames_content(frames_of(frames, weights, np.zeros(5), regions=regions))["regions"][1] is None


def test_a_region_is_causal_where_painting_it_over_moves_the_served_answer():
    class Steers:
        """Steers by the brightness of the top left corner of the frame."""

        signatures: ClassVar = {
            "start": lambda image_bytes: {"hidden": tf.zeros((1, 4)), "carry": tf.zeros((1, 4))},
            "step": lambda image_bytes, hidden, carry: {
                "steering": tf.stack([tf.reduce_mean(tf.io.decode_png(one)[8:16, 8:16] / 255) for one in image_bytes]),
                "hidden": hidden,
                "carry": carry,
            },
        }

    frames, weights = np.full((1, 48, 64, 3), 200, "uint8"), np.zeros((1, 6, 8))
    weights[0, 1, 1] = weights[0, 4, 6] = 0.5
    (regions,) = examine_clip(Steers, frames, weights)
    places = {tuple((np.mean(outline, axis=0) // 24).astype(int).tolist()): causal for outline, _, causal in regions}
    assert places == {(0, 0): True, (2, 1): False}


def test_a_drive_can_be_watched(monkeypatch):
    def drive(served, seed, watch):
        frames = np.zeros((watch, 8, 8, 3), "uint8"), np.ones((watch, 2, 2)), np.zeros(watch)
        report = {"seed": seed, "tiles": 0.5, "return": 9.0, "decisions": 7, "left_the_road": []}
        return report, frames if watch else ()

    monkeypatch.setattr("attention_zoo.pipelines.steering.asking.drive", drive)
    monkeypatch.setattr("attention_zoo.pipelines.steering.asking.examine_clip", lambda served, frames, _: [[]] * 250)
    first, second = Steering.ask(None, [Track(4), Track(5)], attention=True)
    assert (
        first["input"] == "track:4" and len(Steering.view(second).images) == len(Steering.view(second).regions) == 250
    )
    assert Steering.say(second) == "track 5: 50.0% of the tiles, return 9, 7 decisions; never left the road"
    (unseen,) = Steering.ask(None, [Track(4)])
    assert "frames" not in unseen


def test_pictures_of_test_frames_know_the_angle_of_the_expert(tmp_path, monkeypatch):
    def replay(model, drive):
        return np.zeros(len(drive)), np.ones((len(drive), 2, 2)), None

    task, views = task_of(tmp_path), []
    monkeypatch.setattr("attention_zoo.pipelines.steering.task.replay_drive", replay)
    monkeypatch.setattr("attention_zoo.pipelines.steering.task.draw", lambda view, path: views.append(view) or path)
    assert [path.name for path in task.illustrate(None, tmp_path)] == [f"attention-{row}.png" for row in range(1, 6)]
    longest = max(task.drives["test"], key=len)
    shown = [float(view.truths[0]) for view in views]
    assert shown == sorted(shown) and (shown[0], shown[-1]) == (longest.steering.min(), longest.steering.max())
    pairs = list(zip(longest.frames, longest.steering))
    for view in views:  # two frames can look the same, so the pair of frame and angle is what must be in the drive
        assert any(np.array_equal(frame, view.images[0]) and angle == view.truths[0] for frame, angle in pairs)


def test_training_batches_are_clips_in_order_some_mirrored(tmp_path):
    task = task_of(tmp_path)
    batches = list(task.preprocess("train", 0))
    assert [tuple(batch["frames"].shape) for batch in batches] == [(4, 4, *ROAD, 3), (2, 4, *ROAD, 3)]
    mirrored = 0
    source = task.drives["train"][0]
    for clip, steering in zip(*(np.concatenate([batch[name] for batch in batches]) for name in ("frames", "steering"))):
        forward = [s for s in range(21) if np.allclose(source.steering[s : s + 4], steering)]
        backward = [s for s in range(21) if np.allclose(source.steering[s : s + 4], -steering)]
        mirrored += bool(backward)
        (begin,), sign = (forward, 1) if forward else (backward, -1)
        np.testing.assert_array_equal(clip, source.frames[begin : begin + 4, :, ::sign])
    assert 0 < mirrored < 6
    np.testing.assert_array_equal(list(task.preprocess("train", 0))[0]["frames"], batches[0]["frames"])
    assert not np.array_equal(list(task.preprocess("train", 1))[0]["frames"], batches[0]["frames"])


def test_dev_clips_go_through_the_drive_once(tmp_path):
    task = task_of(tmp_path)
    steering = np.concatenate([batch["steering"] for batch in task.preprocess("validation", 0)])
    np.testing.assert_array_equal(steering.ravel(), task.drives["validation"][0].steering[:8])


def test_the_loss_is_the_papers(tmp_path):
    task = task_of(tmp_path)
    model = task.build()
    batch = next(iter(task.preprocess("train", 0)))
    total, weight, parts = task.loss(model, batch, training=True)
    steering, scores = model(batch["frames"], return_attention_scores=True)
    error = np.abs(np.array(steering) - batch["steering"].numpy()).sum()
    coverage = np.square(1 - np.array(scores["driver/spatial"]).sum(axis=1)).sum()
    assert float(weight) == 16 and float(parts["loss"]) == pytest.approx(error, rel=1e-5)
    assert float(total) == pytest.approx(error + task.config.model.coverage * coverage, rel=1e-5)


def test_the_drive_along_carries_the_state_like_one_long_clip(tmp_path):
    task = task_of(tmp_path)
    model, lap = task.build(), task.drives["test"][0]
    steering, weights, states = replay_drive(model, lap)
    whole, scores = model(lap.frames[None], return_attention_scores=True)
    np.testing.assert_allclose(steering, whole[0], atol=1e-5)
    np.testing.assert_allclose(weights, scores["driver/spatial"][0], atol=1e-5)
    assert states.shape == (9, 2, 4)
    np.testing.assert_allclose(states[0], np.concatenate(model.start(lap.frames[:1])), atol=1e-6)


def test_an_input_of_predict_is_a_track_or_a_file(tmp_path):
    assert Steering.read_input("track:12") == Track(12)
    (tmp_path / "a.png").write_bytes(encoded(road(0.0)))
    assert Steering.read_input(str(tmp_path / "a.png")).image_bytes.startswith(b"\x89PNG")
    for wrong in ("track:one", "track:-1", "nothing.png"):
        with pytest.raises(UserError, match="expected an image file"):
            Steering.read_input(wrong)
