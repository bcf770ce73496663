import warnings

import numpy as np
import pytest
from matplotlib import colormaps, font_manager
from matplotlib.image import imread

from attention_zoo.pipelines.engine.pictures import alignments, comparison
from attention_zoo.pipelines.engine.pictures.alignments import draw_alignment, label
from attention_zoo.pipelines.engine.pictures.curves import draw_curves, draw_scores_by_length
from attention_zoo.pipelines.engine.pictures.fonts import fonts_for, missing_font
from attention_zoo.pipelines.engine.views import Alignment


def alignment(weights, source, target, path, **options):
    """Draws an alignment of one map, or of several, with the tokens as they are."""
    weights = np.asarray(weights)
    weights = weights if weights.ndim > 2 else weights[None]
    return draw_alignment(Alignment(source, target, weights, **{"join": False, **options}), path)


@pytest.fixture(autouse=True)
def no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def dark(path):
    """Where a picture is dark blue, (row, column) from 0 to 1: the colour bar on the right is left out."""
    image = imread(path)[..., :3]
    image = image[:, : int(0.85 * image.shape[1])]
    found = np.argwhere((image[..., 2] - image[..., 0] > 0.3) & (image[..., 0] < 0.1))
    return found / image.shape[:2]


def test_rows_are_written_tokens_from_the_top_and_columns_read_tokens_from_the_left(tmp_path):
    weights = np.zeros((8, 8))
    weights[0, 7] = 1  # the first written token attends to the last read one
    rows, columns = dark(alignment(weights, list("abcdefgh"), list("ABCDEFGH"), tmp_path / "x.png")).T
    assert len(rows) > 100
    assert rows.max() < 0.4 and columns.min() > 0.6


def test_no_weight_is_white_and_the_scale_ends_at_the_largest_weight(tmp_path, figures):
    tokens = list("abcd")
    for weights in (np.zeros((4, 4)), np.full((4, 4), 0.125), np.diag([0.25, 0.5, 0.0, 0.0])):
        alignment(weights, tokens, tokens, tmp_path / "x.png")
    for figure, largest in zip(figures, ("1", "0.12", "0.5")):
        figure.canvas.draw()
        scale = figure.axes[1]
        assert [text.get_text() for text in scale.get_yticklabels()][::2] == ["0", largest]
        assert scale.get_ylabel() == "weight, up to the largest"
    meshes = [figure.axes[0].collections[0] for figure in figures]
    shades = [mesh.to_rgba(mesh.get_array()) for mesh in meshes]  # (T, S, 4)
    nothing, everything = (colormaps["Blues"](share) for share in (0.0, 1.0))
    assert (shades[0] == nothing).all() and (shades[1] == everything).all(), "diffuse weights can be seen"
    assert (shades[2][1, 1] == everything).all() and (shades[2][0, 1] == nothing).all()


@pytest.mark.parametrize("shape", [(1, 8), (8, 1), (1, 1)])
def test_a_map_of_one_row_or_one_column_has_cells(tmp_path, shape):
    tokens = list("abcdefgh")
    path = alignment(np.ones(shape), tokens[: shape[1]], tokens[: shape[0]], tmp_path / "x.png")
    assert len(dark(path)) > 300


def test_known_links_are_outlined_and_named(tmp_path, figures):
    options = {"join": True, "links": [(0, 0), (1, 1), (2, 2)]}
    source, target = ["\u25816", "9", "\u2581cats"], ["\u2581ch", "ats", "\u258169"]
    alignment(np.full((3, 3), 0.3), source, target, tmp_path / "x.png", **options)
    alignment(np.full((3, 3), 0.3), source, target, tmp_path / "x.png")
    outlined, plain = (figure.axes[0].collections[-1].get_paths() for figure in figures)
    assert [path.get_extents().bounds for path in outlined] == [(-0.5, -0.5, 1, 1), (0.5, 0.5, 1, 1)] and plain == []
    assert [figure.get_supxlabel() for figure in figures] == ["outlined: links that the data knows", ""]


def test_all_heads_stand_in_a_row_for_each_layer(tmp_path, figures):
    names = [f"layer {layer}, head {head}" for layer in (1, 2) for head in range(1, 8)]
    alignment(np.ones((14, 1, 2)), ["a", "b"], ["c"], tmp_path / "x.png", names=names, columns=7, sides=("in", "out"))
    (*maps, _) = figures[0].axes
    assert [axes.texts[0].get_text() for axes in maps] == names
    assert [axes.get_subplotspec().rowspan.start for axes in maps] == [0] * 7 + [1] * 7
    assert [axes.get_ylabel() for axes in maps] == ["out", *[""] * 6] * 2
    assert [axes.get_xlabel() for axes in maps] == ["in"] * 7 + [""] * 7


def test_a_picture_is_written_whole_into_a_folder_that_is_made(tmp_path):
    path = alignment([[1.0]], ["a"], ["b"], tmp_path / "new" / "x.png", title="a → b")
    assert path == tmp_path / "new" / "x.png"
    assert [found.name for found in path.parent.iterdir()] == ["x.png"]


