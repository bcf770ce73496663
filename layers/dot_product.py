"""Scaled dot-product attention of projected heads: as plain products, in blocks, or by the backend's own kernel.

Notation: B batch, T queries, S keys, H heads, K key heads (H is a multiple of K), D and V features of a head's keys
and values.
"""

import keras
from keras import ops

from attention_zoo.layers.checks import check_positive_integer
from attention_zoo.layers.kernels import choose_implementation, dot_product_blocks, traced, window_blocks
from attention_zoo.layers.masks import causal_mask, combine_masks, masked_softmax, window_mask
from attention_zoo.layers.precision import widen
from attention_zoo.layers.shapes import exceeds

IMPLEMENTATIONS = ("auto", "plain", "blocks")

# Up to so many scores of a head the plain products are faster. Causal blocks skip half of the scores, and pay sooner.
_PLAIN_UP_TO, _PLAIN_UP_TO_CAUSAL = 512 * 512, 384 * 384


def dot_product_attention(
    query,
    key,
    value,
    key_mask=None,
    mask=None,
    bias=None,
    is_causal=False,
    scale=None,
    dropout_rate=0.0,
    seed=None,
    implementation="auto",
    sliding_window=None,
    max_length=None,
):
    """softmax(query keyᵀ · scale + bias) value (Vaswani et al. 2017, eq. 1).

    Inputs and output have the layout of `keras.ops.dot_product_attention`. The softmax is float32 whatever the dtype;
    so are the scores in blocks, and those of float16. Gradients reach query, key, value and bias. Padding and the
    causal order are arguments apart from `mask`, so that no (T, S) mask need exist.

    Args:
        query: (B, T, H, D).
        key: (B, S, K, D); head h looks at key head h // (H / K).
        value: (B, S, K, V).
        key_mask: Bool (B, S), True = a key that is not padding. Defaults to `None`.
        mask: Bool (B or 1, H or 1, T, S), True = may attend. Defaults to `None`.
        bias: (B or 1, H or 1, T, S), added to the scores. Defaults to `None`.
        is_causal: Whether query t sees only the keys up to t. Defaults to `False`.
        scale: Factor of the scores. Defaults to 1/√D.
        dropout_rate: Share of the weights that are dropped, in [0, 1). Defaults to 0.
        seed: An integer or a `keras.random.SeedGenerator`, for dropout.
        implementation: `"plain"` computes all scores at once, `"blocks"` block by block (TensorFlow, and not under XLA,
            which needs fixed sizes). `"auto"` takes blocks where they are possible and faster; on JAX and PyTorch the
            backend's own kernel if there is neither dropout nor bias. Defaults to `"auto"`.
        sliding_window: A positive integer W, or `None` for no limit. Query t then sees only the keys s with
            |t - s| < W, as in `keras.layers.MultiHeadAttention`. Defaults to `None`.
        max_length: The largest T and S that are expected. A graph that does not know the lengths holds both
            implementations, and holds only the plain products if blocks would pay at none of the expected lengths.
            Longer inputs give the same output. Defaults to `None`, any length.

    Returns:
        (B, T, H, V) in the dtype of `query`; zeros for a query with nothing to attend to.

    Raises:
        ValueError: If `implementation` is none of these, or not possible here; if `sliding_window` is not a positive
            integer; or if H is not a multiple of K.

    Example:

    >>> import keras
    >>> from attention_zoo.layers.dot_product import dot_product_attention
    >>> query, key = keras.ops.ones((2, 700, 8, 16)), keras.ops.ones((2, 600, 2, 16))
    >>> dot_product_attention(query, key, key, is_causal=True).shape
    TensorShape([2, 700, 8, 16])
    """
    check_implementation(implementation)
    check_positive_integer("sliding_window", sliding_window, optional=True)
    if query.shape[2] % key.shape[2]:
        raise ValueError(
            f"The heads of `query` must be a multiple of those of `key`. Received: {query.shape[2]}, {key.shape[2]}"
        )
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    masks = {"key_mask": key_mask, "mask": mask, "is_causal": is_causal}
    if _native_fits(implementation, dropout_rate, bias, key, value):
        masks["mask"] = _with_window(mask, query, key, sliding_window)
        return _native(query, key, value, scale=scale, **masks)
    query, key, value = (ops.convert_to_tensor(x) for x in (query, key, value))
    masks["key_mask"], masks["mask"], bias = traced(key_mask, mask, bias)
    rest = {"bias": bias, "scale": scale, "dropout_rate": dropout_rate, "seed": seed, **masks}

    def blocks():
        if sliding_window is None:
            return dot_product_blocks(query, key, value, **rest)
        if bias is None:
            without_bias = {name: option for name, option in rest.items() if name != "bias"}
            return window_blocks(query, key, value, **without_bias, window=sliding_window)
        # A bias has T x S numbers already: a mask of as many hardly costs more.
        return dot_product_blocks(query, key, value, **rest | {"mask": _with_window(mask, query, key, sliding_window)})

    def plain():
        return _plain(query, key, value, **rest | {"mask": _with_window(mask, query, key, sliding_window)})

    pays = (max_length is None or blocks_pay(max_length, max_length, is_causal)) and blocks_pay(
        ops.shape(query)[1], ops.shape(key)[1], is_causal
    )
    return choose_implementation(implementation, pays, blocks, plain)


