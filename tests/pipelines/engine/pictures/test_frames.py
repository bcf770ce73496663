from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from attention_zoo.pipelines.engine.pictures import frames
from attention_zoo.pipelines.engine.pictures.frames import draw_frames
from attention_zoo.pipelines.engine.views import Frames


def test_the_animation_has_the_frames_and_the_heat_beside_them(tmp_path):
    frame = np.full((20, 30, 3), 60, "uint8")
    other = frame.copy()
    other[5:9] = 250
    maps = np.zeros((4, 2, 3), "float32")
    maps[:, 0, 0] = 1.0
    path = draw_frames(Frames(np.stack([frame, frame, other, other]), maps, np.zeros(4)), tmp_path / "a.gif")
    with Image.open(path) as image:
        assert image.n_frames == 2 and image.size == (480, 190)
        pixels = np.asarray(image.convert("RGB"), int)
    pixels = pixels[:160]
    heat = np.abs(pixels[:, 240:] - pixels[:, :240]).sum(axis=-1)
    assert heat[:40, :40].mean() > 60 > 3 * heat[80:120, 160:].mean()


@pytest.mark.parametrize("value, side", [(0.2, "right"), (-0.2, "left"), (-9.0, "left")])
def test_the_bar_points_where_the_number_does(tmp_path, value, side):
    view = Frames(np.zeros((1, 160, 200, 3), "uint8"), np.zeros((1, 2, 2)), np.array([value]), limit=0.4)
    with Image.open(draw_frames(view, tmp_path / "a.gif")) as image:
        bright = np.asarray(image.convert("L"))[179:185, :200] > 140  # the rows of the bar below the frame
    columns = np.flatnonzero(bright.any(axis=0))
    assert len(columns) >= 49 and ((columns >= 100).all() if side == "right" else (columns <= 100).all())


def test_the_true_number_is_marked_and_both_directions_are_named(tmp_path):
    black = np.zeros((1, 160, 200, 3), "uint8")
    view = Frames(black, np.zeros((1, 2, 2)), np.zeros(1), limit=0.4, truths=np.array([-0.2]))
    shown = []
    for one in (view, replace(view, truths=None), replace(view, truths=None, directions=("", ""))):
        with Image.open(draw_frames(one, tmp_path / "a.gif")) as image:
            shown.append(np.asarray(image.convert("RGB"), int)[160:])
    orange = [np.argwhere((pixels[:, :200, 0] > 200) & (pixels[:, :200, 2] < 60)) for pixels in shown]
    assert len(orange[0]) > 20 and len(orange[1]) == 0
    assert 48 <= orange[0][:, 1].min() <= orange[0][:, 1].max() <= 53, "half of the way from the middle to the left"
    names = np.abs(shown[1] - shown[2]).sum(axis=-1)[:15, :200]
    assert names[:, :40].any() and names[:, 160:].any() and not names[:, 40:160].any()


def test_a_still_picture_writes_answer_and_truth_with_their_directions(tmp_path, monkeypatch):
    views = []
    monkeypatch.setattr(frames, "draw_heat_maps", lambda view, path: views.append(view))
    view = Frames(np.zeros((2, 8, 8, 3), "uint8"), np.ones((2, 2, 2)), np.array([0.0, -0.123]), unit="rad")
    draw_frames(view, tmp_path / "a.png")
    draw_frames(replace(view, truths=np.array([0.3, 0.2])), tmp_path / "a.pdf")
    draw_frames(replace(view, values=np.zeros(2)), tmp_path / "a.svg")
    assert [view.title for view in views] == ["answer: -0.12 rad (left)"] * 2 + ["answer: +0.00 rad"]
    assert [view.known for view in views] == ["", "truth: +0.20 rad (right)", ""]
    with pytest.raises(ValueError, match="truths: expected 2, one for each image; received 1"):
        draw_frames(replace(view, truths=np.zeros(1)), tmp_path / "a.gif")


def test_a_film_without_frames_is_refused(tmp_path):
    none = Frames(np.zeros((0, 8, 8, 3), "uint8"), np.zeros((0, 2, 2)), np.zeros(0))
    with pytest.raises(ValueError, match="expected equally many and at least one, received 0, 0 and 0"):
        draw_frames(none, tmp_path / "a.gif")
