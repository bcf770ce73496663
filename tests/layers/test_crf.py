"""The conditional random field against the enumeration of all sequences."""

import itertools

import keras
import numpy as np
import pytest
from keras import ops

from attention_zoo.layers import ConditionalRandomField
from attention_zoo.layers.crf import tagging_constraints

K, T = 3, 4
LENGTHS = [4, 1, 0, 2, 3]
BIO = ["O", "B-A", "I-A"]


def made(constrained=False, seed=0, tags=K):
    """A layer whose weights are drawn from a normal distribution."""
    crf = ConditionalRandomField(tags, **(tagging_constraints(BIO) if constrained else {}))
    crf.build((None, None, tags))
    rng = np.random.default_rng(seed)
    crf.set_weights([rng.normal(size=weight.shape).astype("float32") for weight in crf.get_weights()])
    return crf


def batch(seed=1):
    rng = np.random.default_rng(seed)
    emissions = rng.normal(size=(len(LENGTHS), T, K)).astype("float32") * 2
    return emissions, np.arange(T) < np.array(LENGTHS)[:, None]


def sequences(crf, emissions):
    """All allowed sequences of the emissions (T, K), each with its score, in float64."""
    transitions, start, end = (np.float64(weight) for weight in crf.get_weights())
    bars = {tuple(pair) for pair in crf.forbidden_transitions}
    for tags in itertools.product(range(emissions.shape[-1]), repeat=len(emissions)):
        pairs = list(itertools.pairwise(tags))
        if tags and (tags[0] in crf.forbidden_starts or tags[-1] in crf.forbidden_ends) or bars & set(pairs):
            continue
        score = sum(emissions[t, tag] for t, tag in enumerate(tags)) + sum(transitions[pair] for pair in pairs)
        yield tags, score + (start[tags[0]] + end[tags[-1]] if tags else 0.0)


@pytest.mark.parametrize("constrained", [False, True])
def test_likelihood_marginals_and_best_sequence_equal_enumeration(constrained):
    crf, (emissions, mask) = made(constrained), batch()
    marginals = ops.convert_to_numpy(crf(emissions, mask=mask))
    best, scores = map(ops.convert_to_numpy, crf.decode(emissions, mask))
    gold = np.zeros((len(LENGTHS), T), "int32")
    likelihood = ops.convert_to_numpy(crf.log_likelihood(emissions, gold, mask))
    for row, length in enumerate(LENGTHS):
        found = list(sequences(crf, emissions[row, :length]))
        log_z = np.logaddexp.reduce([score for _, score in found])
        expected = np.zeros((T, K))
        for tags, score in found:
            for t, tag in enumerate(tags):
                expected[t, tag] += np.exp(score - log_z)
        np.testing.assert_allclose(marginals[row], expected, atol=1e-5)
        tags, score = max(found, key=lambda one: one[1])
        assert best[row, :length].tolist() == list(tags) and not best[row, length:].any()
        np.testing.assert_allclose(scores[row], score, rtol=1e-5)
        np.testing.assert_allclose(likelihood[row], dict(found)[(0,) * length] - log_z, atol=1e-5)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="takes the gradient with TensorFlow")
def test_the_gradient_equals_that_of_the_enumerated_likelihood():
    import tensorflow as tf

    crf, (emissions, mask) = made(), batch()
    gold = np.random.default_rng(5).integers(0, K, (len(LENGTHS), T))
    rows = np.arange(1.0, 1 + len(LENGTHS), dtype="float32")  # rows of different weight
    inputs = tf.Variable(emissions)
    with tf.GradientTape() as tape:
        value = tf.reduce_sum(rows * crf.log_likelihood(inputs, gold, mask))
    actual = tape.gradient(value, [inputs, *crf.trainable_weights])

    names = [inputs, crf.transitions.value, crf.start.value, crf.end.value]
    with tf.GradientTape() as tape:
        total = 0.0
        for row, length in enumerate(LENGTHS):
            scores = []
            for tags in itertools.product(range(K), repeat=length):
                score = tf.add_n([inputs[row, t, tag] for t, tag in enumerate(tags)]) if tags else tf.constant(0.0)
                for i, j in itertools.pairwise(tags):
                    score += crf.transitions.value[i, j]
                scores.append(score + crf.start.value[tags[0]] + crf.end.value[tags[-1]] if tags else score)
            index = int(np.dot(gold[row, :length], K ** np.arange(length - 1, -1, -1))) if length else 0
            total += rows[row] * (scores[index] - tf.reduce_logsumexp(tf.stack(scores)))
    for one, other in zip(actual, tape.gradient(total, names)):
        np.testing.assert_allclose(one, tf.convert_to_tensor(other), atol=1e-4)


