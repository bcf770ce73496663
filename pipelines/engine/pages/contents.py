"""What the pages of views hold, as dicts that become JSON: a function for each kind of view.

Shapes: T written and S read tokens, L layers, H heads.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from attention_zoo.pipelines.engine.pages.heads import KINDS, SHARE, measure_heads, name_heads
from attention_zoo.pipelines.engine.pages.packing import image_url, keep_largest, pack
from attention_zoo.pipelines.engine.pictures.words import join_links, join_pieces
from attention_zoo.pipelines.engine.views import (
    Alignment,
    ConfusionMatrix,
    Frames,
    HeatMaps,
    LayeredHeads,
    PointMap,
    Scatter,
    ShadedText,
    Spans,
)

LARGEST = 8_000_000  # characters of the packed weights of all heads


def alignment_content(view: Alignment) -> dict[str, Any]:
    """Returns the maps of an `Alignment` between pieces and, if they can be joined, between words.

    Those of its alternatives are in "alternatives", a list of the same dicts.
    """
    weights = np.asarray(view.weights)
    expected = (len(view.target), len(view.source))
    if weights.ndim != 3 or weights.shape[1:] != expected or 0 in weights.shape:
        raise ValueError(f"weights: expected shape (H, {expected[0]}, {expected[1]}), none 0; received {weights.shape}")

    levels = {"pieces": _level(weights, view.source, view.target, view.links)}
    if view.join:
        joined = join_pieces(weights, view.source, view.target)
        levels = {"words": _level(*joined, join_links(view.links, view.source, view.target))} | levels
    numbered = len(weights) > 1
    names = view.names or [f"head {number}" if numbered else "" for number in range(1, len(weights) + 1)]
    others = [alignment_content(replace(other, join=view.join)) for other in view.alternatives]
    texts = {"title": view.title, "names": names, "sides": list(view.sides)}
    return texts | {"levels": levels, "alternatives": others}


def _level(weights, source, target, links):
    texts = {"source": [readable(text) for text in source], "target": [readable(text) for text in target]}
    return texts | {"weights": pack(weights), "links": [[int(a), int(b)] for a, b in links]}


def readable(piece: str) -> str:
    """Returns a piece without the mark of a beginning word; the mark alone becomes a visible space.

    Example:

    >>> readable("\u2581hours"), readable("\u2581"), readable("ours")
    ('hours', '␣', 'ours')
    """
    return piece.removeprefix("▁") or ("␣" if piece else "")


def heat_maps_content(view: HeatMaps) -> dict[str, Any]:
    """Returns the image and the maps of `HeatMaps`."""
    if len(view.maps) != len(view.captions):
        raise ValueError(f"maps: expected {len(view.captions)}, one for each caption; received {len(view.maps)}")
    texts = {"title": view.title, "known": view.known, "captions": list(view.captions)}
    return texts | {"image": image_url(view.image), "maps": pack(view.maps), "one_scale": view.one_scale}


def frames_content(view: Frames) -> dict[str, Any]:
    """Returns the frames, maps and numbers of a film."""
    if not 0 < len(view.images) == len(view.maps) == len(view.values):
        raise ValueError(
            f"images, maps, values: expected equally many and at least one, received {len(view.images)}, "
            f"{len(view.maps)} and {len(view.values)}"
        )
    if view.regions and len(view.regions) != len(view.images):
        raise ValueError(f"regions: expected {len(view.images)} lists, one a frame; received {len(view.regions)}")
    return {
        "regions": [
            None
            if regions is None
            else [[rounded(outline), float(effect), bool(causal)] for outline, effect, causal in regions]
            for regions in view.regions
        ],
        "images": [image_url(image, lossless=False) for image in view.images],
        "size": [int(view.images[0].shape[1]), int(view.images[0].shape[0])],
        "maps": pack(view.maps),
        "values": rounded(view.values),
        "truths": None if view.truths is None else rounded(view.truths),
        "limit": float(view.limit),
        "unit": view.unit,
        "directions": list(view.directions),
    }


def rounded(values: Any) -> list[Any]:
    """Returns numbers as lists, rounded to five decimals."""
    return np.nan_to_num(np.asarray(values, dtype="float64")).round(5).tolist()


def confusion_content(view: ConfusionMatrix) -> dict[str, Any]:
    """Returns the classes and counts of a `ConfusionMatrix`."""
    counts, classes = np.asarray(view.counts), len(view.labels)
    if counts.shape != (classes, classes) or not classes:
        raise ValueError(f"counts: expected shape ({classes}, {classes}), not 0; received {counts.shape}")
    return {"title": view.title, "labels": list(view.labels), "counts": counts.astype(int).tolist()}


def point_map_content(view: PointMap) -> dict[str, Any]:
    """Returns the points of a `PointMap`."""
    count = len(view.labels)
    if np.shape(view.points) != (count, 2) or not count:
        raise ValueError(f"points: expected shape ({count}, 2), not 0 points; received {np.shape(view.points)}")
    texts = {"title": view.title, "labels": list(view.labels), "groups": list(view.groups)}
    return texts | {"points": rounded(view.points)}


def scatter_content(view: Scatter) -> dict[str, Any]:
    """Returns the numbers of a `Scatter`."""
    truths, answers = ([float(f"{number:.6g}") for number in column] for column in view.columns())
    return {"title": view.title, "truths": truths, "answers": answers}


def spans_content(view: Spans) -> dict[str, Any]:
    """Returns the text, the entities and the lattice of `Spans`; offsets count code points, as Python does."""
    expected = (len(view.tag_names), len(view.words))
    if np.shape(view.lattice) != expected or 0 in expected:
        raise ValueError(f"lattice: expected shape {expected}, none 0; received {np.shape(view.lattice)}")
    return {
        "title": view.title,
        "text": view.text,
        "spans": [[int(start), int(end), str(label), float(sure)] for start, end, label, sure in view.spans],
        "words": list(view.words),
        "tags": [view.tag_names.index(tag) for tag in view.tags],
        "tagNames": list(view.tag_names),
        "lattice": pack(view.lattice),
        "weights": None if view.weights is None else pack(view.weights),
    }


def shaded_text_content(view: ShadedText) -> dict[str, Any]:
    """Returns the sentences of a `ShadedText` and both levels of weights."""
    sentences = []
    for words, weights in zip(view.sentences, view.weights, strict=True):
        weights = rounded(weights)[: len(words)]
        sentences.append({"words": list(words), "weights": weights + [0.0] * (len(words) - len(weights))})
    decides = [bool(one) for one in view.known]
    return {"title": view.title, "sentences": sentences, "shares": rounded(view.sentence_weights), "decides": decides}


def layered_heads_content(view: LayeredHeads) -> dict[str, Any]:
    """Returns the weights of all heads, and what each head does.

    If all weights need more than 8 million characters, each token keeps its largest ones, as many as there is room for.
    The content then says how many, and which share of the attention they hold.
    """
    weights, count = np.asarray(view.weights, dtype="float32"), len(view.tokens)
    if weights.ndim != 4 or weights.shape[2:] != (count, count) or 0 in weights.shape:
        raise ValueError(f"weights: expected shape (L, H, {count}, {count}), none 0; received {weights.shape}")
    shares = measure_heads(view.tokens, weights)
    kept, shown = count, weights
    while (packed := pack_layers(shown, LARGEST if kept > 1 else None)) is None:
        # A weight that is kept needs fewer than three characters, whatever is left out around it.
        kept = max(1, min(kept // 2, LARGEST * count // (3 * weights.size)))
        shown = keep_largest(weights, kept)
    return {
        "title": view.title,
        "tokens": [readable(token) for token in view.tokens],
        "weights": packed,
        "kept": kept if kept < count else None,
        "keptShare": float(shown.sum() / max(float(weights.sum()), 1e-12)),
        "kinds": list(KINDS),
        "shares": rounded(shares),
        "groups": name_heads(shares).tolist(),
        "threshold": SHARE,
    }


def pack_layers(weights: np.ndarray, limit: int | None) -> list[dict[str, Any]] | None:
    """Returns the packed weights of each layer, or `None` if all of them have more characters than `limit`."""
    packed = []
    for layer in weights:
        packed.append(pack(layer, bits=8))
        if limit is not None and sum(len(one["data"]) for one in packed) > limit:
            return None
    return packed


CONTENTS: dict[type, tuple[str, Callable[[Any], dict[str, Any]]]] = {
    Alignment: ("alignment", alignment_content),
    ConfusionMatrix: ("confusion_matrix", confusion_content),
    Frames: ("frames", frames_content),
    HeatMaps: ("heat_maps", heat_maps_content),
    LayeredHeads: ("layered_heads", layered_heads_content),
    PointMap: ("point_map", point_map_content),
    Scatter: ("scatter", scatter_content),
    ShadedText: ("shaded_text", shaded_text_content),
    Spans: ("spans", spans_content),
}
"""Name of the script of each kind of view, and the function that makes what it reads."""


def as_script(content: dict[str, Any]) -> str:
    """Returns a dict as JSON that no HTML parser can take for anything else, whatever its texts are.

    Example:

    >>> as_script({"title": "</script><b>"})
    '{"title": "\\\\u003c/script\\\\u003e\\\\u003cb\\\\u003e"}'
    """
    text = json.dumps(content, allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
