"""Masks, which say which query may attend to which key, and a softmax that respects them.

True means "may attend" everywhere. Notation: B batch, T queries, S keys; "..." stands for any leading axes.
"""

from keras import ops

from attention_zoo.layers.precision import FLOAT16_MAX, is_float16

# The score of a masked key. It is finite, so that the softmax of a row of masked scores is defined; `masked_softmax`
# then sets that row to zero. The sum of three of them, which kernels make, is finite too. Other scores lie above it,
# except -inf, which gets no weight either.
MASKED = -1.0e38


def causal_mask(query_length, key_length, offset=0):
    """Mask under which query `i` sees the keys `j <= i + offset`.

    Args:
        query_length: T, an integer or a scalar tensor.
        key_length: S, an integer or a scalar tensor.
        offset: Number of keys before the first query, an integer or a scalar tensor; with a cache of `n` past keys,
            `n`. Defaults to 0.

    Returns:
        A bool tensor (T, S).

    Example:

    >>> from attention_zoo.layers import causal_mask
    >>> print(causal_mask(2, 4, offset=1).numpy())
    [[ True  True False False]
     [ True  True  True False]]
    """
    queries = ops.arange(query_length)[:, None] + offset  # (T, 1)
    return queries >= ops.arange(key_length)[None, :]  # (T, S)


def window_mask(query_length, key_length, window, offset=0):
    """Mask under which query `i` sees the keys `j` with `|i + offset - j| < window`, as Keras's `sliding_window` does.

    Together with a causal mask, query `i` sees its own position and the `window - 1` before it.

    Args:
        query_length: T, an integer or a scalar tensor.
        key_length: S, an integer or a scalar tensor.
        window: A positive integer.
        offset: Number of keys before the first query, an integer or a scalar tensor. Defaults to 0.

    Returns:
        A bool tensor (T, S).

    Example:

    >>> from attention_zoo.layers.masks import window_mask
    >>> print(window_mask(2, 4, window=2, offset=1).numpy())
    [[ True  True  True False]
     [False  True  True  True]]
    """
    queries = ops.arange(query_length)[:, None] + offset  # (T, 1)
    return ops.abs(queries - ops.arange(key_length)[None, :]) < window  # (T, S)


def combine_masks(query_mask=None, value_mask=None, attention_mask=None, causal=None):
    """Combines masks into one: a query may attend to a key if all of them allow it.

    Args:
        query_mask: Bool (..., T), True = a query that is not padding. Defaults to `None`: all.
        value_mask: Bool (..., S), True = a key that is not padding. Defaults to `None`: all.
        attention_mask: Bool, broadcastable to (..., T, S). Defaults to `None`: no restriction.
        causal: Bool (T, S), as `causal_mask` makes it. Defaults to `None`: no restriction.

    Masks may also be numbers, of which 0 means False.

    Returns:
        A bool tensor that broadcasts to (..., T, S), or `None` if there are no masks.

    Example:

    >>> from attention_zoo.layers import combine_masks
    >>> causal = [[True, False, False], [True, True, True]]
    >>> print(combine_masks(value_mask=[[True, True, False]], causal=causal).numpy())
    [[[ True False False]
      [ True  True False]]]
    """
    masks = []
    if query_mask is not None:
        masks.append(ops.cast(query_mask, "bool")[..., :, None])  # (..., T, 1)
    if value_mask is not None:
        masks.append(ops.cast(value_mask, "bool")[..., None, :])  # (..., 1, S)
    masks += [ops.cast(mask, "bool") for mask in (attention_mask, causal) if mask is not None]
    if not masks:
        return None
    combined = masks[0]
    for mask in masks[1:]:
        combined = ops.logical_and(combined, mask)
    return combined


def combine_head_masks(query_mask, value_mask, attention_mask, order, rank):
    """`combine_masks` for an attention mask that may have an axis of heads, (..., H, T, S).

    Args:
        query_mask, value_mask, attention_mask: As in `combine_masks`.
        order: (T, S), the causal mask, a window, or both.
        rank: Rank of the query; an `attention_mask` of a higher rank has an axis of heads.

    Returns:
        A bool tensor, or `None` if there are no masks.

    Example:

    >>> import keras
    >>> from attention_zoo.layers.masks import combine_head_masks
    >>> ones = keras.ops.ones
    >>> combine_head_masks(None, ones((2, 5)), ones((2, 4, 3, 5)), None, rank=3).shape
    TensorShape([2, 4, 3, 5])
    """
    if attention_mask is None or len(attention_mask.shape) <= rank:
        return combine_masks(query_mask, value_mask, attention_mask, order)
    rest = combine_masks(query_mask, value_mask, None, order)
    rest = rest if rest is None or len(rest.shape) <= 2 else ops.expand_dims(rest, -3)
    return combine_masks(attention_mask=attention_mask, causal=rest)


