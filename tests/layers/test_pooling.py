"""Attention of a learned query, against its equations, and masks on two levels."""

import keras
import numpy as np
import pytest
from keras import ops

from attention_zoo.layers import AttentionPooling

RNG = np.random.default_rng(4)
WORDS = RNG.normal(size=(2, 3, 5, 4)).astype("float32")  # (B, N, S, D)
MASK = np.array(
    [
        [[1, 1, 1, 0, 0], [1, 0, 0, 0, 0], [0, 0, 0, 0, 0]],
        [[1, 1, 1, 1, 1], [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]],
    ],
    bool,
)


@pytest.fixture
def layer():
    layer = AttentionPooling(6)
    layer.build(WORDS.shape)
    layer.set_weights([RNG.normal(size=weight.shape).astype("float32") for weight in layer.weights])
    return layer


def by_the_equations(layer, inputs, mask):
    """Equations 5 to 7, one sequence at a time."""
    weights = {weight.name: np.array(weight, "float64") for weight in layer.weights}
    summaries, alphas = np.zeros(inputs.shape[:-2] + inputs.shape[-1:]), np.zeros(inputs.shape[:-1])
    for place in np.ndindex(*inputs.shape[:-2]):
        rows = np.flatnonzero(mask[place])
        if not len(rows):
            continue
        hidden = np.tanh(inputs[place][rows] @ weights["kernel"] + weights["bias"])
        scores = hidden @ weights["context"][:, 0]
        alpha = np.exp(scores - scores.max())
        alphas[place][rows] = alpha / alpha.sum()
        summaries[place] = alphas[place] @ inputs[place]
    return summaries, alphas


def test_it_equals_the_papers_equations(layer):
    summaries, weights = layer(WORDS, mask=ops.convert_to_tensor(MASK), return_attention_scores=True)
    expected = by_the_equations(layer, WORDS.astype("float64"), MASK)
    np.testing.assert_allclose(ops.convert_to_numpy(summaries), expected[0], atol=1e-5)
    np.testing.assert_allclose(ops.convert_to_numpy(weights), expected[1], atol=1e-6)


def test_padding_changes_nothing_whatever_it_holds(layer):
    mask = ops.convert_to_tensor(MASK)
    noise = np.where(MASK[..., None], WORDS, 1e4).astype("float32")
    np.testing.assert_array_equal(
        ops.convert_to_numpy(layer(noise, mask=mask)), ops.convert_to_numpy(layer(WORDS, mask=mask))
    )
    short = ops.convert_to_numpy(layer(WORDS[:1, :1, :3]))
    np.testing.assert_allclose(short[0, 0], ops.convert_to_numpy(layer(WORDS, mask=mask))[0, 0], atol=1e-6)


def test_an_empty_sequence_is_zeros_and_has_no_gradient(layer):
    summaries = ops.convert_to_numpy(layer(WORDS, mask=ops.convert_to_tensor(MASK)))
    assert not summaries[0, 2].any() and not summaries[1, 1:].any() and summaries[0, :2].any()


def test_empty_sentences_are_masked_in_the_document():
    tokens = np.array([[[3, 4, 0], [5, 0, 0], [0, 0, 0]], [[6, 0, 0], [0, 0, 0], [0, 0, 0]]])
    ids = keras.Input((None, None), dtype="int32")
    words = keras.layers.Embedding(9, 4, mask_zero=True)(ids)
    sentences = AttentionPooling(6, name="words")(words)
    document = AttentionPooling(6, name="sentences")(sentences)
    model = keras.Model(ids, document)
    answer = ops.convert_to_numpy(model(tokens))
    longer = np.pad(tokens, [[0, 0], [0, 2], [0, 1]])
    np.testing.assert_allclose(ops.convert_to_numpy(model(longer)), answer, atol=1e-6)
    one = ops.convert_to_numpy(model(tokens[1:, :1, :1]))
    np.testing.assert_allclose(answer[1:], one, atol=1e-6)


def test_inputs_without_a_sequence_axis_are_refused():
    with pytest.raises(ValueError, match="at least three axes"):
        AttentionPooling(3).build((2, 4))