@pytest.mark.parametrize("scale", [0.0, 1.0, 100.0, 1e4])
def test_the_likelihood_is_finite_and_never_above_zero(scale):
    crf, (emissions, mask) = made(), batch()
    best, _ = crf.decode(emissions * scale, mask)
    likelihood = ops.convert_to_numpy(crf.log_likelihood(emissions * scale, best, mask))
    assert np.isfinite(likelihood).all() and (likelihood <= 0).all() and likelihood[2] == 0


def test_padding_changes_no_answer():
    crf, (emissions, mask) = made(constrained=True), batch()
    noise = np.where(mask[..., None], emissions, 1e6).astype("float32")
    longer = np.pad(noise, [[0, 0], [0, 3], [0, 0]], constant_values=-1e6)
    wide = np.pad(mask, [[0, 0], [0, 3]])
    gold = np.zeros((len(LENGTHS), T), "int32")
    for one, other in (
        (crf(longer, mask=wide)[:, :T], crf(emissions, mask=mask)),
        (crf.decode(longer, wide)[0][:, :T], crf.decode(emissions, mask)[0]),
        (crf.log_likelihood(longer, np.pad(gold, [[0, 0], [0, 3]]), wide), crf.log_likelihood(emissions, gold, mask)),
    ):
        np.testing.assert_allclose(ops.convert_to_numpy(one), ops.convert_to_numpy(other), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "tags",
    [["O", "B-A", "I-A", "B-B", "I-B"], ["O", *(f"{p}-{t}" for t in "AB" for p in "BILU")]],
    ids=["BIO", "BILOU"],
)
def test_decoded_sequences_obey_the_tagging_scheme(tags):
    crf = ConditionalRandomField(len(tags), **tagging_constraints(tags))
    emissions = np.random.default_rng(0).normal(size=(200, 6, len(tags))).astype("float32") * 9
    crf.build(emissions.shape)
    decoded = ops.convert_to_numpy(crf.decode(emissions)[0])
    bars = {tuple(pair) for pair in crf.forbidden_transitions}
    assert not any(bars & set(itertools.pairwise(row)) for row in decoded.tolist())
    assert not np.isin(decoded[:, 0], crf.forbidden_starts).any()
    assert not np.isin(decoded[:, -1], crf.forbidden_ends).any()
    assert len(np.unique(decoded)) == len(tags)


def test_constraints_of_bilou():
    tags = ["O", "B-A", "I-A", "L-A", "U-A"]
    bars = {(tags[i], tags[j]) for i, j in tagging_constraints(tags)["forbidden_transitions"]}
    allowed = {(a, b) for a in tags for b in tags} - bars
    outside, opened = ("O", "L-A", "U-A"), ("B-A", "I-A")
    assert allowed == {
        *itertools.product(outside, ("O", "B-A", "U-A")),
        *itertools.product(opened, ("I-A", "L-A")),
    }


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match="from 0 to 2.*forbidden_starts=\\[3\\]"):
        ConditionalRandomField(3, forbidden_starts=[3])
    with pytest.raises(ValueError, match=r"shape \(B, T, 3\)"):
        ConditionalRandomField(3)(np.zeros((1, 2, 4), "float32"))
