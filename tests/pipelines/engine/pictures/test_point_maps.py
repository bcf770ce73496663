"""Labels of points do not overlap, and what does not fit is left out and counted."""

import numpy as np
import pytest

from attention_zoo.pipelines.engine.pictures.draw import draw
from attention_zoo.pipelines.engine.pictures.point_maps import place_labels
from attention_zoo.pipelines.engine.views import PointMap


def boxes_of(found, sizes):
    kept = [row for row, spot in enumerate(found) if spot is not None]
    centres = np.array([found[row][:2] for row in kept])
    return np.concatenate([centres - sizes[kept] / 2, centres + sizes[kept] / 2], axis=1)


def test_no_label_covers_a_label_a_point_or_the_border():
    rng = np.random.default_rng(0)
    places, sizes = rng.uniform(0, 600, (150, 2)), rng.uniform([20, 8], [60, 12], (150, 2))
    found = place_labels(places, sizes, (0, 0, 600, 600), scale=1.0)
    boxes = boxes_of(found, sizes)
    assert len(boxes) > 100
    for number, (left, bottom, right, top) in enumerate(boxes):
        others = np.delete(boxes, number, axis=0)
        assert not (
            (others[:, 0] < right) & (others[:, 2] > left) & (others[:, 1] < top) & (others[:, 3] > bottom)
        ).any()
        assert not ((places > [left, bottom]) & (places < [right, top])).all(axis=1).any()
        assert min(left, bottom) >= 0 and max(right, top) <= 600


def test_a_label_without_room_has_no_place():
    places, sizes = np.full((60, 2), 50.0), np.full((60, 2), 30.0)
    found = place_labels(places, sizes, (0, 0, 100, 100), scale=1.0)
    assert found.count(None) > 50 and any(spot is not None for spot in found)


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_any_label_and_equal_points_can_be_drawn(tmp_path, suffix):
    labels = ["cat", "$x_1", "東京", "a" * 300, "سلام", "", "\u200b", "&<>"]
    view = PointMap(np.zeros((8, 2)), labels, ["one", "two"] * 4, "a <title>")
    assert draw(view, tmp_path / f"map{suffix}").stat().st_size > 1000


@pytest.mark.parametrize(
    "points, labels, groups",
    [(np.zeros((0, 2)), [], []), (np.zeros((2, 3)), ["a", "b"], []), (np.zeros((2, 2)), ["a", "b"], ["x"])],
)
def test_points_labels_and_groups_must_fit(tmp_path, points, labels, groups):
    with pytest.raises(ValueError, match="expected"):
        draw(PointMap(points, labels, groups), tmp_path / "map.png")
