"""Sizes of tensors, some of which a graph knows only when it runs."""

from keras import ops


def leading_axes(inputs, features=1):
    """The sizes of the leading axes of a tensor, as `ops.reshape` takes them.

    If one of them is unknown, it is -1, which costs a graph nothing; if several are unknown, they are scalar tensors.

    Args:
        inputs: A tensor.
        features: Number of axes at the end that are left out. Defaults to 1.

    Returns:
        A tuple of integers or scalar tensors.

    Example:

    >>> import keras
    >>> from attention_zoo.layers.shapes import leading_axes
    >>> leading_axes(keras.Input((3, 4))), leading_axes(keras.ops.ones((2, 3, 4, 5)), features=2)
    ((-1, 3), (2, 3))
    """
    sizes = tuple(inputs.shape[:-features])
    if sizes.count(None) == 1 and 0 not in sizes:  # of an empty tensor, reshape cannot infer -1
        return tuple(-1 if size is None else size for size in sizes)
    return tuple(ops.shape(inputs)[:-features])


def product(sizes):
    """Multiplies sizes: integers or scalar tensors.

    Example:

    >>> from attention_zoo.layers.shapes import product
    >>> product((2, 3, 4)), product(())
    (24, 1)
    """
    result = 1
    for size in sizes:
        result = result * size
    return result


def at_least(size, least):
    """The greater of a size and an integer. An integer stays one: under `jax.jit`, shapes must not be tensors.

    Example:

    >>> from attention_zoo.layers.shapes import at_least
    >>> at_least(0, 1), at_least(5, 1)
    (1, 5)
    """
    return max(size, least) if isinstance(size, int) else ops.maximum(size, least)


def exceeds(limit, *sizes):
    """Whether the product of sizes is above a limit. It is computed in floating point, since int32 would overflow.

    Args:
        limit: A number.
        *sizes: Integers or scalar tensors.

    Returns:
        A bool, or a scalar bool tensor.

    Example:

    >>> import keras
    >>> from attention_zoo.layers.shapes import exceeds
    >>> exceeds(2**20, 2**16, 2**16), bool(exceeds(2**20, keras.ops.array(2**16), 2**16))
    (True, True)
    """
    return product(float(size) if isinstance(size, int) else ops.cast(size, "float32") for size in sizes) > limit


def check_attention_shapes(layer, query_shape, value_shape, key_shape):
    """Raises a `ValueError` unless the inputs have the same rank, 3 or more, and there are as many keys as values."""
    received = f"Received shapes: query={tuple(query_shape)}, value={tuple(value_shape)}, key={tuple(key_shape)}"
    if len(query_shape) < 3 or not len(query_shape) == len(value_shape) == len(key_shape):
        raise ValueError(
            f"{layer}: `query`, `value` and `key` must have the same rank, 3 or more; a single query for each example "
            f"is of shape (B, 1, D). {received}"
        )
    if None not in (value_shape[-2], key_shape[-2]) and value_shape[-2] != key_shape[-2]:
        raise ValueError(f"{layer}: `key` and `value` must have the same length. {received}")


def check_mask_shapes(layer, query_shape, value_shape, query_mask=None, value_mask=None, attention_mask=None):
    """Raises a `ValueError` if a mask cannot belong to the inputs; sizes that are not known yet are not checked.

    Args:
        layer: Name of the layer, for the message.
        query_shape, value_shape: (B, ..., T, Dq) and (B, ..., S, Dv).
        query_mask, value_mask: (..., T) and (..., S), or `None`.
        attention_mask: Broadcastable to (..., T, S), with or without an axis of heads, or `None`.

    Example:

    >>> import keras
    >>> from attention_zoo.layers.shapes import check_mask_shapes
    >>> check_mask_shapes("Attention", (2, 5, 8), (2, 6, 8), value_mask=keras.ops.ones((2, 5)))
    Traceback (most recent call last):
    ValueError: Attention: `value_mask` must have the shape (2, 6). Received: value_mask of shape (2, 5)
    """
    batch, queries, keys = query_shape[0], query_shape[-2], value_shape[-2]
    masks = (("query_mask", query_mask, (queries,)), ("value_mask", value_mask, (keys,)))
    for name, mask, sizes in (*masks, ("attention_mask", attention_mask, (queries, keys))):
        shape = getattr(mask, "shape", None)  # a list has none
        if shape is None:
            continue
        expected = (batch, *sizes)
        fits = all(got in (1, None, size) or size is None for got, size in zip(reversed(shape), reversed(sizes)))
        if len(shape) >= len(query_shape) - 2 + len(sizes):  # a mask of a lower rank broadcasts over leading axes
            fits = fits and (shape[0] in (1, None, batch) or batch is None)
        if not fits or not len(shape):
            like = "a shape that broadcasts to" if name == "attention_mask" else "the shape"
            raise ValueError(f"{layer}: `{name}` must have {like} {expected}. Received: {name} of shape {tuple(shape)}")
