"""What is to be seen of a classified image: where the model looked, with the true class where it is known."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from attention_zoo.pipelines.engine.images.image_files import shown_image
from attention_zoo.pipelines.engine.views import HeatMaps


def heat_maps_of(answer: Mapping[str, Any], confidence: float | None = None) -> HeatMaps:
    """Returns what decided the class: the rollout, and the heads of the last block.

    Args:
        answer: Has "image_bytes", "label", "attention" `(h, w)`, "head_attention" `(layers, H, h, w)`, and "truth"
            where it is known.
        confidence: Of the label. Defaults to `None`: the first of the answer's "probabilities".
    """
    heads = answer["head_attention"][-1]  # (H, h, w)
    return HeatMaps(
        shown_image(answer["image_bytes"]),
        np.concatenate([answer["attention"][None], heads]),
        ["rollout", *(f"head {number + 1}" for number in range(len(heads)))],
        f"{named(answer, confidence)}; heads of the last block",
        known=f"truth: {answer['truth']}" if "truth" in answer else "",
    )


def heads_of(answer: Mapping[str, Any], confidence: float | None = None) -> HeatMaps:
    """Returns the heads of all blocks; the arguments are those of `heat_maps_of`."""
    blocks, heads, height, width = answer["head_attention"].shape
    maps = answer["head_attention"].reshape(blocks * heads, height, width)
    captions = [f"block {block}, head {head}" for block in range(1, blocks + 1) for head in range(1, heads + 1)]
    title = f"{named(answer, confidence)}; all heads"
    return replace(heat_maps_of(answer, confidence), maps=maps, captions=captions, title=title)


def named(answer: Mapping[str, Any], confidence: float | None) -> str:
    """Returns the label of an answer with its confidence."""
    return f"{answer['label']} ({answer['probabilities'][0] if confidence is None else confidence:.0%})"
