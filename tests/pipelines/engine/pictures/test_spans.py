"""Pictures of entities: drawn for any text, and the parts that fit together."""

import numpy as np
import pytest
from matplotlib.image import imread

from attention_zoo.pipelines.engine.pictures import spans
from attention_zoo.pipelines.engine.pictures.draw import draw
from attention_zoo.pipelines.engine.views import Spans

NAMES = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]


def view(text, found=(), weights=None):
    words = text.split()
    lattice = np.full((len(NAMES), len(words)), 0.2)
    places = [(text.index(one), text.index(one) + len(one), label, 0.9) for one, label in found]
    return Spans(text, places, words, ["O"] * len(words), NAMES, lattice, weights)


@pytest.mark.parametrize(
    "text, found",
    [
        ("Ann went to $5 Rome", [("Ann", "PER"), ("Rome", "LOC")]),
        ("one", []),
        ("東京 שלום مرحبا 👩🏽\u200d🚀 $x_1$ \x01", [("東京", "LOC")]),
        ("word " * 300 + "Rome", [("Rome", "LOC")]),
        ("x" * 3000, [("x" * 3000, "LOC")]),
    ],
    ids=["plain", "nothing found", "scripts", "long", "one long word"],
)
@pytest.mark.parametrize("attends", [False, True])
def test_any_text_is_drawn(text, found, attends, tmp_path):
    count = len(text.split())
    path = draw(view(text, found, np.full((count, count), 1 / count) if attends else None), tmp_path / "a.png")
    height, width, _ = imread(path).shape
    assert 200 < height < 6000 and 900 < width < 6000


def test_the_rows_of_entities_are_the_means_of_their_words():
    weights = np.arange(16.0).reshape(4, 4)
    one = view("Ann Lee in Rome", [("Ann Lee", "PER"), ("Rome", "LOC")], weights)
    np.testing.assert_array_equal(spans._attended(one), [weights[:2].mean(axis=0), weights[3]])


def test_a_lattice_of_another_shape_is_refused(tmp_path):
    one = view("Ann went")
    with pytest.raises(ValueError, match=r"lattice: expected shape \(5, 1\)"):
        draw(Spans(one.text, [], ["Ann"], ["O"], NAMES, one.lattice), tmp_path / "a.png")