def attending_queries(
    query_length,
    key_length,
    query_mask=None,
    value_mask=None,
    attention_mask=None,
    use_causal_mask=False,
    sliding_window=None,
):
    """The queries that have anything to attend to. Makes no (T, S) mask unless `attention_mask` is one.

    Args:
        query_length, key_length: T and S, integers or scalar tensors.
        query_mask, value_mask, attention_mask: As in `combine_masks`.
        use_causal_mask: Whether query t sees only the keys up to t.
        sliding_window: W; query t sees only the keys s with |t - s| < W. Defaults to `None`: no limit.

    Returns:
        A bool tensor that broadcasts to (..., T), or `None` if all of them have.

    Example:

    >>> from attention_zoo.layers.masks import attending_queries
    >>> print(attending_queries(3, 3, value_mask=[[False, True, True]], use_causal_mask=True).numpy())
    [[False  True  True]]
    """
    if attention_mask is not None:
        mask = causal_mask(query_length, key_length) if use_causal_mask else None
        if sliding_window is not None:
            mask = combine_masks(attention_mask=window_mask(query_length, key_length, sliding_window), causal=mask)
        return ops.any(combine_masks(query_mask, value_mask, attention_mask, mask), axis=-1)
    attends = None
    if value_mask is not None and sliding_window is None:
        seen = ops.cumsum(ops.cast(value_mask, "int32"), axis=-1) > 0  # (..., S): whether there is any key up to here
        looks_at = (
            ops.minimum(ops.arange(query_length), key_length - 1)
            if use_causal_mask
            else ops.reshape(key_length - 1, (1,))
        )
        attends = ops.take(seen, looks_at, axis=-1)  # (..., T or 1)
    elif sliding_window is not None:
        attends = _attending_in_window(query_length, key_length, value_mask, use_causal_mask, sliding_window)
    if query_mask is None:
        return attends
    query_mask = ops.cast(query_mask, "bool")
    return query_mask if attends is None else ops.logical_and(query_mask, attends)


def _attending_in_window(query_length, key_length, value_mask, use_causal_mask, window):
    """`attending_queries` of a sliding window: whether not all keys [first, end) of a query are padding."""
    positions = ops.arange(query_length)  # (T,)
    first = ops.maximum(positions - window + 1, 0)
    if value_mask is None:
        return first < key_length
    end = ops.minimum(positions + (1 if use_causal_mask else window), key_length)
    # (..., S + 1): how many keys before position s are not padding
    before = ops.cumsum(ops.cast(value_mask, "int32"), axis=-1)
    before = ops.concatenate([ops.zeros_like(before[..., :1]), before], axis=-1)
    return ops.take(before, end, axis=-1) > ops.take(before, ops.minimum(first, key_length), axis=-1)


def masked_softmax(scores, mask=None):
    """Softmax over the last axis, in float32, with weight 0 for masked keys.

    A row with nothing to attend to gets zeros rather than the uniform weights (or NaN) of a plain softmax. A
    score of -inf counts as forbidden too, as long as some other score of its row is finite or masked. A float16 score
    of inf counts as 65,504, the greatest finite one.

    Args:
        scores: (..., T, S), any float dtype.
        mask: Bool, broadcastable to (..., T, S). Defaults to `None`: no key is masked.

    Returns:
        float32 weights (..., T, S); each row sums to one, or is all zeros.

    Example:

    >>> from attention_zoo.layers import masked_softmax
    >>> print(masked_softmax([[1.0, 1.0, 5.0], [1.0, 2.0, 3.0]], [[True, True, False], [False, False, False]]).numpy())
    [[0.5 0.5 0. ]
     [0.  0.  0. ]]
    """
    scores = ops.convert_to_tensor(scores)
    if is_float16(scores):  # an overflowed score, inf, would give NaN
        scores = ops.minimum(ops.cast(scores, "float32"), FLOAT16_MAX)
    scores = ops.cast(scores, "float32")
    if mask is not None:
        scores = ops.where(mask, scores, MASKED)
    # The softmax of one score is 1. Keras warns about such a softmax, but a cache starts with one key.
    weights = ops.ones_like(scores) if scores.shape[-1] == 1 else ops.softmax(scores, axis=-1)
    # The softmax of a row of masked scores is uniform. In other rows masked weights are zero already.
    return weights if mask is None else ops.where(mask, weights, 0.0)
