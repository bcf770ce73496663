"""Scenes of emoji have true sentences, boxes around their things, and test combinations that training lacks."""

import io
import re

import numpy as np
import pytest
from PIL import Image

from attention_zoo.pipelines.datasets.builders.emoji_scenes import BACKGROUNDS, fitted, paint, things
from attention_zoo.pipelines.datasets.builders.scenes import APART, CANVAS, SIZES, Placed, compose, sentences, split_of
from attention_zoo.pipelines.engine.text.words import split_words

NAMES = ["dog", "green apple", "orange book", "key", "owl", "bus", "sun"]


@pytest.fixture(scope="module")
def scenes():
    return compose(NAMES, {"train": 300, "validation": 20, "test": 20}, seed=1)


def test_splits_share_no_combination_but_all_things(scenes):
    combinations = {split: {frozenset(p.name for p in scene) for scene in scenes[split]} for split in scenes}
    assert not combinations["train"] & combinations["test"] and not combinations["validation"] & combinations["test"]
    assert set().union(*combinations["test"]) <= set().union(*combinations["train"]) == set(NAMES)
    assert {len(scene) for scene in scenes["train"]} == {1, 2, 3, 4} and min(map(len, scenes["test"])) == 2
    assert scenes == compose(NAMES, {"train": 300, "validation": 20, "test": 20}, seed=1)


def test_things_lie_on_the_canvas_apart_from_each_other(scenes):
    for scene in scenes["train"]:
        for i, one in enumerate(scene):
            assert 0 <= one.left <= CANVAS - one.size and 0 <= one.top <= CANVAS - one.size and one.size in SIZES
            for other in scene[:i]:
                assert abs(one.center(0) - other.center(0)) >= APART and abs(one.center(1) - other.center(1)) >= APART
                overlap = [
                    min(a + one.size, b + other.size) - max(a, b)
                    for a, b in ((one.left, other.left), (one.top, other.top))
                ]
                assert min(overlap) <= 0


def test_mentions_are_the_words_of_the_names(scenes):
    for scene in scenes["train"]:
        said = sentences(scene)
        assert len({sentence.text for sentence in said}) == (3 if len(scene) == 1 else 4)
        for text, mentions in said:
            assert {number for *_, number in mentions} == set(range(len(scene)))
            for start, end, number in mentions:
                assert " ".join(split_words(text)[start:end]) == scene[number].name
                assert split_words(text)[start - 1] == ("an" if scene[number].name[0] in "aeiou" else "a")


def test_sentences_are_true(scenes):
    """A parser reads the sentences back and compares them with the places of the things."""
    axes = {"left": (0, 1), "right": (0, -1), "top": (1, 1), "bottom": (1, -1), "above": (1, 1), "below": (1, -1)}
    checked = 0
    for scene in scenes["test"]:
        for text, mentions in sentences(scene):
            axis, sign = axes[re.search(r"left|right|top|bottom|above|below", text)[0]]
            places = [sign * scene[number].center(axis) for *_, number in mentions]
            assert places == sorted(places), text
            checked += 1
    assert checked == 80


@pytest.mark.parametrize(
    "left, top, place", [(0, 0, "top left"), (34, 34, "center"), (60, 36, "right"), (36, 66, "bottom")]
)
def test_a_thing_alone_is_placed_by_thirds(left, top, place):
    said = sentences([Placed("owl", left, top, 28)])
    assert [sentence.text for sentence in said] == [
        *(f"an owl at the {place}", f"there is an owl at the {place}", f"at the {place} there is an owl"),
    ]


def test_a_combination_has_one_split_in_any_order():
    splits = {split_of([one, other, "sun"]) for one in NAMES[:6] for other in NAMES[:6]}
    assert splits == {"train", "validation", "test"} or len(splits) > 1
    assert split_of(["dog", "key"]) == split_of(["key", "dog"])


def test_names_are_those_of_unicode():
    names = things()
    assert 60 <= len(names) <= 100 and names["red apple"] == 0x1F34E and names["snowman"] == 0x26C4
    assert all(re.fullmatch(r"[a-z]+( [a-z]+)*", name) for name in names)
    assert not any(name.endswith("s") for name in names if name not in ("bus", "cactus", "octopus")), (
        "no plurals after `a`"
    )


def test_boxes_hold_the_drawings_of_their_things():
    drawings = {}
    for name, color, shape in (("dog", (255, 0, 0, 255), (40, 20)), ("key", (0, 0, 255, 255), (10, 30))):
        drawings[name] = {size: fitted(Image.new("RGBA", shape, color), size) for size in SIZES}
    file, boxes = paint([Placed("dog", 10, 50, 24), Placed("key", 60, 3, 36)], drawings, BACKGROUNDS[0])
    pixels = np.array(Image.open(io.BytesIO(file.read())), int)
    assert pixels.shape == (CANVAS, CANVAS, 3)
    for (top, left, bottom, right), color in zip(np.array(boxes) * CANVAS, ([255, 0, 0], [0, 0, 255])):
        rows, columns = np.nonzero((np.abs(pixels - color).sum(-1)) < 30)
        assert (rows.min(), columns.min(), rows.max() + 1, columns.max() + 1) == (top, left, bottom, right)
    assert boxes[0][3] - boxes[0][1] == 24 / CANVAS and boxes[0][2] - boxes[0][0] == 12 / CANVAS  # its own proportions
