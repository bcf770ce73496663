"""Answers with a translation, as views of its attention."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.views import Alignment


def alignment_of(answer: Mapping[str, Any]) -> Alignment | None:
    """Returns the view of an answer: its alignment, and of a Transformer also that of each head in the last layer.

    Args:
        answer: Dict of `input`, `translation`, `source_tokens` `(S,)`, `target_tokens` `(T,)`, their numbers
            `source_lengths` and `target_lengths`, `weights` `(T, S)`, and optionally `head_weights` `(L, H, T, S)`,
            `reference`, `links` and `reference_tokens`. Links belong to the reference, so they are shown only if the
            translation has the same tokens.

    Returns:
        `None` where there is nothing to see.

    Example:

    >>> pieces = {"source_tokens": ["▁a", "</s>"], "target_tokens": ["▁un", "</s>"]}
    >>> counts = {"source_lengths": 2, "target_lengths": 2, "weights": np.eye(2)}
    >>> alignment_of({"input": "a", "translation": "un", **pieces, **counts}).title
    'a → un'
    """
    source, target = (list(answer[f"{side}_tokens"][: answer[f"{side}_lengths"]]) for side in ("source", "target"))
    if not source or not target:
        return None
    weights, names = answer["weights"][None], []
    if "head_weights" in answer:
        weights = np.concatenate([weights, answer["head_weights"][-1]])  # (1 + H, T, S)
        names = ["alignment", *(f"head {number}" for number in range(1, len(weights)))]
    title = f"{answer['input']} → {answer['translation']}"
    if answer.get("reference", answer["translation"]) != answer["translation"]:
        title += f" (reference: {answer['reference']})"
    return Alignment(
        source,
        target,
        weights[:, : len(target), : len(source)],
        names,
        title=title,
        sides=("source", "translation"),
        join=any(len(piece.strip("▁")) > 1 for piece in target[:-1]),  # a model of characters aligns characters
        links=sorted(answer.get("links", ())) if answer.get("reference_tokens") == target[:-1] else [],
    )


def heads_of(answer: Mapping[str, Any]) -> Alignment | None:
    """Returns the view of all heads of a Transformer, a row for each layer; `None` where there is nothing to see.

    Raises:
        UserError: The answer has no weights of heads.
    """
    if "head_weights" not in answer:
        raise UserError("--heads: expected a Transformer, received a model whose attention has no heads")
    view = alignment_of(answer)
    if view is None:
        return None
    layers, heads, _, _ = answer["head_weights"].shape
    weights = answer["head_weights"].reshape(layers * heads, *answer["head_weights"].shape[2:])
    names = [f"layer {layer}, head {head}" for layer in range(1, layers + 1) for head in range(1, heads + 1)]
    shown = weights[:, : len(view.target), : len(view.source)]
    return replace(view, weights=shown, names=names, columns=heads)
