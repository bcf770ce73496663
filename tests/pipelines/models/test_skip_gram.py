"""Skip-gram's loss and gradient are those of the paper's program, pair by pair, and only touched rows change."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from attention_zoo.pipelines.models.skip_gram import SkipGram, negative_sampling_loss, pair_weights

VOCABULARY, DIM, WINDOW, NEGATIVES = 30, 6, 2, 5


@pytest.fixture
def batch():
    rng = np.random.default_rng(0)
    text = rng.integers(0, 20, (3, 4 + 2 * WINDOW))
    left, right = rng.integers(0, WINDOW + 1, (2, 3, 4))
    return {"text": text, "negatives": rng.integers(0, 20, (3, 7)), "left": left, "right": right}


@pytest.fixture
def model():
    keras.utils.set_random_seed(0)
    model = SkipGram(VOCABULARY, DIM, WINDOW)
    model.build()
    model.contexts.assign(np.random.default_rng(1).normal(size=(VOCABULARY, DIM)))
    return model


def weights_of(batch):
    return pair_weights(batch["left"], batch["right"], WINDOW, NEGATIVES, batch["negatives"].shape[1])


def loss_of(model, batch):
    return negative_sampling_loss(weights_of(batch), model(batch))


def by_hand(words, contexts, batch):
    """The loss and its gradients, one pair after the other, in float64."""
    loss, word_gradient, context_gradient = 0.0, np.zeros_like(words), np.zeros_like(contexts)

    def add(centre, context, label, weight):
        nonlocal loss
        probability = 1 / (1 + np.exp(-(words[centre] @ contexts[context])))
        loss -= weight * np.log(probability if label else 1 - probability)
        word_gradient[centre] += weight * (probability - label) * contexts[context]
        context_gradient[context] += weight * (probability - label) * words[centre]

    for row, text in enumerate(batch["text"]):
        for place in range(len(text) - 2 * WINDOW):
            here = place + WINDOW
            around = [
                *range(here - batch["left"][row, place], here),
                *range(here + 1, here + 1 + batch["right"][row, place]),
            ]
            for other in around:
                add(text[here], text[other], 1, 1.0)
                for negative in batch["negatives"][row]:
                    add(text[here], negative, 0, NEGATIVES / batch["negatives"].shape[1])
    return loss, word_gradient, context_gradient


def test_loss_and_gradients_are_the_sum_over_pairs(model, batch):
    with tf.GradientTape() as tape:
        loss = loss_of(model, batch)
    gradients = tape.gradient(loss, model.trainable_variables)
    expected = by_hand(*(np.array(v, "float64") for v in (model.words, model.contexts)), batch)
    np.testing.assert_allclose(float(loss), expected[0], rtol=1e-5)
    for gradient, array in zip(gradients, expected[1:]):
        assert isinstance(gradient, tf.IndexedSlices), "a step must not cost the whole vocabulary"
        np.testing.assert_allclose(tf.convert_to_tensor(gradient), array, atol=1e-5)


def test_words_outside_the_windows_get_no_gradient(model, batch):
    batch = batch | {"left": np.zeros((3, 4), int), "right": np.zeros((3, 4), int)}
    assert float(loss_of(model, batch)) == 0.0


def test_fit_alone_brings_words_of_one_topic_together():
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    topics = rng.integers(0, 2, (200, 1)) * 10
    text = topics + rng.integers(0, 10, (200, 8 + 2 * WINDOW))  # a row has words of one of two topics
    around = np.full((200, 8), WINDOW)
    data = tf.data.Dataset.from_tensor_slices({"text": text, "around": around}).batch(20).repeat(30)

    def example(rows):
        negatives = tf.random.stateless_uniform([20, 8], [1, 2], 0, 20, tf.int32)
        weights = pair_weights(rows["around"], rows["around"], WINDOW, NEGATIVES, 8)
        return {"text": rows["text"], "negatives": negatives}, weights

    model = SkipGram(20, 8, WINDOW)
    model.compile(keras.optimizers.SGD(0.003), loss=negative_sampling_loss)
    losses = model.fit(data.map(example), verbose=0, epochs=2).history["loss"]
    vectors = np.array(model.words)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = vectors @ vectors.T
    assert losses[1] < losses[0]
    assert cosines[:10, :10].mean() > cosines[:10, 10:].mean() + 0.4


def test_a_saved_model_file_gives_the_same_scores(model, batch, tmp_path):
    model(batch)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(batch), model(batch))
    assert again.get_config() == model.get_config()
