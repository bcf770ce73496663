"""Attention flow: how much of an input token can reach an output token (Abnar & Zuidema 2020, section 3).

Shapes: B batch, H heads, T tokens.
"""

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_flow

from attention_zoo.layers.rollout import residual_attention

# The maximum flow of SciPy takes 32-bit integers. On 16 tokens and 4 layers it took a twentieth of the time of that of
# networkx, which takes fractions but is written in Python. No flow is above 1, the sum of a row, so 2^30 stands for 1.
_ONE = 2**30


def attention_flow(scores: Sequence[np.ndarray]) -> np.ndarray:
    """Returns the largest flow from each output token of an encoder to each input token.

    Tokens of all layers are the nodes of a network. The edge from token i above a layer to token j below it can carry
    `residual_attention` (i, j): half the mean over the heads, half the residual connection. Unlike rollout, a path
    carries no more than its narrowest edge, and paths share what an edge carries (Abnar & Zuidema 2020, section 3,
    "Attention flow").

    Args:
        scores: Weights of the layers, from the first to the last, each `(B, H, T, T)` with rows that sum to 1.

    Returns:
        Float64 `(B, T, T)`, from 0 to 1: row i holds the flows from output i to the inputs, which need not sum to 1.
        Capacities are rounded to 2^-30, so that a flow is off by at most 2^-31 for each edge of a narrowest cut.

    Raises:
        ValueError: If there are no layers.

    Example: half of output 0 is token 0 of the first layer, which is input 0; of the other half, which is token 1, .45
    of input 0 fit through the edge between them.

    >>> first, second = np.array([[1.0, 0.0], [0.9, 0.1]]), np.array([[0.0, 1.0], [0.0, 1.0]])
    >>> attention_flow([first[None, None], second[None, None]])[0].round(2).tolist()
    [[0.95, 0.5], [0.45, 0.55]]
    """
    if not len(scores):
        raise ValueError("`scores` must hold the weights of at least one layer. Received: none")
    capacities = np.stack([np.asarray(residual_attention(np.asarray(weights))) for weights in scores])  # (L, B, T, T)
    return np.stack([_flows(capacities[:, row]) for row in range(capacities.shape[1])])


def _flows(capacities: np.ndarray) -> np.ndarray:
    """`attention_flow` of one example, from capacities (L, T, T)."""
    layers, tokens = capacities.shape[:2]
    layer, above, below = np.nonzero(capacities > 0)
    edges = np.rint(capacities[layer, above, below].astype("float64") * _ONE).astype("int32")
    nodes = (layers + 1) * tokens  # token t below layer l is node l T + t
    network = csr_array((edges, ((layer + 1) * tokens + above, layer * tokens + below)), shape=(nodes, nodes))
    flows = np.zeros((tokens, tokens))
    for output in range(tokens):
        for token in range(tokens):
            flows[output, token] = maximum_flow(network, layers * tokens + output, token).flow_value / _ONE
    return flows
