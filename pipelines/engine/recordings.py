"""Recorded attention scores of any model as a view."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.views import LayeredHeads


def layered_heads(scores: Mapping[str, Any], tokens: Sequence[str], row: int = 0, title: str = "") -> LayeredHeads:
    """Returns the self-attention of one example in all recorded layers as a view.

    Args:
        scores: Scores of L layers by their names, as `attention_zoo.layers.record_attention` gives them: tensors or
            arrays `(B, H, T, T)`, or `(B, T, T)` of layers without heads, all with the same H and T.
        tokens: The tokens of the example, at most T; padding after them is cut off.
        row: The number of the example in the batch. Defaults to `0`.
        title: A line above the picture. Defaults to `""`.

    Raises:
        UserError: There are no scores, their shapes differ or are not those of self-attention, or there is no such row
            or token.

    Example:

    >>> view = layered_heads({"first": np.ones((1, 2, 3, 3)) / 3, "second": np.ones((1, 2, 3, 3)) / 3}, ["a", "cat"])
    >>> view.weights.shape
    (2, 2, 2, 2)
    """
    arrays = {name: np.asarray(keras.ops.convert_to_numpy(tensor)) for name, tensor in scores.items()}
    arrays = {name: array[:, None] if array.ndim == 3 else array for name, array in arrays.items()}
    shapes = {name: array.shape for name, array in arrays.items()}
    square = [shape for shape in shapes.values() if len(shape) == 4 and shape[2] == shape[3]]
    if not shapes or len(square) < len(shapes) or len(set(square)) > 1:
        raise UserError(
            "scores: expected self-attention (B, H, T, T) of the same shape in all layers, received "
            f"{shapes}; choose layers with record_attention(model, paths=[...])"
        )
    batch, _, length, _ = square[0]
    if not 0 <= row < batch or not 1 <= len(tokens) <= length:
        raise UserError(f"expected a row below {batch} and 1 to {length} tokens, received {row} and {len(tokens)}")
    kept = len(tokens)
    weights = np.stack([array[row, :, :kept, :kept] for array in arrays.values()]).astype("float32")
    return LayeredHeads(list(tokens), weights, title)
