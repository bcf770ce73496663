"""Records the attention scores of any Keras model, without changing the model.

Shapes: B batch, H heads, T queries, S keys.
"""

import contextlib
import functools
import inspect

import keras

from attention_zoo.layers.attention import Attention
from attention_zoo.layers.kernels import tracing
from attention_zoo.layers.multi_head import MultiHeadAttention
from attention_zoo.layers.recurrent import AttentiveDecoder
from attention_zoo.layers.relative import RelativeAttention
from attention_zoo.layers.walk import inner_layers

_KERAS_HEADS = (keras.layers.MultiHeadAttention, keras.layers.GroupQueryAttention)
_KNOWN = (*_KERAS_HEADS, keras.layers.Attention, MultiHeadAttention, Attention, RelativeAttention, AttentiveDecoder)
_FLAG = "return_attention_scores"
_COMPILED = ("train_function", "test_function", "predict_function")


@contextlib.contextmanager
def record_attention(model, paths=None):
    """Records the attention scores of the layers of a model while the model is called.

    The model may be any Keras model. It records `keras.layers.MultiHeadAttention`, `GroupQueryAttention`, `Attention`
    and `AdditiveAttention`, the attention layers of this package, subclasses of all these (as keras-hub's
    `CachedMultiHeadAttention`), and other layers whose `call` takes `return_attention_scores`, at any depth.

    The scores are the weights after the softmax and before dropout (`keras.layers.Attention`: after it), as
    `return_attention_scores=True` would return them, and the same tensors from which the layer computes its output: a
    gradient with respect to them is possible. For the time of the block the layers compute all T x S scores where they
    would have called a fused kernel. Outputs are the same up to the rounding in which the two differ. `predict`,
    `evaluate` and `fit` run eagerly inside the block. Afterwards, also after an error, everything is as it was.

    A function that is compiled around the model (`tf.function`, `jax.jit`) must contain the `with` block and return the
    scores.

    Args:
        model: A built Keras model or layer.
        paths: Paths of the layers to record. Defaults to `None`: all attention layers.

    Yields:
        A dict that is filled as layers are called, in their order. The key is the path of a layer: the names that lead
        to it from the model, joined by "/". A second call of a layer adds the key "PATH#2", and so on. The value is a
        tensor `(B, H, T, S)` of a layer with heads, else `(B, T, S)`; `AttentionPooling` gives `(B, S)`, and Keras's
        layers with several attention axes have several axes in place of T and of S.

    Raises:
        ValueError: If the model is not built, if it has no attention layer that can be recorded, if `paths` names a
            layer that it does not have, if a function compiled outside the block calls a layer, or if the block ends
            without a call of one.

    Example:

    >>> import keras
    >>> from attention_zoo.layers import record_attention
    >>> inputs = keras.Input((5, 8))
    >>> model = keras.Model(inputs, keras.layers.MultiHeadAttention(2, 4, name="attention")(inputs, inputs))
    >>> with record_attention(model) as scores:
    ...     output = model(keras.ops.ones((3, 5, 8)))
    >>> {path: tuple(weights.shape) for path, weights in scores.items()}
    {'attention': (3, 2, 5, 5)}
    """
    chosen = _chosen_layers(model, paths)
    scores, calls = {}, {}
    compiled_outside = tracing()

    def record(path, weights):
        if tracing() and not compiled_outside:
            raise ValueError(
                "record_attention cannot record inside a function that was compiled outside its block. Call the model "
                f"itself, or put the block into the tf.function. Received: a tensor of a graph at {path!r}"
            )
        for tensor in keras.tree.flatten(weights):
            calls[path] = calls.get(path, 0) + 1
            scores[path if calls[path] == 1 else f"{path}#{calls[path]}"] = tensor

    with contextlib.ExitStack() as stack:
        if isinstance(model, keras.Model):
            stack.enter_context(_running_eagerly(model))
        for path, layer in chosen.items():
            for name, method in _hooks(layer, functools.partial(record, path)).items():
                stack.enter_context(shadowed(layer, name, method))
        yield scores
    if not scores:
        raise ValueError(
            f"The block called no attention layer of {model.name!r}. Call the model inside it, not a function that was "
            f"compiled before. Attention layers: {list(chosen)}"
        )


