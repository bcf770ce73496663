"""Attention over axes that the caller names: it folds them into one, and the others become batch axes."""

from keras import ops

from attention_zoo.layers.shapes import product


def attended_axes(axes, rank):
    """The axes to attend over, counted from 0. `None` is the last axis before the features.

    Raises:
        ValueError: If an axis is the batch or the features, or does not exist.

    Example:

    >>> from attention_zoo.layers.axes import attended_axes
    >>> attended_axes(None, 4), attended_axes((1, -2), 4)
    ((2,), (1, 2))
    """
    if axes is None:
        return (rank - 2,)
    counted = tuple(axis + rank if axis < 0 else axis for axis in axes)
    if not counted or len(set(counted)) < len(counted) or not all(1 <= axis <= rank - 2 for axis in counted):
        raise ValueError(
            f"`attention_axes` must be different axes between batch and features. Received: {axes}, rank {rank}"
        )
    return counted


def over_axes(attend, axes, query, value, key, masks, options):
    """Calls `attend(query, value, key, *masks, *options)`, which attends over the axis before the features, on others.

    Args:
        attend: Returns (output, scores); the scores may be `None`.
        axes: As `attended_axes` returns them.
        query, value, key: (B, ..., D). `key` may be `None`.
        masks: (query_mask, value_mask, key_mask, attention_mask), each of which may be `None`.
        options: Further arguments.

    Returns:
        (output, scores): the output with the axes of `query`, the scores (batch axes, H, query axes, key axes).
    """
    if axes == (len(query.shape) - 2,):
        return attend(query, value, key, *masks, *options)
    query_sizes, value_sizes = ops.shape(query), ops.shape(value)
    query, value, key = (x if x is None else fold(x, axes) for x in (query, value, key))
    *padding, attention_mask = masks
    if attention_mask is not None and len(axes) > 1:
        batch = attention_mask.shape[: -2 * len(axes)]
        attention_mask = ops.reshape(attention_mask, (*batch, ops.shape(query)[-2], ops.shape(value)[-2]))
    masks = (*(fold_mask(mask, axes) for mask in padding), attention_mask)
    output, scores = attend(query, value, key, *masks, *options)
    output = unfold(output, query_sizes, axes)
    if scores is None:
        return output, None
    sizes = [size[axis] for size in (query_sizes, value_sizes) for axis in axes]
    return output, ops.reshape(scores, (*ops.shape(scores)[:-2], *sizes))


def folded_shape(shape, axes):
    """Shape that `fold` gives to an input of `shape`.

    Example:

    >>> from attention_zoo.layers.axes import folded_shape
    >>> folded_shape((2, 3, 4, 8), (1,)), folded_shape((2, 3, 4, 8), (1, 2))
    ((2, 4, 3, 8), (2, 12, 8))
    """
    attended = [shape[axis] for axis in axes]
    batch = [size for axis, size in enumerate(shape[:-1]) if axis not in axes]
    return (*batch, None if None in attended else product(attended), shape[-1])


def _order(axes, rank):
    return [axis for axis in range(rank - 1) if axis not in axes] + list(axes)


def fold(inputs, axes):
    """(B, ..., D) to (batch axes, T, D), T being the product of the attended axes."""
    order = _order(axes, len(inputs.shape))
    sizes = ops.shape(inputs)
    inputs = ops.transpose(inputs, (*order, len(order)))
    batch = [sizes[axis] for axis in order[: -len(axes)]]
    return ops.reshape(inputs, (*batch, product([sizes[axis] for axis in axes]), inputs.shape[-1]))


def fold_mask(mask, axes):
    """`fold` for a mask without features; a mask that lacks some of the axes is returned as it is."""
    if mask is None or len(mask.shape) <= max(axes):
        return mask
    return fold(ops.cast(mask, "bool")[..., None], axes)[..., 0]


def unfold(outputs, sizes, axes):
    """(batch axes, T, ...) to the order of the inputs, whose shape was `sizes`."""
    order = _order(axes, len(sizes))
    features = outputs.shape[len(order) - len(axes) + 1 :]
    outputs = ops.reshape(outputs, (*[sizes[axis] for axis in order], *features))
    back = [order.index(axis) for axis in range(len(order))]
    return ops.transpose(outputs, (*back, *range(len(order), len(order) + len(features))))
