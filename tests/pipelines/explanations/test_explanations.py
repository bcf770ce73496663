"""Explanations on cases that can be enumerated, against independent computations."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from attention_zoo.layers import MultiHeadSelfAttention
from attention_zoo.pipelines.explanations.flow import attention_flow
from attention_zoo.pipelines.explanations.gradients import (
    attention_gradients,
    attention_relevance,
    completeness_gap,
    embedding_gradients,
    integrated_gradients,
)
from attention_zoo.pipelines.explanations.relevance import encoder_decoder_relevance, self_attention_relevance


def weights(*shape, seed=0):
    return np.random.default_rng(seed).dirichlet(np.ones(shape[-1]), size=shape[:-1]).astype("float32")


def test_flow_is_the_narrowest_of_all_cuts():
    """The maximum flow equals the least capacity of a cut; all 2^7 cuts of a network of nine tokens are tried."""
    scores = [weights(2, 2, 3, 3, seed=seed) for seed in (0, 1)]
    flows = attention_flow(scores)
    assert flows.shape == (2, 3, 3)
    for row, output, token in itertools.product(range(2), range(3), range(3)):
        edges = {}
        for layer, values in enumerate(scores):
            mixed = 0.5 * values[row].mean(axis=0) + 0.5 * np.eye(3)
            edges |= {((layer + 1, i), (layer, j)): mixed[i, j] for i in range(3) for j in range(3)}
        source, sink = (2, output), (0, token)
        others = [node for node in itertools.product(range(3), range(3)) if node not in (source, sink)]
        cuts = []
        for sides in itertools.product([False, True], repeat=len(others)):
            near = {source} | {node for node, side in zip(others, sides) if side}
            cuts.append(sum(value for (a, b), value in edges.items() if a in near and b not in near))
        assert flows[row, output, token] == pytest.approx(min(cuts), abs=1e-7)


def test_relevance_is_the_sum_over_all_paths():
    """R = (I + Ā₂) (I + Ā₁): a path keeps its token in a layer, or goes to another one with weight Ā."""
    layers = [
        (weights(1, 2, 3, 3, seed=seed), np.random.default_rng(seed).normal(size=(1, 2, 3, 3))) for seed in (2, 3)
    ]
    kept = [np.mean([np.maximum(a * g, 0) for a, g in zip(*(x[0] for x in layer))], axis=0) for layer in layers]
    expected = np.zeros((3, 3))
    for output, middle, token in itertools.product(range(3), repeat=3):
        above = kept[1][output, middle] + (output == middle)
        expected[output, token] += above * (kept[0][middle, token] + (middle == token))
    np.testing.assert_allclose(self_attention_relevance(layers)[0], expected, atol=1e-6)


def test_relevance_of_a_source_by_hand():
    """One layer each, without heads' mean: R(source) = R̄(target)ᵀ Ā R̄(source), with the rows of R̄ - I normalised."""
    own = np.array([[[[1.0, 0.0], [0.5, 0.5]]]])
    encoder = [(np.array([[[[0.5, 0.5], [0.0, 1.0]]]]), np.array([[[[2.0, 6.0], [0.0, 0.0]]]]))]
    decoder = [((own, np.array([[[[0.0, 0.0], [4.0, 4.0]]]])), (np.full((1, 1, 2, 2), 0.5), np.ones((1, 1, 2, 2))))]
    target, source = encoder_decoder_relevance(encoder, decoder)
    # The encoder's Ā = [[1, 3], [0, 0]], so that R̄ = [[1.25, .75], [0, 1]]. The decoder's Ā = [[0, 0], [2, 2]], so that
    # R(target) = [[1, 0], [2, 3]] and R̄ = [[1, 0], [.5, 1.5]]. The cross-attention's Ā has .5 everywhere:
    # R̄ᵀ Ā = [[.75, .75], [.75, .75]], and that times R̄(source):
    np.testing.assert_allclose(target[0], [[1, 0], [2, 3]])
    np.testing.assert_allclose(source[0], [[0.9375, 1.3125], [0.9375, 1.3125]])