def _chosen_layers(model, paths):
    """The attention layers of a model by their paths."""
    if not model.built:
        raise ValueError(f"`model` must be built: call it once. Received: {model.name!r}, which is not")
    found = [((model.name,), None, model)] if _attends(model) else inner_layers(model, _attends)
    layers = {}
    for names, _, layer in found:
        if _attends(layer) and not any(layer is known for known in layers.values()):
            path, number = "/".join(names), 0
            while path in layers:  # two layers of the same name
                number += 1
                path = "/".join(names) + f"_{number}"
            layers[path] = layer
    if not layers:
        raise ValueError(
            f"{model.name!r} has no attention layer that can be recorded: none is a subclass of Keras's or of this "
            f"package's, and none has a `call` that takes `{_FLAG}`"
        )
    unknown = [path for path in paths or () if path not in layers]
    if unknown:
        raise ValueError(f"`paths` must be of {list(layers)}. Received: {unknown}")
    return layers if paths is None else {path: layers[path] for path in paths}


def _attends(layer):
    """Whether a layer computes scores itself; a block that hands `return_attention_scores` on to others does not."""
    if isinstance(layer, _KNOWN):
        return True
    takes_flag = _FLAG in inspect.signature(layer.call).parameters
    return takes_flag and not any(_attends(inner) for inner in layer._layers)


def _hooks(layer, record):
    """Methods for the time of the recording, by the names of those that they replace."""
    if isinstance(layer, _KERAS_HEADS):  # also where a subclass has a `call` of its own that takes no flag
        return {
            "_compute_attention": _without_fused_kernel(layer),
            "_masked_softmax": _recorded(layer._masked_softmax, record, lambda weights: weights),
        }
    if isinstance(layer, keras.layers.Attention):
        return {"_apply_scores": _recorded(layer._apply_scores, record)}
    if isinstance(layer, (Attention, RelativeAttention)):  # decoders call `attend`, and so does `call`
        return {"attend": _recorded(layer.attend, record, with_weights=True)}
    if isinstance(layer, MultiHeadAttention) and layer.attention_axes is None:

        def attend_without_scores(*args, **kwargs):
            return layer.attend_with_masks(*args, **kwargs)[0]  # which calls `attend`

        return {"attend": _recorded(layer.attend, record), "attend_without_scores": attend_without_scores}
    return {"call": _recorded_call(layer, record)}


def _recorded(method, record, weights_of=lambda results: results[1], **options):
    """A method that records what it returns; it sets those of the options that it has."""
    signature = inspect.signature(method)
    options = {name: value for name, value in options.items() if name in signature.parameters}

    @functools.wraps(method)
    def recorded(*args, **kwargs):
        bound = signature.bind(*args, **kwargs)
        bound.arguments.update(options)
        results = method(*bound.args, **bound.kwargs)
        record(weights_of(results))
        return results

    return recorded


def _recorded_call(layer, record):
    """A `call` that records the scores; it returns them only to those who ask for them."""
    call, signature = layer.call, inspect.signature(layer.call)
    # Results are (outputs, contexts, weights) of a decoder, else (output, weights, ...).
    place = -1 if isinstance(layer, AttentiveDecoder) else 1

    @functools.wraps(call)
    def recorded(*args, **kwargs):
        bound = signature.bind(*args, **kwargs)
        wanted = bound.arguments.get(_FLAG)
        bound.arguments[_FLAG] = True
        results = list(call(*bound.args, **bound.kwargs))
        record(results[place])
        if not wanted:
            del results[place]
        return tuple(results) if len(results) > 1 else results[0]

    return recorded


def _without_fused_kernel(layer):
    """`_compute_attention` of Keras's layers with heads, which then calls `_masked_softmax`."""
    method = layer._compute_attention
    signature = inspect.signature(method)

    @functools.wraps(method)
    def compute_attention(*args, **kwargs):
        bound = signature.bind(*args, **kwargs)
        if _FLAG in signature.parameters:
            bound.arguments[_FLAG] = True
        # GroupQueryAttention keeps the flag of `call` in an attribute.
        with shadowed(layer, "_flash_attention", False), shadowed(layer, "_" + _FLAG, True):
            return method(*bound.args, **bound.kwargs)

    return compute_attention


@contextlib.contextmanager
def shadowed(layer, name, value):
    """Sets an attribute of one layer for the time of a block, past the tracking of Keras.

    Example:

    >>> import keras
    >>> from attention_zoo.layers.record import shadowed
    >>> layer = keras.layers.Dense(2)
    >>> with shadowed(layer, "call", lambda inputs: "shadowed"):
    ...     print(layer.call(1))
    shadowed
    """
    attributes = vars(layer)
    was_there, before = name in attributes, attributes.get(name)
    attributes[name] = value
    try:
        yield
    finally:
        if was_there:
            attributes[name] = before
        else:
            del attributes[name]


@contextlib.contextmanager
def _running_eagerly(model):
    """Makes `predict`, `evaluate` and `fit` run eagerly, and keeps what they had compiled."""
    with contextlib.ExitStack() as stack:
        for name in _COMPILED:
            stack.enter_context(shadowed(model, name, None))
        stack.enter_context(shadowed(model, "_run_eagerly", True))
        yield
