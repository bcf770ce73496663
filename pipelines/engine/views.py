"""Views: the visible side of an answer, as plain data. `engine.pictures.draw` draws them.

A view holds no tensors and no drawing, so that a picture, a page or a notebook can be made of the same one. Arrays are
NumPy's; B is left out, since a view is of one answer.
"""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np


@dataclass(frozen=True)
class Alignment:
    """The attention of each written token to the tokens that were read.

    Args:
        source: The S tokens that were read.
        target: The T tokens that were written.
        weights: Array `(H, T, S)`, from 0 to 1.
        names: Name of each of the H maps. Defaults to an empty list, which numbers several maps and leaves one unnamed.
        title: A line above the picture. Defaults to `""`.
        sides: Names of the two axes, (source, target). Defaults to `("read", "written")`.
        join: Whether the tokens are pieces of words that a picture joins to words. Defaults to `True`.
        links: Pairs (place of a source token, place of a target token) that are known to belong together. Defaults to
            an empty list.
        columns: Largest number of maps in a row. Defaults to `5`, an alignment and four heads.
        alternatives: Other texts that could have been written, each an `Alignment` with the same source, which a page
            shows beside. Defaults to an empty list.
    """

    suffixes: ClassVar = (".png", ".svg", ".pdf")

    source: list[str]
    target: list[str]
    weights: np.ndarray
    names: list[str] = field(default_factory=list)
    title: str = ""
    sides: tuple[str, str] = ("read", "written")
    join: bool = True
    links: list[tuple[int, int]] = field(default_factory=list)
    columns: int = 5
    alternatives: list["Alignment"] = field(default_factory=list)


@dataclass(frozen=True)
class LayeredHeads:
    """The attention of every head of every layer of a model to the tokens that it read.

    Args:
        tokens: The T tokens.
        weights: Array `(L, H, T, T)`, from 0 to 1: a row is what a token attends to.
        title: A line above the picture. Defaults to `""`.
    """

    suffixes: ClassVar = (".png", ".svg", ".pdf")

    tokens: list[str]
    weights: np.ndarray
    title: str = ""

    @property
    def alignment(self) -> Alignment:
        """The same as an `Alignment` with a map for each head of each layer."""
        layers, heads, *_ = self.weights.shape
        names = [f"layer {layer}, head {head}" for layer in range(1, layers + 1) for head in range(1, heads + 1)]
        maps = self.weights.reshape(-1, *self.weights.shape[-2:])
        sides = ("attended to", "token")
        return Alignment(self.tokens, self.tokens, maps, names, self.title, sides=sides, join=False, columns=3)


@dataclass(frozen=True)
class HeatMaps:
    """Where a model looked in one image: a map for each word, head or moment.

    Args:
        image: uint8 array `(height, width, 3)`.
        maps: Array `(N, h, w)`, none negative; a cell covers its share of the whole image.
        captions: N texts, one for each map.
        title: A line above the picture. Defaults to `""`.
        known: What is known to be right, such as "truth: cat", below the title. Defaults to `""`.
        one_scale: Whether the maps are of one kind, and share a scale; otherwise each is scaled to its own largest
            weight. Defaults to `True`.
    """

    suffixes: ClassVar = (".png", ".svg", ".pdf")

    image: np.ndarray
    maps: np.ndarray
    captions: list[str]
    title: str = ""
    known: str = ""
    one_scale: bool = True


@dataclass(frozen=True)
class Frames:
    """Where a model looked in each frame of a film, and the number that it answered.

    Args:
        images: uint8 array `(N, height, width, 3)`.
        maps: Array `(N, h, w)`, none negative.
        values: N numbers.
        limit: The number at which the bar of an animation reaches the side. Defaults to `1`.
        unit: Unit of the numbers. Defaults to `""`.
        truths: N numbers that are known to be right. Defaults to `None`, which says that none are.
        directions: Names of the directions of negative and of positive numbers. Defaults to `("left", "right")`.
        regions: For each frame its attended regions, tuples (outline, effect, causal): corners (x, y) in pixels, how
            far the answer moves if the region is painted over, and whether the region is causal; `None` for a frame
            that was not examined. A page shows them. Defaults to an empty list: none was examined.
    """

    suffixes: ClassVar = (".gif", ".png", ".svg", ".pdf")

    images: np.ndarray
    maps: np.ndarray
    values: np.ndarray
    limit: float = 1.0
    unit: str = ""
    truths: np.ndarray | None = None
    directions: tuple[str, str] = ("left", "right")
    regions: list[list[tuple[list[list[float]], float, bool]] | None] = field(default_factory=list)


