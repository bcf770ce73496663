from dataclasses import replace

import numpy as np
import pytest

from attention_zoo.pipelines.engine.pictures import alignments, heat_maps
from attention_zoo.pipelines.engine.pictures.words import join_pieces, words_of
from attention_zoo.pipelines.engine.views import Alignment, HeatMaps


def test_source_pieces_are_summed_and_target_pieces_averaged():
    weights = np.array([[0.1, 0.2, 0.3, 0.4], [0.3, 0.4, 0.1, 0.2], [0.0, 0.0, 0.0, 1.0]])
    joined, source, target = join_pieces(weights, ["\u25816", "9", "\u2581cats", "</s>"], ["\u2581ch", "ats", "</s>"])
    assert source == ["69", "cats", "</s>"] and target == ["chats", "</s>"]
    np.testing.assert_allclose(joined, [[0.5, 0.2, 0.3], [0.0, 0.0, 1.0]])
    np.testing.assert_allclose(joined.sum(axis=1), 1.0)


@pytest.mark.parametrize(
    "pieces, words",
    [
        (["\u2581un", "e"], ["une"]),
        (["e", "\u2581un"], ["e", "un"]),
        (["\u2581", "un"], ["un"]),
        (["\u2581猫", "が", "いる", "</s>"], ["猫", "が", "いる", "</s>"]),
        (["\u2581고양", "이"], ["고양이"]),
        (["</s>", "a"], ["</s>", "a"]),
        (["</s>"], ["</s>"]),
    ],
)
def test_words_begin_at_the_mark_and_at_special_tokens(pieces, words):
    starts, joined = words_of(pieces)
    assert joined == words and starts[0] == 0 and len(starts) == len(words)


def test_the_axes_of_an_alignment_are_named(tmp_path, figures):
    view = Alignment(["a"], ["b"], [[[1.0]]], title="a → b", sides=("source", "translation"))
    alignments.draw_alignment(view, tmp_path / "x.png")
    axes = figures[0].axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("source", "translation")
    assert figures[0].get_suptitle() == "a → b"


def test_pieces_are_joined_in_every_map_unless_they_are_asked_for(tmp_path, figures):
    weights = np.array([[[0.2, 0.3, 0.5]], [[0.5, 0.5, 0.0]]])
    view = Alignment(["\u25816", "9", "\u2581cats"], ["\u2581chats"], weights)
    for view in (view, replace(view, join=False)):
        alignments.draw_alignment(view, tmp_path / "x.png")
    joined, pieces = ([text.get_text() for text in figure.axes[0].get_xticklabels()] for figure in figures)
    assert joined == ["69", "cats"] and pieces == ["_6", "9", "_cats"]
    drawn = [axes.collections[0].get_array().ravel() for axes in figures[0].axes[:2]]
    np.testing.assert_allclose(drawn, [[0.5, 0.5], [1.0, 0.0]], atol=1e-6)


def test_maps_of_several_kinds_have_their_own_scales_and_say_their_largest(tmp_path, figures):
    maps = np.stack([np.full((2, 2), 0.25), np.eye(2) / 2])
    view = HeatMaps(np.zeros((4, 4, 3), "uint8"), maps, ["rollout", "head 1"], one_scale=False)
    heat_maps.draw_heat_maps(view, tmp_path / "x.png")
    _, one, two, scale = figures[0].axes
    assert [axes.get_title() for axes in (one, two)] == ["rollout (up to 0.25)", "head 1 (up to 0.5)"]
    assert [axes.images[1].get_array().max() for axes in (one, two)] == [1.0, 1.0]
    assert [axes.images[1].get_clim() for axes in (one, two)] == [(0.0, 1.0)] * 2
    assert scale.get_ylabel() == "share of the map's largest weight"


def test_the_image_comes_first_and_its_maps_share_one_scale(tmp_path, figures):
    image = np.arange(48, dtype="uint8").reshape(4, 4, 3)
    maps = np.stack([np.full((2, 2), 0.25), np.eye(2) / 2])
    view = HeatMaps(image, maps, ["a", "cat"], "a cat", known="reference: the cat")
    heat_maps.draw_heat_maps(view, tmp_path / "x.png")
    first, one, two, scale = figures[0].axes
    assert len(first.images) == 1 and np.array_equal(first.images[0].get_array(), image)
    assert [axes.get_title() for axes in (first, one, two)] == ["input", "a", "cat"]
    assert [axes.images[1].get_clim() for axes in (one, two)] == [(0.0, 0.5)] * 2
    assert [text.get_text() for text in scale.get_yticklabels()] == ["0", "0.25", "0.5"]
    assert scale.get_ylabel() == "weight, up to the largest"
    assert figures[0].get_suptitle() == "a cat\nreference: the cat"
