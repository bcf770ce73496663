import numpy as np
import pytest
from PIL import Image

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
        assert image.n_frames == 2 and image.size == (480, 160)
        pixels = np.asarray(image.convert("RGB"), int)
    heat = np.abs(pixels[:, 240:] - pixels[:, :240]).sum(axis=-1)
    assert heat[:40, :40].mean() > 60 > 3 * heat[80:120, 160:].mean()


@pytest.mark.parametrize("value, side", [(0.2, "right"), (-0.2, "left"), (-9.0, "left")])
def test_the_bar_points_where_the_number_does(tmp_path, value, side):
    view = Frames(np.zeros((1, 160, 200, 3), "uint8"), np.zeros((1, 2, 2)), np.array([value]), limit=0.4)
    with Image.open(draw_frames(view, tmp_path / "a.gif")) as image:
        bright = np.asarray(image.convert("L"))[:, :200] > 128
    columns = np.flatnonzero(bright.any(axis=0))
    assert len(columns) >= 49 and ((columns >= 100).all() if side == "right" else (columns <= 100).all())


def test_a_film_without_frames_is_refused(tmp_path):
    none = Frames(np.zeros((0, 8, 8, 3), "uint8"), np.zeros((0, 2, 2)), np.zeros(0))
    with pytest.raises(ValueError, match="expected equally many and at least one, received 0, 0 and 0"):
        draw_frames(none, tmp_path / "a.gif")
