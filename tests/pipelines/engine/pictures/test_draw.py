from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.pictures.curves import draw_curves
from attention_zoo.pipelines.engine.pictures.draw import check_suffix, draw, numbered
from attention_zoo.pipelines.engine.views import Alignment, ConfusionMatrix, Frames, HeatMaps, Scatter

VIEWS = {
    "alignment": Alignment(["\u2581a", "\u2581b"], ["\u2581c"], np.array([[[0.25, 0.75]]])),
    "confusion matrix": ConfusionMatrix(["cat", "dog"], np.array([[3, 0], [1, 2]])),
    "scatter": Scatter(np.array([1.0, 2.0]), np.array([1.5, 1.75])),
    "heat maps": HeatMaps(np.zeros((8, 8, 3), "uint8"), np.ones((1, 2, 2)), ["cat"]),
    "frames": Frames(np.zeros((4, 8, 8, 3), "uint8"), np.ones((4, 2, 2)), np.zeros(4)),
}


@pytest.mark.parametrize("name", VIEWS)
def test_the_suffix_of_the_file_chooses_the_format(name, tmp_path):
    for suffix in VIEWS[name].suffixes:
        path = draw(VIEWS[name], tmp_path / f"new/x{suffix}")
        if suffix == ".svg":
            assert ElementTree.parse(path).getroot().tag.endswith("}svg")
        elif suffix == ".pdf":
            assert path.read_bytes().startswith(b"%PDF")
        else:
            with Image.open(path) as image:
                assert image.format == suffix[1:].upper()


@pytest.mark.parametrize("name", VIEWS)
def test_an_svg_or_a_pdf_of_the_same_view_is_the_same_file(name, tmp_path):
    for suffix in (".svg", ".pdf"):
        first, second = (draw(VIEWS[name], tmp_path / f"{number}{suffix}").read_bytes() for number in range(2))
        assert b"<dc:date>" not in first and b"CreationDate" not in first and len(first) == len(second)


def test_other_pictures_come_as_png_svg_and_pdf_and_nothing_else(tmp_path):
    history = [{"step": 1, "dev/loss": 3.0}, {"step": 2, "dev/loss": 2.0}]
    for suffix, start in ((".png", b"\x89PNG"), (".svg", b"<?xml"), (".PDF", b"%PDF")):
        assert draw_curves(history, tmp_path / f"curves{suffix}").read_bytes().startswith(start)
    with Image.open(tmp_path / "curves.png") as image:
        assert [round(value) for value in image.info["dpi"]] == [200, 200]
    with pytest.raises(UserError, match="path: expected a file that ends in .png, .svg or .pdf, received .*x.jpg"):
        draw_curves(history, tmp_path / "x.jpg")


@pytest.mark.parametrize("name, path", [("alignment", "a.gif"), ("heat maps", "a"), ("frames", "a.bmp")])
def test_another_suffix_is_refused_before_anything_is_written(name, path, tmp_path):
    with pytest.raises(UserError, match=f"expected a file that ends in .* received {tmp_path / path}"):
        draw(VIEWS[name], tmp_path / path)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UserError, match="--attention: expected a file that ends in"):
        check_suffix(type(VIEWS[name]), path, "--attention")


def test_further_pictures_get_a_number():
    assert [numbered("d/a.gif", number).as_posix() for number in (1, 2, 3)] == ["d/a.gif", "d/a-2.gif", "d/a-3.gif"]
