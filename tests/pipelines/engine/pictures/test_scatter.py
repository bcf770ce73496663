"""Answers stand at their truths, on one scale."""

import numpy as np
import pytest

from attention_zoo.pipelines.engine.pictures import scatter
from attention_zoo.pipelines.engine.views import Scatter


def test_truths_are_across_and_answers_upwards_on_one_scale(figures):
    scatter.draw_scatter(Scatter(np.array([-4.0, 0.0, 6.0]), np.array([-1.0, 2.0, 3.0]), "$test"), "x.png")
    (axes,) = figures[0].axes
    np.testing.assert_array_equal(axes.collections[0].get_offsets(), [[-4, -1], [0, 2], [6, 3]])
    assert axes.get_xlim() == axes.get_ylim() and axes.get_xlim() == pytest.approx((-4.4, 6.4))
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_aspect()) == ("truth", "answer", 1)
    (line,) = axes.lines
    assert list(line.get_xdata()) == list(line.get_ydata()) and figures[0].get_suptitle() == "$test"


def test_many_dots_are_smaller_and_paler_than_few(figures):
    for count in (10, 10_000):
        scatter.draw_scatter(Scatter(np.arange(count), np.arange(count)), "x.png")
    few, many = (figure.axes[0].collections[0] for figure in figures)
    assert few.get_sizes()[0] > 3 * many.get_sizes()[0] and few.get_alpha() > 3 * many.get_alpha()


def test_a_single_dot_can_be_drawn(tmp_path):
    assert scatter.draw_scatter(Scatter(np.ones(1), np.ones(1)), tmp_path / "x.png").is_file()


@pytest.mark.parametrize("truths, answers", [(np.ones(2), np.ones(3)), (np.ones(0), np.ones(0))])
def test_answers_that_do_not_fit_the_truths_are_refused(tmp_path, truths, answers):
    with pytest.raises(ValueError, match="answers: expected as many as truths"):
        scatter.draw_scatter(Scatter(truths, answers), tmp_path / "x.png")
    assert list(tmp_path.iterdir()) == []
