"""What is to be seen of a classified image: where the model looked, with the true class where it is known."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from attention_zoo.pipelines.engine.images.image_files import shown_image
from attention_zoo.pipelines.engine.views import HeatMaps


def heat_maps_of(answer: Mapping[str, Any]) -> HeatMaps:
    """Returns what decided the class: the rollout, and the heads of the last block.

    Each map has its own scale: the rollout of all blocks is far more even than a head.

    Args:
        answer: Has "image_bytes", "label", "probabilities", that of the label first, "attention" `(h, w)`,
            "head_attention" `(layers, H, h, w)`, and "truth" where it is known.
    """
    heads = answer["head_attention"][-1]  # (H, h, w)
    return HeatMaps(
        shown_image(answer["image_bytes"]),
        np.concatenate([answer["attention"][None], heads]),
        ["rollout", *(f"head {number + 1}" for number in range(len(heads)))],
        f"{named(answer)}; heads of the last block",
        known=f"truth: {answer['truth']}" if "truth" in answer else "",
        one_scale=False,
    )


def heads_of(answer: Mapping[str, Any]) -> HeatMaps:
    """Returns the heads of all blocks, of an answer as in `heat_maps_of`."""
    blocks, heads, height, width = answer["head_attention"].shape
    maps = answer["head_attention"].reshape(blocks * heads, height, width)
    captions = [f"block {block}, head {head}" for block in range(1, blocks + 1) for head in range(1, heads + 1)]
    title = f"{named(answer)}; all heads"
    return replace(heat_maps_of(answer), maps=maps, captions=captions, title=title, one_scale=True)


def named(answer: Mapping[str, Any]) -> str:
    """Returns the label of an answer with its probability."""
    return f"{answer['label']} ({answer['probabilities'][0]:.0%})"