def _with_window(mask, query, key, window):
    """The mask and the window as one mask (B or 1, H or 1, T, S); `mask` itself if there is no window."""
    if window is None:
        return mask
    band = window_mask(ops.shape(query)[1], ops.shape(key)[1], window)  # (T, S)
    return band[None, None] if mask is None else ops.logical_and(mask, band)


def check_implementation(implementation):
    """Raises a `ValueError` unless `implementation` is one of `IMPLEMENTATIONS`."""
    if implementation not in IMPLEMENTATIONS:
        raise ValueError(
            f"`implementation` must be one of {IMPLEMENTATIONS}. Received: implementation={implementation!r}"
        )


def blocks_pay(query_length, key_length, is_causal=False):
    """Whether blocks compute so many scores of a head faster; False if a length is `None`."""
    most = _PLAIN_UP_TO_CAUSAL if is_causal else _PLAIN_UP_TO
    return None not in (query_length, key_length) and exceeds(most, query_length, key_length)


def attention_scores(query, key, positions, key_mask=None, mask=None, bias=None, is_causal=False, scale=None):
    """The weights of some queries, without the (T, S) matrix of all.

    Args:
        positions: Integers (N,), the positions of these queries.
        query, key, key_mask, mask, bias, is_causal, scale: As in `dot_product_attention`.

    Returns:
        float32 (B, H, N, S).

    Example:

    >>> import keras
    >>> from attention_zoo.layers.dot_product import attention_scores
    >>> attention_scores(keras.ops.ones((2, 9, 4, 8)), keras.ops.ones((2, 7, 4, 8)), [0, 8]).shape
    TensorShape([2, 4, 2, 7])
    """
    positions = ops.cast(positions, "int32")
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    asked = widen(ops.swapaxes(ops.take(query, positions, axis=1), 1, 2))  # (B, H, N, D)
    mask, bias = (x if x is None else ops.take(x, positions, axis=2) for x in (mask, bias))
    causal = positions[:, None] >= ops.arange(ops.shape(key)[1], dtype="int32") if is_causal else None  # (N, S)
    return _weights(asked * scale, ops.swapaxes(key, 1, 2), _allowed(key_mask, mask, causal), bias)


