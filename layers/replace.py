"""Copies a model with our attention layers in place of Keras's."""

import keras

from attention_zoo.layers.grouped_query import GroupedQueryAttention
from attention_zoo.layers.multi_head import MultiHeadAttention
from attention_zoo.layers.walk import inner_layers

_OURS = {keras.layers.MultiHeadAttention: MultiHeadAttention, keras.layers.GroupQueryAttention: GroupedQueryAttention}


def replace_attention(model):
    """Copies a model and replaces Keras's attention layers in the copy by ours.

    The copy has the same weights and gives the same outputs, except at a query with nothing to attend to (ours gives
    zeros, Keras's layer the mean of all values). It replaces `keras.layers.MultiHeadAttention` and
    `keras.layers.GroupQueryAttention`, also inside other layers. It leaves subclasses of them as they are, since those
    may have a `call` of their own.

    A layer that holds an attention layer in an attribute is rebuilt from its config when a saved model is loaded, and
    then holds Keras's layer again, with the same weights; call `replace_attention` on the loaded model. Attention
    layers that a Functional or Sequential model calls directly stay ours.

    Args:
        model: A built Keras model: Functional, Sequential, or a subclass with `get_config`.

    Returns:
        The copy.

    Raises:
        ValueError: If the model is not built, or the copy does not have the same weights.

    Example:

    >>> import keras
    >>> from attention_zoo.layers import replace_attention
    >>> inputs = keras.Input((5, 8))
    >>> model = keras.Model(inputs, keras.layers.MultiHeadAttention(2, 4, name="attention")(inputs, inputs))
    >>> type(replace_attention(model).get_layer("attention")).__module__
    'attention_zoo.layers.multi_head'
    """
    if not model.built:
        raise ValueError(f"`model` must be built: call it once. Received: {model.name!r}, which is not")
    copy = _copy_layer(model)
    wanted, received = ([tuple(w.shape) for w in m.weights] for m in (model, copy))
    if wanted != received:
        raise ValueError(f"The copy of {model.name!r} has other weights. Expected: {wanted}. Received: {received}")
    copy.set_weights(model.get_weights())
    return copy


def _copy_layer(layer):
    if type(layer) in _OURS:
        return _ours(layer)
    if _is_graph(layer):
        return keras.models.clone_model(layer, clone_function=_copy_layer)
    copy = type(layer).from_config(layer.get_config())
    if layer.built and not copy.built:
        copy.build_from_config(layer.get_build_config() or {})
    _replace_within(layer, copy)
    return copy


def _is_graph(layer):
    """Whether a layer is a Sequential or Functional model, not of a subclass: `clone_model` rebuilds its graph."""
    return type(layer) is keras.Sequential or (isinstance(layer, keras.Model) and type(layer).__name__ == "Functional")


def _ours(layer):
    """Our layer for one of Keras's, built as that one is."""
    copy = _OURS[type(layer)].from_config(layer.get_config())
    if layer.built:
        copy.build_from_config(layer.get_build_config())
    return copy


def _replace_within(layer, copy):
    """Replaces the attention layers inside `copy`, a fresh copy of `layer`, which may hold them at any depth."""
    places = zip(list(inner_layers(layer, _is_replaced)), list(inner_layers(copy, _is_replaced)), strict=True)
    done = {}  # layers that several others hold, by the id of the old one
    for (_, _, theirs), (_, holder, own) in places:
        if _is_replaced(own):
            if hasattr(holder, "_operations"):  # a subclass of Functional, whose graph holds the layer
                raise ValueError(
                    f"{type(holder).__name__} calls {own.name!r} in its own graph, which cannot be changed"
                )
            done[id(own)] = done.get(id(own)) or _copy_layer(theirs)
            _swap(holder, own, done[id(own)])


def _is_replaced(layer):
    return type(layer) in _OURS or _is_graph(layer)


def _swap(holder, old, new):
    """Puts a layer where another is held: in attributes, in lists and dicts that are attributes, and in `_layers`."""
    # `setattr` and the methods of Keras's tracked lists do not work here: they would track the new layer after all
    # others and keep tracking the old one, and they refuse changes to a built layer.
    for name, value in list(vars(holder).items()):
        if value is old:
            vars(holder)[name] = new
        elif isinstance(value, list):
            list.__setitem__(value, slice(None), [new if item is old else item for item in value])
        elif isinstance(value, dict):
            dict.update(value, {key: new for key, item in value.items() if item is old})
