"""Our layers beside Keras's own: the same arguments, and with the same weights the same outputs."""

import inspect

import keras
import numpy as np
import pytest
from keras import ops

from attention_zoo import layers

PAIRS = {
    "MultiHeadAttention": (keras.layers.MultiHeadAttention, layers.MultiHeadAttention),
    "MultiHeadSelfAttention": (keras.layers.MultiHeadAttention, layers.MultiHeadSelfAttention),
    "GroupedQueryAttention": (keras.layers.GroupQueryAttention, layers.GroupedQueryAttention),
}
SIZES = {keras.layers.MultiHeadAttention: (2, 3), keras.layers.GroupQueryAttention: (3, 4, 2)}


def array(tensor):
    return ops.convert_to_numpy(tensor)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def pair(theirs_class, ours_class, shapes, **options):
    """Keras's layer and ours with the same random weights."""
    made = []
    for layer_class in (theirs_class, ours_class):
        layer = layer_class(*SIZES[theirs_class], **options)
        layer.build(*shapes)
        made.append(layer)
    theirs, ours = made
    rng = np.random.default_rng(7)
    theirs.set_weights([rng.normal(size=w.shape) * 0.5 for w in theirs.get_weights()])
    ours.set_weights(theirs.get_weights())
    return theirs, ours


@pytest.mark.parametrize("name", PAIRS)
def test_every_constructor_argument_of_keras_is_taken_with_its_default(name):
    theirs, ours = (inspect.signature(layer_class.__init__).parameters for layer_class in PAIRS[name])
    inherited = inspect.signature(layers.MultiHeadAttention.__init__).parameters
    ours = inherited if "num_heads" not in ours and "head_dim" not in ours else ours
    for argument, parameter in theirs.items():
        assert argument in ours, argument
        assert ours[argument].default == parameter.default, argument
    shared = [argument for argument in ours if argument in theirs]
    assert shared == list(theirs)  # positional arguments keep their places


@pytest.mark.parametrize("name", ["MultiHeadAttention", "GroupedQueryAttention"])
def test_call_takes_the_arguments_of_keras_in_its_order(name):
    theirs, ours = (list(inspect.signature(layer_class.call).parameters) for layer_class in PAIRS[name])
    assert ours == theirs