def attention_mass(query, key, key_mask=None, mask=None, bias=None, is_causal=False, scale=None):
    """The attention that each key gets: its weights, summed over the queries, 256 queries at a time.

    Args:
        query, key, key_mask, mask, bias, is_causal, scale: As in `dot_product_attention`.

    Returns:
        float32 (B, H, S).

    Example:

    >>> import keras
    >>> from attention_zoo.layers.dot_product import attention_mass
    >>> print(attention_mass(keras.ops.ones((1, 6, 1, 8)), keras.ops.ones((1, 3, 1, 8))).numpy())
    [[[2. 2. 2.]]]
    """
    length = ops.shape(query)[1]

    def add_block(block, mass):
        positions = block * 256 + ops.arange(256, dtype="int32")
        exists = ops.cast(positions < length, "float32")[:, None]  # (256, 1): the last block may be shorter
        positions = ops.minimum(positions, length - 1)
        return mass + ops.sum(
            attention_scores(query, key, positions, key_mask, mask, bias, is_causal, scale) * exists, axis=-2
        )

    zeros = ops.zeros((ops.shape(query)[0], query.shape[2], ops.shape(key)[1]))  # (B, H, S)
    return ops.fori_loop(0, (length + 255) // 256, add_block, zeros)


def _allowed(key_mask, mask, causal):
    """The masks as one, broadcastable to (B, H, T, S)."""
    padding = None if key_mask is None else ops.expand_dims(ops.cast(key_mask, "bool"), (1, 2))  # (B, 1, 1, S)
    return combine_masks(attention_mask=mask, causal=combine_masks(attention_mask=padding, causal=causal))


def _weights(query, key, mask, bias):
    """float32 (B, H, T, S) from (B, H, T, D), scaled, and (B, K, S, D)."""
    grouped = query.shape[1] // key.shape[1]
    key = widen(key)
    scores = ops.matmul(query, ops.swapaxes(ops.repeat(key, grouped, axis=1) if grouped > 1 else key, -1, -2))
    scores = ops.cast(scores, "float32")
    return masked_softmax(scores if bias is None else scores + ops.cast(bias, "float32"), mask)


def _plain(query, key, value, key_mask, mask, bias, is_causal, scale, dropout_rate, seed):
    query, key, value = (
        ops.swapaxes(x, 1, 2) for x in (widen(query) * scale, key, value)
    )  # (B, H or K, T or S, D or V)
    causal = causal_mask(ops.shape(query)[2], ops.shape(key)[2]) if is_causal else None
    weights = _weights(query, key, _allowed(key_mask, mask, causal), bias)
    if dropout_rate:
        weights = keras.random.dropout(weights, dropout_rate, seed=seed)
    grouped = query.shape[1] // value.shape[1]
    value = ops.repeat(value, grouped, axis=1) if grouped > 1 else value
    return ops.swapaxes(ops.matmul(ops.cast(weights, value.dtype), value), 1, 2)  # (B, T, H, V)


def _native_fits(implementation, dropout_rate, bias, key, value):
    """Whether the backend's own kernel computes this.

    PyTorch's takes a bias or a mask, not both; JAX's takes values as wide as keys; neither has dropout through Keras.
    """
    if implementation != "auto" or dropout_rate or bias is not None or key.shape[-1] != value.shape[-1]:
        return False
    return keras.backend.backend() in ("jax", "torch")


def _native(query, key, value, key_mask, mask, is_causal, scale):
    """The backend's own kernel.

    PyTorch's takes a mask or the causal flag, not both. JAX's gives a query with nothing to attend to the mean.
    """
    if key_mask is None and mask is None:
        return ops.dot_product_attention(query, key, value, scale=scale, is_causal=is_causal)
    causal = causal_mask(ops.shape(query)[1], ops.shape(key)[1]) if is_causal else None
    allowed = _allowed(key_mask, mask, causal)
    allowed = ops.broadcast_to(allowed, (*allowed.shape[:2], query.shape[1], key.shape[1]))
    attends = ops.any(allowed, axis=-1, keepdims=True)  # (B, H, T, 1)
    output = ops.dot_product_attention(query, key, value, mask=ops.logical_or(allowed, ~attends), scale=scale)
    return ops.where(ops.swapaxes(attends, 1, 2), output, 0.0)
