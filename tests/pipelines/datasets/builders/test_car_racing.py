"""The recorded expert, on the first metres of a track; needs the extra `driving`."""

import numpy as np
import pytest
import tensorflow_datasets as tfds

from attention_zoo.pipelines.datasets.builders import car_racing
from attention_zoo.pipelines.datasets.builders.car_racing_expert import (
    FAST,
    MAX_STEERING,
    Race,
    make_environment,
    pedals,
    record,
)
from attention_zoo.pipelines.datasets.drives import read_split
from attention_zoo.pipelines.engine.errors import UserError

pytest.importorskip("Box2D", reason="the simulator comes with the extra `driving`")


def test_splits_have_no_track_in_common():
    seeds = [seed for seeds in car_racing.TRACKS.values() for seed in seeds]
    assert len(seeds) == len(set(seeds)) == 23 and max(seeds) < 4000


def test_the_instruments_are_not_in_the_frame():
    with Race(7) as race:
        for _ in range(20):
            race.step(0.0)
        whole = race.world._render("state_pixels")
    assert race.frame.shape == (84, 96, 3) and race.frame.dtype == np.uint8
    np.testing.assert_array_equal(race.frame, whole[:84])
    assert (whole[84:90].max(axis=-1) < 20).mean() > 0.5, "the black bar lies below the rows that are kept"


def test_the_same_seed_gives_the_same_lap_and_noise_changes_only_later_answers():
    first, again, calm = (record(7, noise=noise, max_decisions=12) for noise in (0.2, 0.2, 0.0))
    np.testing.assert_array_equal(first["frames"], again["frames"])
    np.testing.assert_array_equal(first["steering"], again["steering"])
    assert first["steering"][0] == calm["steering"][0], "the label is the expert's answer, not what the wheels got"
    assert np.abs(first["steering"] - calm["steering"]).max() > 1e-4, "and it answers where the noise has led to"
    assert np.abs(first["steering"]).max() <= MAX_STEERING


def test_the_expert_turns_back_to_the_road():
    """Three metres right of the line it steers to the left, and three metres left of it to the right."""
    answers = []
    with Race(7) as race:
        x, y = race.line[0]
        angle = race.world.car.hull.angle
        race.line = np.array([[x, y]]) + np.arange(80)[:, None] * [[-np.sin(angle), np.cos(angle)]]  # straight ahead
        for aside in (3.0, -3.0):
            race.line = race.line - aside * np.array([[np.cos(angle), np.sin(angle)]])
            answers.append(race.expert_steering())
            race.line = race.line + aside * np.array([[np.cos(angle), np.sin(angle)]])
    assert answers[0] < -0.05 and answers[1] == pytest.approx(-answers[0], abs=0.02)


def test_gas_and_brake_follow_steering_and_speed():
    assert pedals(0.0, FAST) == (0.0, 0.0)
    assert pedals(0.0, 0.0)[0] == 1.0 and pedals(0.3, FAST)[1] > 0
    assert pedals(0.1, 30.0)[0] > pedals(-0.15, 30.0)[0]


def test_the_builder_stores_laps_in_order(tmp_path, monkeypatch):
    monkeypatch.setattr(car_racing, "TRACKS", {"train": [1, 2], "validation": [3], "test": [4]})

    def short(seeds):
        return ((seed, record(seed, noise=0.1, max_decisions=3)) for seed in seeds)

    monkeypatch.setattr(car_racing, "laps", short)
    builder = car_racing.CarRacing(data_dir=tmp_path)
    builder.download_and_prepare()
    rows = list(tfds.as_numpy(builder.as_dataset(split="train")))
    assert [(row["episode"], row["step"]) for row in rows] == [(1, 0), (1, 1), (1, 2), (2, 0), (2, 1), (2, 2)]
    again = record(2, noise=0.1, max_decisions=3)
    np.testing.assert_array_equal(rows[5]["frame"], again["frames"][2])
    assert rows[5]["steering"] == again["steering"][2] and rows[5]["speed"] == again["speed"][2]
    drives = read_split(builder, "train", (84, 96))
    assert [drive.name for drive in drives] == ["train 1", "train 2"]
    np.testing.assert_array_equal(drives[1].frames, again["frames"])
    np.testing.assert_array_equal(drives[1].steering, again["steering"])
    assert read_split(builder, "test", (42, 48))[0].frames.shape == (3, 42, 48, 3)


def test_laps_are_driven_by_processes_in_the_order_of_the_seeds():
    found = list(car_racing.laps([9, 8], max_decisions=2))
    assert [seed for seed, _ in found] == [9, 8]
    np.testing.assert_array_equal(found[1][1]["frames"], record(8, noise=car_racing.NOISE, max_decisions=2)["frames"])


def test_without_the_simulator_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "gymnasium", None)
    with pytest.raises(UserError, match=r'pip install "attention-zoo\[driving\]"'):
        make_environment()
