import numpy as np
import pytest
from matplotlib.image import imread

from attention_zoo.pipelines.engine.pictures import confusion
from attention_zoo.pipelines.engine.views import ConfusionMatrix


def test_rows_are_true_classes_with_their_number_and_columns_are_answers(figures):
    view = ConfusionMatrix(["cat", "$dog", "cow"], np.array([[3, 1, 0], [0, 2, 0], [0, 0, 0]]), "test: 5 of 6 right")
    confusion.draw_confusion(view, "x.png")
    axes, scale = figures[0].axes
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["cat", "$dog", "cow"]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["cat (4)", "$dog (2)", "cow (0)"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("answer", "truth (number of examples)")
    np.testing.assert_allclose(axes.images[0].get_array(), [[0.75, 0.25, 0], [0, 1, 0], [0, 0, 0]])
    assert axes.images[0].get_clim() == (0, 1) and scale.get_ylabel() == "share of the row"
    counts = {text.get_position(): (text.get_text(), text.get_color()) for text in axes.texts}
    assert counts == {(0, 0): ("3", "white"), (1, 0): ("1", "black"), (1, 1): ("2", "white")}
    assert figures[0].get_suptitle() == "test: 5 of 6 right"


def test_many_classes_have_no_numbers_and_a_picture_of_bounded_size(tmp_path, request):
    view = ConfusionMatrix([f"class {number}" for number in range(90)], np.eye(90, dtype=int))
    assert max(imread(confusion.draw_confusion(view, tmp_path / "x.png")).shape) < 5500
    figures = request.getfixturevalue("figures")
    confusion.draw_confusion(view, tmp_path / "x.png")
    assert len(figures[0].axes[0].texts) == 0


@pytest.mark.parametrize("labels, shape", [(["a"], (2, 2)), (["a", "b"], (2, 3)), ([], (0, 0))])
def test_counts_that_do_not_fit_the_labels_are_refused(tmp_path, labels, shape):
    with pytest.raises(ValueError, match="counts: expected shape"):
        confusion.draw_confusion(ConfusionMatrix(labels, np.zeros(shape, int)), tmp_path / "x.png")
    assert list(tmp_path.iterdir()) == []
