"""Activations that are computed again: the same gradients and random numbers, and less in memory."""

import gc
import weakref

import keras
import numpy as np
import pytest
import tensorflow as tf

from attention_zoo.layers import TransformerEncoderBlock
from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.training.recomputation import recompute_blocks, states_of
from attention_zoo.pipelines.models import (
    AlbertEncoder,
    BertEncoder,
    GPT2Decoder,
    TransformerTranslator,
    VisionTransformer,
    XLNetEncoder,
)

SIZES = {"num_layers": 2, "num_heads": 2, "intermediate_dim": 12, "dropout": 0.4, "attention_dropout": 0.4}
TOKENS = np.array([[5, 6, 7, 8], [9, 5, 0, 0]], "int32")
MODELS = {
    "bert": lambda: (BertEncoder(12, hidden_dim=8, **SIZES), {"tokens": TOKENS}),
    "albert": lambda: (AlbertEncoder(12, hidden_dim=8, embedding_dim=4, **SIZES), {"tokens": TOKENS}),  # one block
    "gpt2": lambda: (GPT2Decoder(12, hidden_dim=8, **SIZES), {"tokens": TOKENS}),
    "xlnet": lambda: (
        XLNetEncoder(12, hidden_dim=8, **SIZES),
        {"tokens": TOKENS, "targets": TOKENS[:, :1] * 0, "segments": TOKENS * 0},
    ),
    "translator": lambda: (
        TransformerTranslator(12, 12, 8, 2, 2, 12, dropout=0.4),
        {"source": TOKENS, "target": TOKENS},
    ),
    "vit": lambda: (
        VisionTransformer(3, 8, 4, hidden_dim=8, stochastic_depth=0.5, **SIZES),
        np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype("float32"),
    ),
}


def outputs_of(found):
    """Returns the tensors of a model's outputs, in order."""
    return [output for output in tf.nest.flatten(found) if output.dtype.is_floating]


def gradients(model, inputs, compiled):
    """Returns the gradients of all weights, and the states of the generators of random numbers after the step."""

    def step():
        with tf.GradientTape() as tape:
            loss = sum(tf.reduce_sum(tf.sin(output)) for output in outputs_of(model(inputs, training=True)))
        return tape.gradient(loss, model.trainable_variables, unconnected_gradients="zero")

    found = (tf.function(step, autograph=False) if compiled else step)()
    states = [state.numpy() for state in states_of(model)]
    return [tf.convert_to_tensor(gradient).numpy() for gradient in found], states


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("name", MODELS)
def test_gradients_and_random_numbers_are_the_same(name, compiled):
    found = []
    for recomputes in (False, True):
        keras.utils.set_random_seed(1)
        model, inputs = MODELS[name]()
        model(inputs)
        if recomputes:
            recompute_blocks(model)
        found.append(gradients(model, inputs, compiled))
    (kept, states), (computed_again, other_states) = found
    assert len(states) >= 3 and max(np.abs(gradient).max() for gradient in kept) > 0.1
    for first, second in zip(kept, computed_again, strict=True):
        np.testing.assert_allclose(first, second, atol=1e-5)
    for first, second in zip(states, other_states, strict=True):
        np.testing.assert_array_equal(first, second)


class Watched:
    """An activation function whose last outputs a test can look for."""

    def __call__(self, inputs):
        outputs = tf.exp(inputs)
        self.last = weakref.ref(outputs)
        return outputs


@pytest.mark.parametrize("recomputes", [False, True])
def test_activations_are_gone_between_call_and_gradient(recomputes):
    watched = Watched()
    block = TransformerEncoderBlock(num_heads=2, intermediate_dim=16, activation=watched)
    model = keras.Sequential([keras.Input((5, 8)), block])
    if recomputes:
        recompute_blocks(model)
    with tf.GradientTape():
        outputs = model(tf.ones((1, 5, 8)), training=True)
        gc.collect()
        assert outputs.shape == (1, 5, 8) and (watched.last() is None) == recomputes


def test_serving_keeps_the_call_of_the_layer():
    model, inputs = MODELS["bert"]()
    before, scores = model(inputs, return_attention_scores=True)
    recompute_blocks(model)
    after, others = model(inputs, return_attention_scores=True)
    np.testing.assert_array_equal(before["states"], after["states"])
    assert list(scores) == list(others)


def test_a_model_without_blocks_is_refused():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    with pytest.raises(UserError, match="--training.recompute: expected a model with Transformer blocks"):
        recompute_blocks(model)
