"""The second stage on drivers whose reasons are known."""

import numpy as np
import pytest

from attention_zoo.pipelines.engine.scores.causal_saliency import (
    blobs,
    deletion_ratio,
    examine,
    painted_over,
    regions_of,
    upsampled,
)

SIZE = (48, 64)


def peaks(*places, shape=(6, 8)):
    weights = np.zeros(shape, "float32")
    for row, column in places:
        weights[row, column] = 1 / len(places)
    return weights


def test_upsampling_keeps_the_mass_and_its_place():
    density = upsampled(peaks((1, 6)), SIZE)
    assert density.shape == SIZE and density.sum() == pytest.approx(1.0)
    assert np.argwhere(density == density.max()).mean(axis=0) == pytest.approx([11.5, 51.5], abs=1.0)


def test_each_peak_is_one_blob_where_it_is():
    found = blobs(peaks((1, 1), (4, 6)), SIZE, np.random.default_rng(0))
    assert found.shape == (2, *SIZE)
    centers = sorted(np.argwhere(mask).mean(axis=0).round().tolist() for mask in found)
    np.testing.assert_allclose(centers, [[11.5, 11.5], [35.5, 51.5]], atol=2)
    assert all(20 < mask.sum() < 400 for mask in found)


def test_uniform_attention_has_no_blobs():
    assert len(blobs(np.full((6, 8), 1 / 48, "float32"), SIZE, np.random.default_rng(0))) == 0


def test_painting_over_blackens_or_colors_the_mask_and_leaves_the_rest():
    frame = np.full((2, 2, 3), 200, "uint8")
    mask = np.array([[[True, False], [False, False]]])
    assert painted_over(frame, mask)[0, ..., 0].tolist() == [[0, 200], [200, 200]]
    assert painted_over(frame, mask, np.array([1.0, 2.0, 3.0]))[0, 0, 0].tolist() == [1, 2, 3]
    assert painted_over(frame, mask).dtype == np.uint8


def test_the_blob_that_the_driver_reads_is_causal_and_the_other_spurious():
    rng = np.random.default_rng(1)
    images = rng.integers(0, 100, (10, *SIZE, 3)).astype("uint8")
    images[:, 8:16, 8:16] = 255  # what this driver steers by

    def predict(frames, state):
        return frames[:, 8:16, 8:16].astype("float64").mean(axis=(1, 2, 3)) / 255 * state

    pairs = [(image, image) for image in images]
    truth = [(1.0, 1.0)] * 10
    report = examine(predict, pairs, truth, [(1.0, 1.0)] * 10, [peaks((1, 1), (4, 6))] * 10)
    assert report["blobs"] == 20 and report["spurious_share"] == 0.5 and report["deletion_frames"] == 10
    assert report["deletion_ratio_low"] > 1.5 and report["deletion_ratio"] <= report["deletion_ratio_high"]
    assert report["deletion_ratio_mean_color"] > 1.5


def test_without_a_truth_a_region_is_causal_if_its_place_moves_the_answer():
    frame = np.full((*SIZE, 3), 200, "uint8")

    def steer(frames):
        return frames[:, 8:16, 8:16].astype("float64").mean(axis=(1, 2, 3)) / 200

    found = regions_of(steer, frame, peaks((1, 1), (4, 6)), np.random.default_rng(0))
    by_place = sorted((np.mean(outline, axis=0).round().tolist(), effect, causal) for outline, effect, causal in found)
    assert [causal for *_, causal in by_place] == [True, False]
    assert by_place[0][1] > 0.9 and by_place[1][1] == 0
    np.testing.assert_allclose([place for place, *_ in by_place], [[12, 12], [52, 36]], atol=4)


def test_a_driver_that_does_not_look_has_no_causal_blob():
    frame = np.zeros((*SIZE, 3), "uint8")
    report = examine(lambda frames, _: np.zeros(len(frames)), [(frame, frame)], [(0.1, 0.1)], [(0, 0)], [peaks((2, 2))])
    assert report == {"blobs": 1, "spurious_share": 1.0, "deletion_frames": 0}


def test_the_interval_is_paired():
    """Hard frames are hard under both masks: their spread is none of the ratio's."""
    hard = np.random.default_rng(2).uniform(1, 100, 50)
    result = deletion_ratio(np.stack([3 * hard, hard], axis=1), np.random.default_rng(0))
    assert result == pytest.approx({"deletion_ratio": 3.0, "deletion_ratio_low": 3.0, "deletion_ratio_high": 3.0})
