"""Recorded scores equal those that the layers return when asked, and NumPy's; runs on every backend."""

import keras
import numpy as np
import pytest
from arrays import softmax
from keras import ops
from layer_cases import CASES, floats

from attention_zoo import layers
from attention_zoo.layers import record_attention

BACKEND = keras.backend.backend()


def array(tensor):
    return ops.convert_to_numpy(tensor)


def attributes_of(model):
    """The attributes of a model and of all layers within it, without those that Keras sets at the first call of one."""
    attributes = {
        (id(layer), name): value for layer in model._flatten_layers() for name, value in list(vars(layer).items())
    }
    return {key: value for key, value in attributes.items() if not key[1].endswith(("_called", "_path", "_factories"))}


def check_untouched(model, before):
    after = attributes_of(model)
    assert before.keys() == after.keys() and all(before[key] is after[key] for key in before)


@pytest.mark.parametrize("flash", [False, True])
def test_scores_of_keras_equal_a_computation_in_numpy(flash):
    inputs = keras.Input((3, 2))
    layer = keras.layers.MultiHeadAttention(2, 2, name="attention")
    model = keras.Model(inputs, layer(inputs, inputs, use_causal_mask=True))
    x, weights = floats(1, 3, 2), dict(zip("qQkK", layer.get_weights()))
    query, key = (np.einsum("btd,dhe->bhte", x, weights[n]) + weights[n.upper()][:, None] for n in "qk")
    scores = np.einsum("bhte,bhse->bhts", query, key) / np.sqrt(2)
    expected = softmax(np.where(np.tri(3, dtype=bool), scores, -np.inf))
    output = array(model(x))
    layer._flash_attention = flash  # such a layer refuses to return scores
    before = attributes_of(model)
    with record_attention(model) as recorded:
        recorded_output = model(x)
    assert list(recorded) == ["attention"]
    np.testing.assert_allclose(array(recorded["attention"]), expected, atol=1e-6)
    np.testing.assert_allclose(array(recorded_output), output, atol=1e-6)
    check_untouched(model, before)


KERAS = {
    "heads": (lambda: keras.layers.MultiHeadAttention(2, 4, dropout=0.3), "query value"),
    "heads over two axes": (lambda: keras.layers.MultiHeadAttention(2, 4, attention_axes=(1, 2)), "grids"),
    "ours over two axes": (lambda: layers.MultiHeadAttention(2, 4, attention_axes=(1, 2)), "grids"),
    "groups": (lambda: keras.layers.GroupQueryAttention(4, 4, 2), "query value"),
    "dot": (lambda: keras.layers.Attention(use_scale=True), "list"),
    "additive": (keras.layers.AdditiveAttention, "list"),
}
SHAPES = {"query value": [(2, 5, 8), (2, 6, 8)], "list": [(2, 5, 8), (2, 6, 8)], "grids": [(2, 3, 4, 8)] * 2}


@pytest.mark.parametrize("name", KERAS)
def test_recorded_scores_equal_those_that_a_layer_of_keras_returns(name):
    make, kind = KERAS[name]
    layer, inputs = make(), [ops.convert_to_tensor(floats(*shape, seed=n)) for n, shape in enumerate(SHAPES[kind])]
    inputs = [inputs] if kind == "list" else inputs
    output, expected = layer(*inputs, return_attention_scores=True)
    with record_attention(layer) as recorded:
        again = layer(*inputs)
    assert list(recorded) == [layer.name]
    np.testing.assert_allclose(array(recorded[layer.name]), array(expected), atol=1e-6)
    np.testing.assert_allclose(array(again), array(output), atol=1e-6)


ATTENDING = [name for name, case in CASES.items() if case.attends] + ["AttentionPooling"]


@pytest.mark.parametrize("name", ATTENDING)
def test_recorded_scores_equal_those_that_a_layer_of_ours_returns(name):
    case = CASES[name]
    layer = case.make()
    results = layer(**case.inputs, return_attention_scores=True)
    place = -1 if isinstance(layer, layers.AttentiveDecoder) else 1
    expected, before = keras.tree.flatten(results[place]), attributes_of(layer)
    if isinstance(results[place], dict):  # a block of a decoder
        expected = [results[place]["self"], results[place]["cross"]]
    with record_attention(layer) as recorded:
        outputs = layer(**case.inputs)
    for scores, wanted in zip(recorded.values(), expected, strict=True):
        np.testing.assert_allclose(array(scores), array(wanted), atol=1e-6)
    again = keras.tree.flatten(layer(**case.inputs))
    for output, wanted in zip(keras.tree.flatten(outputs), again, strict=True):
        np.testing.assert_allclose(array(output), array(wanted), atol=1e-5)
    check_untouched(layer, before)


def nested():
    """A model with a model inside, a layer that is called twice, and two layers of the same name."""
    inputs = keras.Input((4, 8), name="inputs")
    shared = keras.layers.MultiHeadAttention(2, 4, name="shared")
    inner_inputs = keras.Input((4, 8), name="inner_inputs")
    inner = keras.Model(inner_inputs, layers.BahdanauAttention(3, name="words")(inner_inputs, inner_inputs), name="in")
    hidden = shared(inputs, inner(inputs))
    return keras.Model(inputs, shared(hidden, hidden), name="out")


