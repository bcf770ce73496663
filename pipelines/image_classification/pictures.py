"""What is to be seen of a classified image: where the model looked, with the true class where it is known."""

from dataclasses import replace

import numpy as np

from attention_zoo.pipelines.engine.images.image_files import shown_image
from attention_zoo.pipelines.engine.views import HeatMaps


def heat_maps_of(answer):
    """Returns what decided the class: the rollout, and the heads of the last block."""
    heads = answer["head_attention"][-1]  # (H, h, w)
    return HeatMaps(
        shown_image(answer["image_bytes"]),
        np.concatenate([answer["attention"][None], heads]),
        ["rollout", *(f"head {number + 1}" for number in range(len(heads)))],
        f"{answer['label']} ({answer['probabilities'][0]:.0%}); heads of the last block",
        known=f"truth: {answer['truth']}" if "truth" in answer else "",
    )


def heads_of(answer):
    """Returns the heads of all blocks."""
    blocks, heads, height, width = answer["head_attention"].shape
    maps = answer["head_attention"].reshape(blocks * heads, height, width)
    captions = [f"block {block}, head {head}" for block in range(1, blocks + 1) for head in range(1, heads + 1)]
    title = f"{answer['label']} ({answer['probabilities'][0]:.0%}); all heads"
    return replace(heat_maps_of(answer), maps=maps, captions=captions, title=title)