OPTIONS = {
    "nothing": {},
    "no bias": {"use_bias": False},
    "window": {"sliding_window": 2},
    "gate": {"use_gate": True},
    "flash": {"flash_attention": None},
    "all": {"sliding_window": 3, "use_gate": True, "use_bias": False},
}
CALLS = {
    "plain": {},
    "causal": {"use_causal_mask": True},
    "mask": {"attention_mask": np.tril(np.ones((2, 5, 5), bool)) | (np.random.default_rng(3).random((2, 5, 5)) < 0.5)},
    "keys": {"key_mask": np.array([[1, 1, 1, 1, 0], [1, 1, 1, 1, 1]], bool)},
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("name", ["MultiHeadAttention", "GroupedQueryAttention"])
def test_outputs_and_scores_equal_those_of_keras(name, options, call):
    query, value = normal(2, 5, 6), normal(2, 5, 6, seed=1)
    theirs, ours = pair(*PAIRS[name], (query.shape, value.shape), **OPTIONS[options])
    expected, expected_scores = theirs(query, value, return_attention_scores=True, **CALLS[call])
    output, scores = ours(query, value, return_attention_scores=True, **CALLS[call])
    np.testing.assert_allclose(array(output), array(expected), atol=1e-5)
    np.testing.assert_allclose(array(scores), array(expected_scores), atol=1e-5)
    np.testing.assert_allclose(array(ours(query, value, **CALLS[call])), array(expected), atol=1e-5)


@pytest.mark.parametrize("axes", [1, (2,), (1, 2), -2])
def test_attention_axes_mean_what_they_mean_in_keras(axes):
    query, value = normal(2, 3, 4, 6), normal(2, 3, 4, 6, seed=1)
    theirs, ours = pair(*PAIRS["MultiHeadAttention"], (query.shape, value.shape), attention_axes=axes)
    expected, expected_scores = theirs(query, value, return_attention_scores=True)
    output, scores = ours(query, value, return_attention_scores=True)
    np.testing.assert_allclose(array(output), array(expected), atol=1e-5)
    np.testing.assert_allclose(array(scores), array(expected_scores), atol=1e-5)
    np.testing.assert_allclose(array(ours(query, value)), array(expected), atol=1e-5)


def test_an_output_shape_and_a_mask_of_each_head_equal_those_of_keras():
    query = normal(2, 5, 6)
    theirs, ours = pair(*PAIRS["MultiHeadAttention"], (query.shape, query.shape), output_shape=(3, 2))
    mask = np.tril(np.ones((2, 2, 5, 5), bool)) | (np.random.default_rng(3).random((2, 2, 5, 5)) < 0.5)
    expected = array(theirs(query, query, attention_mask=mask))
    assert expected.shape == (2, 5, 3, 2)
    np.testing.assert_allclose(array(ours(query, query, attention_mask=mask)), expected, atol=1e-5)
    found = ours(query, query, attention_mask=mask, return_attention_scores=True)[0]
    np.testing.assert_allclose(array(found), expected, atol=1e-5)


@pytest.mark.parametrize("name", ["MultiHeadAttention", "GroupedQueryAttention"])
def test_regularisers_and_constraints_reach_the_same_weights(name):
    query = normal(2, 5, 6)
    options = {
        "kernel_regularizer": "l2",
        "bias_regularizer": "l1",
        "activity_regularizer": keras.regularizers.L2(0.1),
        "kernel_constraint": "non_neg",
        "bias_constraint": "unit_norm",
        "bias_initializer": "ones",
    }
    theirs, ours = pair(*PAIRS[name], (query.shape, query.shape), **options)
    theirs(query, query), ours(query, query)
    np.testing.assert_allclose(sum(map(float, ours.losses)), sum(map(float, theirs.losses)), rtol=1e-5)
    kinds = [[(type(w.regularizer), type(w.constraint)) for w in layer.trainable_weights] for layer in (theirs, ours)]
    assert kinds[0] == kinds[1]
    made = PAIRS[name][1].from_config(ours.get_config())
    made.build(query.shape, query.shape)
    assert array(made.query_dense.bias).min() == 1


@pytest.mark.parametrize("name", ["MultiHeadAttention", "GroupedQueryAttention"])
def test_int8_reaches_the_projections_as_it_reaches_those_of_keras(name):
    inputs, gaps = normal(2, 5, 6), []
    for layer in pair(*PAIRS[name], ((2, 5, 6), (2, 5, 6))):
        symbol = keras.Input((5, 6))
        model = keras.Model(symbol, layer(symbol, symbol))
        before = array(model(inputs))
        model.quantize("int8")
        assert [keras.backend.standardize_dtype(w.dtype) for w in layer.weights].count("int8") == 4
        gaps.append(np.abs(array(model(inputs)) - before).max())
    assert 0 < gaps[1] <= gaps[0] * 1.001


def test_lora_reaches_the_projections_as_it_reaches_those_of_keras():
    inputs = normal(2, 5, 6)
    theirs, ours = pair(*PAIRS["MultiHeadAttention"], (inputs.shape, inputs.shape))
    for layer in (theirs, ours):
        for dense in (layer.query_dense, layer.output_dense):
            dense.enable_lora(2, b_initializer="ones", a_initializer="ones")
    assert [tuple(w.shape) for w in ours.trainable_weights] == [tuple(w.shape) for w in theirs.trainable_weights]
    np.testing.assert_allclose(array(ours(inputs, inputs)), array(theirs(inputs, inputs)), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["MultiHeadAttention", "GroupedQueryAttention"])
def test_a_weights_file_of_keras_can_be_loaded(name, tmp_path):
    inputs, models = normal(2, 5, 6), []
    for layer in pair(*PAIRS[name], ((2, 5, 6), (2, 5, 6)), dropout=0.1):
        symbol = keras.Input((5, 6))
        layer.name = "attention"
        models.append(keras.Model(symbol, layer(symbol, symbol)))
    theirs, ours = models
    ours.set_weights([np.zeros_like(w) for w in ours.get_weights()])
    theirs.save_weights(tmp_path / "model.weights.h5")
    ours.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_allclose(array(ours(inputs)), array(theirs(inputs)), atol=1e-5)
