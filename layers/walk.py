"""The layers inside a layer, at any depth, with the names that lead to them."""


def inner_layers(layer, stop=lambda inner: False, _path=(), _seen=None):
    """Yields the layers that a layer holds, those of its attributes, lists and dicts, and those that they hold.

    It enters each layer once, and yields a layer that several others hold once for each of them: whoever replaces it
    has to do so in each.

    Args:
        layer: A Keras layer or model.
        stop: `stop(inner) -> bool`, whether to yield a layer without entering it. Defaults to entering all.

    Yields:
        Tuples (path, holder, inner): the names of the layers that lead to `inner`, its own included; the layer that
        holds it; and it.

    Example:

    >>> import keras
    >>> from attention_zoo.layers.walk import inner_layers
    >>> part = keras.Sequential([keras.layers.Dense(3, name="dense")], name="part")
    >>> [path for path, holder, inner in inner_layers(keras.Sequential([part], name="whole"))]
    [('part',), ('part', 'dense')]
    """
    seen = {id(layer)} if _seen is None else _seen
    for inner in list(layer._layers):  # the one that Keras itself walks to find the weights; it has no public name
        path = (*_path, inner.name)
        yield path, layer, inner
        if id(inner) not in seen and not stop(inner):
            seen.add(id(inner))
            yield from inner_layers(inner, stop, path, seen)
