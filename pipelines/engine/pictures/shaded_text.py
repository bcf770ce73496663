"""Pictures of texts: words shaded inside shaded sentences (Yang et al. 2016, figures 5 and 6)."""

from collections.abc import Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from attention_zoo.pipelines.engine.pictures.fonts import fonts_for, readable
from attention_zoo.pipelines.engine.pictures.saving import DOTS_PER_INCH, save
from attention_zoo.pipelines.engine.views import ShadedText

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_SENTENCES = 40  # that are shown of a text, the heaviest
MOST_WORDS = 120  # that are shown of a sentence, the first
LONGEST_WORD = 40  # characters
WIDTH, LEFT, TOP, LINE = 8.0, 0.85, 0.55, 0.21  # inches: of the picture, of the margins, of a line
SIZE = 9  # points
SENTENCE, WORD = "#e4572e", "#2e86de"


def draw_shaded_text(view: ShadedText, path: str | PathLike) -> Path:
    """Draws a `ShadedText`: a line or more for each sentence, with its weight in percent.

    The background of a sentence is the redder, the larger its weight; the largest of the text has the full color. A
    word is the bluer, the larger its weight times the root of its sentence's weight, as in the paper. Of a text of more
    than 40 sentences the 40 heaviest are shown, and the others counted. A triangle marks sentences that are known to
    decide.

    Args:
        view: `ShadedText`.
        path: The file, PNG, SVG or PDF; missing folders are created, and an existing file is replaced at once.

    Returns:
        The `Path`.

    Raises:
        ValueError: The weights do not fit the words or the sentences.

    Example:

    >>> import tempfile
    >>> view = ShadedText([["Good ", "fun"], ["Go!"]], [np.array([0.7, 0.3]), np.ones(1)], np.array([0.8, 0.2]))
    >>> draw_shaded_text(view, f"{tempfile.mkdtemp()}/text.svg").name
    'text.svg'
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    sentence_weights = np.asarray(view.sentence_weights, "float64")
    sizes = [len(words) for words in view.sentences]
    if [len(weights) for weights in view.weights] != sizes or len(sentence_weights) != len(sizes) or not sizes:
        raise ValueError(
            f"weights: expected a sentence or more, and a weight for each word and sentence; received sentences of "
            f"{sizes[:20]} words with {[len(weights) for weights in view.weights][:20]} weights, and "
            f"{len(sentence_weights)} weights of sentences"
        )
    shown = sorted(np.argsort(-sentence_weights, kind="stable")[:MOST_SENTENCES].tolist())
    texts = {number: _short(view.sentences[number]) for number in shown}
    families, missing = fonts_for("".join([view.title, *("".join(words) for words in texts.values())]))
    words = {number: [readable(word, missing) for word in some] for number, some in texts.items()}

    figure = Figure(figsize=(WIDTH, 1), dpi=DOTS_PER_INCH, facecolor="white")
    renderer = FigureCanvasAgg(figure).get_renderer()
    measure = _Measure(families, renderer)
    rows = list(_rows(words, shown, len(sizes), measure))
    height = TOP + LINE * (len(rows) + 0.5)
    figure.set_size_inches(WIDTH, height)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(0, WIDTH)
    axes.set_ylim(height, 0)
    font = {"family": families, "size": SIZE, "parse_math": False, "va": "center"}
    axes.text(0.15, 0.27, readable(view.title, missing), **{**font, "size": 10})

    largest = max(sentence_weights.max(), 1e-12)
    importance = {number: np.sqrt(sentence_weights[number]) * np.asarray(view.weights[number]) for number in shown}
    most = max(max(values.max() for values in importance.values()), 1e-12)
    last = -1
    for place, (number, first, line) in enumerate(rows):
        middle = TOP + LINE * (place + 0.5)
        if number < 0:
            axes.text(LEFT, middle, line[0], **{**font, "color": "0.5", "style": "italic", "size": 8})
            continue
        if number != last:
            weight = f"{100 * sentence_weights[number]:.1f}%" if sentence_weights[number] >= 5e-4 else "0"
            axes.text(LEFT - 0.12, middle, weight, **{**font, "ha": "right", "size": 7.5, "color": "0.3"})
            if view.known and view.known[number]:
                axes.plot([0.2], [middle], marker=">", color="black", markersize=4)
        last = number
        shades = importance[number][first:] / most
        _draw_line(axes, middle, line, shades, sentence_weights[number] / largest, measure, font)
    return save(figure, path)


class _Measure:
    """Measures words in inches."""

    def __init__(self, families, renderer):
        from matplotlib.font_manager import FontProperties

        self.renderer, self.known = renderer, {}
        self.font = FontProperties(family=families, size=SIZE)

    def __call__(self, word: str) -> float:
        if word not in self.known:
            # A space at an end has no extent of its own.
            wide, _, _ = self.renderer.get_text_width_height_descent(f"|{word}|", self.font, ismath=False)
            bars, _, _ = self.renderer.get_text_width_height_descent("||", self.font, ismath=False)
            self.known[word] = (wide - bars) / DOTS_PER_INCH
        return self.known[word]


def _short(words: Sequence[str]) -> list[str]:
    """Returns the words that are shown of a sentence."""
    some = [word if len(word) <= LONGEST_WORD else f"{word[: LONGEST_WORD - 1]}… " for word in words[:MOST_WORDS]]
    return some + ["…"] * (len(words) > MOST_WORDS)


def _rows(words, shown, count: int, measure: _Measure) -> Iterator[tuple[int, int, list[str]]]:
    """Yields (number of the sentence, number of the first word, words) of each line; (-1, 0, [text]) of a gap."""
    before = -1
    for number in [*shown, count]:
        if skipped := number - before - 1:
            yield -1, 0, [f"… {skipped:,} sentence{'s' * (skipped > 1)} of less weight …"]
        before = number
        if number == count:
            return
        line, first, used = [], 0, 0.0
        for word in words[number]:
            room = WIDTH - LEFT - 0.2 + 0.15 * (len(word) == 1)  # a mark stays with its word
            if line and used + measure(word.rstrip()) > room:
                yield number, first, line
                line, first, used = [], first + len(line), 0.0
            line.append(word)
            used += measure(word)
        yield number, first, line


def _draw_line(
    axes: "Axes", middle: float, words: list[str], shades: np.ndarray, sentence: float, measure: _Measure, font: dict
) -> None:
    """Draws one line: the band of the sentence, boxes behind the words, and the words."""
    from matplotlib.patches import Rectangle

    wide = sum(map(measure, words))
    axes.add_patch(
        Rectangle((LEFT - 0.04, middle - LINE / 2), wide + 0.08, LINE, color=SENTENCE, alpha=0.45 * sentence, lw=0)
    )
    x = LEFT
    for place, word in enumerate(words):
        shade = float(shades[place]) if place < len(shades) else 0.0
        box = measure(word.rstrip())
        if shade > 0.02:
            place_of_box = (x - 0.01, middle - 0.42 * LINE)
            axes.add_patch(Rectangle(place_of_box, box + 0.02, 0.84 * LINE, color=WORD, alpha=shade, lw=0))
        axes.text(x, middle, word.rstrip(), **font)
        x += measure(word)
