"""Pictures of texts: each sentence with its weight, words the darker the heavier, long texts cut to what matters."""

import numpy as np
import pytest
from matplotlib.image import imread

from attention_zoo.pipelines.engine.pictures import shaded_text
from attention_zoo.pipelines.engine.pictures.draw import draw
from attention_zoo.pipelines.engine.views import ShadedText


def boxes(axes, color):
    from matplotlib.colors import to_rgb

    return [patch for patch in axes.patches if np.allclose(patch.get_facecolor()[:3], to_rgb(color))]


def test_sentences_and_words_are_shaded_by_their_weights(figures):
    view = ShadedText(
        [["Good ", "$fun$", ". "], ["No ", "way"]],
        [np.array([0.7, 0.3, 0.0]), np.array([0.5, 0.5])],
        np.array([0.8, 0.2]),
        "good (90%)",
        [False, True],
    )
    shaded_text.draw_shaded_text(view, "x.png")
    axes = figures[0].axes[0]
    texts = [text.get_text() for text in axes.texts]
    assert texts == ["good (90%)", "80.0%", "Good", "$fun$", ".", "20.0%", "No", "way"]
    bands = [patch.get_alpha() for patch in boxes(axes, shaded_text.SENTENCE)]
    assert bands == pytest.approx([0.45, 0.45 / 4])
    words = np.array([patch.get_alpha() for patch in boxes(axes, shaded_text.WORD)])
    importance = np.array([np.sqrt(0.8) * 0.7, np.sqrt(0.8) * 0.3, np.sqrt(0.2) * 0.5, np.sqrt(0.2) * 0.5])
    np.testing.assert_allclose(words, importance / importance.max())
    assert len(axes.lines) == 1, "one sentence is known to decide"


def test_a_long_text_shows_its_heaviest_sentences_and_counts_the_others(figures):
    weights = np.full(2000, 1e-4)
    weights[[3, 1500]] = 0.4
    view = ShadedText([[f"number{number}"] for number in range(2000)], [np.ones(1)] * 2000, weights)
    shaded_text.draw_shaded_text(view, "x.png")
    texts = [text.get_text() for text in figures[0].axes[0].texts]
    assert {"number3", "number1500"} <= set(texts) and sum(text.startswith("number") for text in texts) == 40
    gaps = [int(text.split()[1].replace(",", "")) for text in texts if text.startswith("…")]
    assert sum(gaps) == 1960


def test_lines_stay_within_the_picture_whatever_the_words(figures):
    words = ["word "] * 300 + ["x" * 500] + ["猫"] * 90 + ["\u200b", "\x00"]
    view = ShadedText([words, ["."]], [np.full(len(words), 1 / len(words)), np.ones(1)], np.array([0.5, 0.5]))
    shaded_text.draw_shaded_text(view, "x.png")
    axes = figures[0].axes[0]
    assert max(patch.get_x() + patch.get_width() for patch in axes.patches) < shaded_text.WIDTH + 0.1
    assert len(axes.texts) < 140


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_a_view_is_drawn_in_every_format(tmp_path, suffix):
    view = ShadedText([["Good ", "fun"]], [np.array([0.7, 0.3])], np.ones(1))
    path = draw(view, tmp_path / f"x{suffix}")
    assert path.stat().st_size > 1000
    if suffix == ".png":
        assert imread(path).shape[1] == 1600


def test_weights_that_do_not_fit_are_refused(tmp_path):
    for sentences, weights, of_sentences in (
        ([["a"]], [np.ones(2)], np.ones(1)),
        ([["a"]], [np.ones(1)], np.ones(2)),
        ([], [], np.ones(0)),
    ):
        with pytest.raises(ValueError, match="weights: expected a sentence or more"):
            draw(ShadedText(sentences, weights, of_sentences), tmp_path / "x.png")