@dataclass(frozen=True)
class ConfusionMatrix:
    """Which classes a classifier takes for which.

    Args:
        labels: Names of the K classes.
        counts: Int array `(K, K)`: how many examples of a class (row) got which answer (column).
        title: A line above the picture. Defaults to `""`.
    """

    suffixes: ClassVar = (".png", ".svg", ".pdf")

    labels: list[str]
    counts: np.ndarray
    title: str = ""


@dataclass(frozen=True)
class PointMap:
    """Labelled points in a plane, such as words by their vectors.

    Args:
        points: Array `(N, 2)`.
        labels: N texts.
        groups: The group of each point, for its color. Defaults to an empty list: all points are of one group.
        title: A line above the picture. Defaults to `""`.
    """

    suffixes: ClassVar = (".png", ".svg", ".pdf")

    points: np.ndarray
    labels: list[str]
    groups: list[str] = field(default_factory=list)
    title: str = ""


@dataclass(frozen=True)
class Scatter:
    """Numbers that a model answers, against the numbers that are true.

    Args:
        truths: Array `(N,)`.
        answers: Array `(N,)`.
        title: A line above the picture. Defaults to `""`.
    """

    suffixes: ClassVar = (".png", ".svg", ".pdf")

    truths: np.ndarray
    answers: np.ndarray
    title: str = ""

    def columns(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns truths and answers, arrays `(N,)` each.

        Raises:
            ValueError: There are not as many answers as truths, or none.
        """
        truths, answers = np.asarray(self.truths), np.asarray(self.answers)
        if truths.ndim != 1 or truths.shape != answers.shape or not len(truths):
            shapes = f"{answers.shape}, {truths.shape}"
            raise ValueError(f"answers: expected as many as truths, at least one; received {shapes}")
        return truths, answers


@dataclass(frozen=True)
class Spans:
    """The entities of a text, and how a model came to them.

    Args:
        text: The text.
        spans: Tuples (start, end, label, confidence): offsets in code points, and a number from 0 to 1.
        words: The T words that the model read.
        tags: The tag of each word.
        tag_names: Names of the K tags.
        lattice: Array `(K, T)`: the probability of each tag at each word.
        weights: Array `(T, T)`: what each word (row) attended to. Defaults to `None`, for a model without attention.
        whole: The first word, if it stands for the whole text, such as "__CLS__": what it attended to is drawn, too.
            Defaults to `""`.
        title: A line above the picture. Defaults to `""`.
    """

    suffixes: ClassVar = (".png", ".svg", ".pdf")

    text: str
    spans: list[tuple[int, int, str, float]]
    words: list[str]
    tags: list[str]
    tag_names: list[str]
    lattice: np.ndarray
    weights: np.ndarray | None = None
    whole: str = ""
    title: str = ""


@dataclass(frozen=True)
class ShadedText:
    """Attention in two levels: to the sentences of a text, and to the words of each sentence.

    Args:
        sentences: N lists of words, as they are written; a space that follows a word is at its end.
        weights: N arrays, the weights of the words, which sum to 1 in each sentence.
        sentence_weights: Array `(N,)`, which sums to 1.
        title: A line above the picture. Defaults to `""`.
        known: Whether each of the sentences is known to decide the answer. Defaults to an empty list: nothing is known.
    """

    suffixes: ClassVar = (".png", ".svg", ".pdf")

    sentences: list[list[str]]
    weights: list[np.ndarray]
    sentence_weights: np.ndarray
    title: str = ""
    known: list[bool] = field(default_factory=list)
