"""What attention heads do, measured from their weights.

The kinds are those of Clark et al. 2019, "What Does BERT Look At? An Analysis of BERT's Attention", section 3.
"""

from collections.abc import Sequence

import numpy as np

SHARE = 0.4  # of its attention that a head gives to one kind of place, so that it is named after it
SEPARATORS = ("[SEP]", "</s>", "<sep>")
KINDS = ("previous token", "next token", "first token", "separator", "same word")


def measure_heads(tokens: Sequence[str], weights: np.ndarray) -> np.ndarray:
    """Returns which share of its attention each head gives to the places of each of `KINDS`, on average.

    The average is over the tokens that have such a place, without the first token: in a causal model it can only see
    itself. "same word" counts the token itself, and others that are written like it, without regard to case.

    Args:
        tokens: The T tokens.
        weights: Array `(L, H, T, T)`; a row is what a token attends to.

    Returns:
        Array `(L, H, 5)`, from 0 to 1.

    Example:

    >>> weights = np.eye(3)[[0, 0, 1]][None, None]  # each token looks at the one before it
    >>> measure_heads(["a", "b", "a"], weights).tolist()
    [[[1.0, 0.0, 0.5, 0.0, 0.0]]]
    """
    weights = np.asarray(weights, dtype="float32")
    count = len(tokens)
    places = np.arange(count)
    words = np.array([token.strip("▁Ġ ").lower() for token in tokens])
    separators = np.array([token in SEPARATORS for token in tokens])
    masks = np.stack(
        [
            places[:, None] - 1 == places,
            places[:, None] + 1 == places,
            np.broadcast_to(places == 0, (count, count)),
            np.broadcast_to(separators, (count, count)),
            words[:, None] == words,
        ]
    )  # (5, T, T)
    masks[:, 0] = False
    rows = np.maximum(masks.any(axis=-1).sum(axis=-1), 1)  # (5,)
    return np.einsum("lhts,kts->lhk", weights, masks.astype("float32"), optimize=True) / rows


def name_heads(shares: np.ndarray, threshold: float = SHARE) -> np.ndarray:
    """Returns the number of the kind that each head is of, the one with the largest share; -1 for none.

    Args:
        shares: Array `(L, H, 5)` of `measure_heads`.
        threshold: The smallest share that names a head. Defaults to `0.4`.

    Example:

    >>> name_heads(np.array([[[0.7, 0.0, 0.5, 0.0, 0.0], [0.2, 0.2, 0.2, 0.2, 0.2]]])).tolist()
    [[0, -1]]
    """
    return np.where(shares.max(axis=-1) >= threshold, shares.argmax(axis=-1), -1)