@pytest.mark.parametrize(
    "tokens",
    [
        ["$x_1$", "$", "\\frac{", "{0}", "%s", "a_b^c"],  # no formulas
        ["\n", "\x00", "\u200b", "\u2028", "", " "],
        ["▁né", "ǻ", "ß", "Ж", "שלום", "سلام"],
        ["x" * 200, "\ufffd", "e\u0301"],
        ["3시간", "午前", "ไทย", "\U000e0001"],
    ],
    ids=["formulas", "control characters", "scripts", "long and combining", "fonts that may be missing"],
)
def test_every_token_can_be_drawn(tmp_path, tokens, caplog):
    alignment(np.full((2, len(tokens)), 0.5), tokens, ["a", tokens[0]], tmp_path / "x.png", title=" ".join(tokens))
    assert not caplog.records


def test_a_picture_grows_with_its_tokens_up_to_a_limit(tmp_path):
    def size(count):
        tokens = ["token"] * count
        return max(imread(alignment(np.eye(count), tokens, tokens, tmp_path / f"{count}.png")).shape)

    assert size(5) < size(30) < size(200) < 5500


def test_heads_stand_side_by_side_on_one_scale(tmp_path):
    tokens = list("abcdef")
    heads = np.zeros((2, 6, 6))
    heads[1] = np.eye(6)
    columns = dark(alignment(heads, tokens, tokens, tmp_path / "heads.png"))[:, 1]
    assert columns.min() > 0.5, "the first head attends to nothing"
    alignment(np.zeros((5, 6, 6)), tokens, tokens, tmp_path / "five.png", title="five")


@pytest.mark.parametrize("shape", [(2, 3), (3, 2, 1), (0, 2), (3,)])
def test_weights_that_do_not_fit_the_tokens_are_refused(tmp_path, shape):
    with pytest.raises(ValueError, match=r"weights: expected shape \(H, 3, 2\)"):
        alignment(np.zeros(shape), ["a", "b"], ["A", "B", "C"], tmp_path / "x.png")
    assert list(tmp_path.iterdir()) == []


def test_a_label_shows_what_cannot_be_seen():
    assert label("▁a\u200b\n") == "_a<200B><000A>"
    assert label("시작", missing={"시"}) == "□작"
    assert label("x" * 40) == "x" * 15 + "…"


def test_fonts_of_the_system_are_used_for_what_ours_lacks(tmp_path, monkeypatch):
    from fontTools.fontBuilder import FontBuilder
    from fontTools.pens.ttGlyphPen import TTGlyphPen

    pen = TTGlyphPen(None)
    for number, point in enumerate([(0, 0), (0, 700), (700, 700), (700, 0)]):
        (pen.lineTo if number else pen.moveTo)(point)
    pen.closePath()
    builder = FontBuilder(1000)
    builder.setupGlyphOrder([".notdef", "si"])
    builder.setupCharacterMap({ord("시"): "si"})
    builder.setupGlyf({".notdef": pen.glyph(), "si": pen.glyph()})
    builder.setupHorizontalMetrics({".notdef": (800, 0), "si": (800, 0)})
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "Toy Hangul", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(tmp_path / "toy.ttf")
    (tmp_path / "broken.ttf").write_bytes(b"no font")
    paths = [str(tmp_path / "broken.ttf"), str(tmp_path / "toy.ttf")]
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: paths)
    monkeypatch.setattr(font_manager.fontManager, "ttflist", list(font_manager.fontManager.ttflist))
    assert fonts_for("a\u0301b") == (["DejaVu Sans"], set())
    assert fonts_for("시간") == (["DejaVu Sans", "Toy Hangul"], {"간"})
    alignment([[1.0]], ["시간"], ["a"], tmp_path / "x.png")
    paths.clear()
    assert fonts_for("시간") == (["DejaVu Sans"], {"시", "간"})


HISTORY = [
    {"step": step, "train/loss": 5 / step, "dev/loss": 6 / step, "dev/bleu": 9.0 * step, "train/tokens_per_second": 1.0}
    for step in (1, 2, 3)
]


def test_a_run_has_one_panel_for_the_losses_and_one_for_each_metric(tmp_path):
    both = imread(draw_curves(HISTORY, tmp_path / "a" / "both.png"))
    losses = imread(draw_curves([{"step": 1, "dev/loss": 2.0}], tmp_path / "losses.png"))
    assert both.shape[1] == 2 * losses.shape[1], "speed is no curve of its own"
    many = [{"step": step, **{f"dev/{name}": 1.0 for name in "abcdefg"}} for step in (1, 2)]
    assert imread(draw_curves(many, tmp_path / "many.png")).shape[0] == 3 * losses.shape[0]