@pytest.fixture(scope="module")
def encoder():
    keras.utils.set_random_seed(3)
    inputs = keras.Input((3, 4))
    hidden = inputs + MultiHeadSelfAttention(2, 4, name="first")(inputs)
    hidden = hidden + keras.layers.MultiHeadAttention(2, 4, name="second")(hidden, hidden)
    model = keras.Model(inputs, keras.layers.Dense(2)(hidden[:, 0]))
    model.trainable = False  # gradients are there nevertheless
    return model


def test_gradients_of_attention_are_differences(encoder):
    """A weight of the last layer is changed by hand, and the answer computed anew from its values."""
    x = np.random.default_rng(4).normal(size=(2, 3, 4)).astype("float32")
    found = attention_gradients(encoder, x, lambda outputs: outputs[:, 1])
    assert list(found) == ["first", "second"]
    scores, gradients = found["second"]
    layer, dense = encoder.get_layer("second"), encoder.layers[-1]
    hidden = keras.Model(encoder.input, layer.input[0] if isinstance(layer.input, list) else layer.input)(x)
    values = np.einsum("bsd,dhe->bshe", hidden, layer._value_dense.kernel) + layer._value_dense.bias
    kernel = np.einsum("hed,dk->hek", layer._output_dense.kernel, dense.kernel)[..., 1]  # (H, e)
    expected = np.einsum("bshe,he->bhs", values, kernel)  # the answer is linear in the weights of its query, 0
    np.testing.assert_allclose(gradients[:, :, 0], expected, atol=1e-5)
    np.testing.assert_array_equal(gradients[:, :, 1:], 0)
    relevance = attention_relevance(encoder, x, lambda outputs: outputs[:, 1])
    np.testing.assert_allclose(relevance, self_attention_relevance(list(found.values())))
    only = attention_relevance(encoder, x, lambda outputs: outputs[:, 1], paths=["second"])
    np.testing.assert_allclose(only, self_attention_relevance([(scores, gradients)]))


def test_integrated_gradients_of_a_polynomial_and_completeness(encoder):
    def cubic(x):
        return x[:, 0] * x[:, 1] ** 2 + 5.0 * x[:, 0]

    x, baseline = np.array([[2.0, 3.0], [1.0, -1.0]]), np.array([1.0, 0.0])
    # Along the path x0 = 1 + a d, x1 = a e: ∫ d (x1² + 5) da = d (e² / 3 + 5) and ∫ e 2 x0 x1 da = e² + 2 d e² / 3.
    d, e = (x - baseline).T
    expected = np.stack([d * (e**2 / 3 + 5), e**2 + 2 * d * e**2 / 3], axis=1)
    found = integrated_gradients(cubic, x, baseline, steps=2)  # exact up to degree 3
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert completeness_gap(cubic, x, found, baseline).max() < 1e-4

    def logit(x):
        return encoder(x)[:, 1]

    x = np.random.default_rng(5).normal(size=(2, 3, 4)).astype("float32")
    gaps = [completeness_gap(logit, x, integrated_gradients(logit, x, steps=steps)).max() for steps in (1, 16)]
    assert gaps[1] < 1e-4 < gaps[0]
    gradient_times_input = integrated_gradients(lambda x: tf.reduce_sum(2 * x, axis=[1, 2]), x, steps=1)
    np.testing.assert_allclose(gradient_times_input, 2 * x, rtol=1e-6)


def test_gradients_of_an_embedding_are_those_of_the_model_behind_it(encoder):
    embedding = keras.layers.Embedding(7, 4, embeddings_initializer="normal")
    inputs = keras.Input((3,), dtype="int32")
    model, ids = keras.Model(inputs, encoder(embedding(inputs))), tf.constant([[1, 2, 3], [3, 3, 0]])
    found = embedding_gradients(model, embedding, ids, lambda outputs: outputs[:, 1], steps=8)
    expected = integrated_gradients(lambda x: encoder(x)[:, 1], embedding(ids), steps=8)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert "call" not in vars(embedding)


def test_what_cannot_be_explained_is_refused():
    with pytest.raises(ValueError, match="at least one layer"):
        attention_flow([])
    with pytest.raises(ValueError, match="at least one layer"):
        self_attention_relevance([])
    with pytest.raises(ValueError, match="at least one layer"):
        encoder_decoder_relevance([], [])
    with pytest.raises(ValueError, match="positive integer"):
        integrated_gradients(lambda x: x, [[1.0]], steps=0)