def test_paths_lead_through_nested_models_and_number_the_calls():
    model, x = nested(), floats(2, 4, 8)
    with record_attention(model) as recorded:
        model(x)
    assert list(recorded) == ["in/words", "shared", "shared#2"]
    assert [len(scores.shape) for scores in recorded.values()] == [3, 4, 4]
    with record_attention(model, paths=["shared"]) as recorded:
        model(x)
    assert list(recorded) == ["shared", "shared#2"]


def test_predict_is_recorded_though_it_was_compiled_before():
    model, x = nested(), floats(4, 4, 8)
    expected, compiled = model.predict(x, batch_size=2, verbose=0), model.predict_function
    with record_attention(model, ["in/words"]) as recorded:
        output = model.predict(x, batch_size=2, verbose=0)
    assert list(recorded) == ["in/words", "in/words#2"] and model.predict_function is compiled
    np.testing.assert_allclose(output, expected, atol=1e-6)
    with record_attention(model, ["in/words"]) as whole:
        model(x)
    parts = np.concatenate([array(scores) for scores in recorded.values()])
    np.testing.assert_allclose(parts, array(whole["in/words"]), atol=1e-6)


def test_layers_are_restored_after_an_error_and_recordings_nest():
    model, x = nested(), floats(2, 4, 8)
    before = attributes_of(model)
    with pytest.raises(KeyError, match="mine"), record_attention(model):
        raise KeyError("mine")
    check_untouched(model, before)
    with record_attention(model) as outer, record_attention(model, ["shared"]) as inner:
        model(x)
    assert list(outer) == ["in/words", "shared", "shared#2"] and list(inner) == ["shared", "shared#2"]
    check_untouched(model, before)


def test_a_recording_that_is_not_possible_is_refused():
    model = nested()
    with pytest.raises(ValueError, match="must be built"):
        record_attention(keras.Sequential([keras.layers.Dense(2)])).__enter__()
    dense = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    with pytest.raises(ValueError, match="no attention layer"):
        record_attention(dense).__enter__()
    with pytest.raises(ValueError, match=r"`paths` must be of \['in/words', 'shared'\]"):
        record_attention(model, ["other"]).__enter__()
    with pytest.raises(ValueError, match="called no attention layer"), record_attention(model):
        pass


@pytest.mark.skipif(BACKEND != "tensorflow", reason="uses TensorFlow's graphs and tape")
def test_graphs_and_gradients_of_tensorflow():
    import tensorflow as tf

    model, x = nested(), tf.constant(floats(2, 4, 8))
    compiled = tf.function(model)
    with pytest.raises(ValueError, match="compiled outside its block"), record_attention(model):
        compiled(x)

    @tf.function
    def scores_of(x):
        with record_attention(model) as scores:
            model(x)
        return scores

    with tf.GradientTape() as tape, record_attention(model) as recorded:
        total = tf.reduce_sum(model(x) ** 2)
    for path, scores in scores_of(x).items():
        np.testing.assert_allclose(scores, recorded[path], atol=1e-6)
    gradients = tape.gradient(total, recorded)
    assert all(float(tf.norm(gradient)) > 0 for gradient in gradients.values())


def hub_model(hub, name):
    sizes = {"vocabulary_size": 20, "num_layers": 2, "num_heads": 2, "hidden_dim": 8, "intermediate_dim": 16}
    ids, mask = np.arange(12).reshape(2, 6), (np.arange(6) < np.array([[6], [4]])).astype("int32")
    inputs = {"token_ids": ids, "padding_mask": mask}
    if name == "BertBackbone":
        inputs["segment_ids"] = 0 * ids
    return getattr(hub.models, name)(**sizes, max_sequence_length=6), inputs


@pytest.mark.parametrize("name", ["BertBackbone", "GPT2Backbone"])
def test_scores_of_an_unmodified_model_of_keras_hub(name):
    hub = pytest.importorskip("keras_hub")
    model, inputs = hub_model(hub, name)
    before, output = attributes_of(model), model(inputs)
    with record_attention(model) as recorded:
        again = model(inputs)
    check_untouched(model, before)
    for tensor, wanted in zip(keras.tree.flatten(again), keras.tree.flatten(output), strict=True):
        np.testing.assert_allclose(array(tensor), array(wanted), atol=1e-5)

    # The same layers, asked one after the other for their own scores.
    blocks = [layer for layer in model.layers if layer.name.startswith("transformer_layer")]
    features = keras.Model(model.inputs, [block.input for block in blocks])(inputs)
    mask = inputs["padding_mask"][:, None, :].astype(bool)
    assert list(recorded) == [f"{block.name}/{block._self_attention_layer.name}" for block in blocks]
    for block, hidden, (path, scores) in zip(blocks, features, recorded.items()):
        hidden = hidden[0] if isinstance(hidden, (list, tuple)) else hidden
        attention_mask = np.broadcast_to(mask, (2, 6, 6))
        if name == "GPT2Backbone":
            hidden = block._self_attention_layer_norm(hidden)  # GPT-2 normalises before it attends
            attention_mask = attention_mask & np.tri(6, dtype=bool)
        _, expected = block._self_attention_layer(
            hidden, hidden, attention_mask=attention_mask, return_attention_scores=True
        )
        np.testing.assert_allclose(array(scores), array(expected), atol=1e-6, err_msg=path)