def test_gaps_in_the_records_are_gaps_in_the_curve(tmp_path):
    draw_curves(
        [*HISTORY, {"step": 4, "dev/loss": float("nan")}, {"step": 5, "dev/bleu": float("inf")}], tmp_path / "x.png"
    )


def test_the_training_loss_of_the_steps_is_drawn_where_it_is_known(tmp_path, figures):
    draw_curves(HISTORY, tmp_path / "x.png", [(1, 9.0, 0.1), (2, 4.0, 0.1), (3, 3.0, 0.1), (4, 2.0, 0.1)])
    lines = {line.get_label(): list(line.get_ydata()) for line in figures[0].axes[0].lines}
    assert lines == {"train/loss": [9.0, 4.0, 3.0, 2.0], "dev/loss": [6.0, 3.0, 2.0]}


def numbers(axes):
    """The numbers that can be read on the vertical axis."""
    low, high = axes.get_ylim()
    axes.figure.draw_without_rendering()
    shown = [(tick.get_loc(), tick.label1.get_text()) for tick in axes.yaxis.get_major_ticks()]
    return [float(text.replace("\u2212", "-")) for place, text in shown if low <= place <= high and text]


@pytest.mark.parametrize(
    "first, last", [(0.36, 0.31), (2.951, 2.913), (0.9, 0.2), (9.0, 0.3), (5.0, 1e-3), (3.0, 1e-9)]
)
def test_the_axis_of_losses_has_numbers_whatever_it_spans(figures, first, last):
    history = [{"step": step, "dev/loss": loss} for step, loss in enumerate(np.geomspace(first, last, 9))]
    draw_curves(history, "x.png")
    comparison.draw_compared_curves({"a": history}, "x.png")
    for figure in figures:
        (axes,) = figure.axes
        assert axes.get_yscale() == "log" and 3 <= len(numbers(axes)) <= 10


def test_a_metric_with_one_value_has_no_panel(figures):
    once = [*HISTORY, {"step": 4, "dev/chrf": 50.0}]
    draw_curves(once, "x.png")
    comparison.draw_compared_curves({"a": once, "b": once}, "x.png")
    draw_curves(once[-1:], "x.png")
    shown = [[axes.get_ylabel() for axes in figure.axes] for figure in figures]
    assert shown == [["loss per token", "dev/bleu"], ["train/loss", "dev/loss", "dev/bleu"], ["dev/chrf"]]


def bucket(start, end, bleu):
    return {"from": start, "to": end, "sentences": 10, "bleu": bleu, "chrf": bleu}


def test_systems_with_different_buckets_share_an_axis(tmp_path, figures):
    systems = {
        "bahdanau": [bucket(0, 5, 30.0), bucket(11, None, 20.0)],
        "rnn": [bucket(0, 5, 25.0), bucket(6, 10, 15.0)],
    }
    draw_scores_by_length(systems, tmp_path / "x.png")
    (axes,) = figures[0].axes
    lines = {line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in axes.lines}
    assert lines == {"bahdanau": ([0, 2], [30.0, 20.0]), "rnn": ([0, 1], [25.0, 15.0])}
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["0–5\nn=10", "6–10\nn=10", "≥ 11\nn=10"]
    assert axes.get_ylabel() == "BLEU" and axes.get_ylim()[0] == 0


def test_a_score_with_an_interval_has_a_bar(figures):
    whole = bucket(0, 5, 30.0) | {"bleu_interval": [25.0, 36.0]}
    systems = {"a": [whole, bucket(6, None, 20.0) | {"bleu_interval": None}], "b": [bucket(0, 5, 10.0)]}
    draw_scores_by_length(systems, "x.png")
    (axes,) = figures[0].axes
    (bar,), none = (bars.get_segments() for bars in axes.collections)
    assert bar[:, 1].tolist() == [25.0, 36.0] and none == []
    first, second = (line.get_xdata()[0] for line in axes.lines)
    assert first == bar[0, 0] < second, "side by side"
    assert "bars: 95% intervals" in axes.get_xlabel()


def test_nothing_to_draw_is_refused(tmp_path):
    for history in ([], [{"step": 1}]):
        with pytest.raises(ValueError, match="history: expected records"):
            draw_curves(history, tmp_path / "x.png")
    for systems in ({}, {"rnn": []}):
        with pytest.raises(ValueError, match="systems: expected scores by length"):
            draw_scores_by_length(systems, tmp_path / "x.png")


def test_matplotlib_is_imported_by_the_drawing_alone():
    import subprocess
    import sys

    modules = f"{alignments.__name__}, attention_zoo.pipelines.engine.pictures.curves"
    code = f"import sys, {modules}; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "text, package",
    [("今日は", "fonts-noto-cjk"), ("오늘", "fonts-noto-cjk"), ("ไทย", "fonts-noto"), ("œuf, Привет", "")],
)
def test_a_missing_font_is_named_with_its_package(monkeypatch, text, package):
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: [])
    line = missing_font([text, "red cat"])
    assert line.endswith(f"such as the package {package}") and text[0] in line if package else line == ""
