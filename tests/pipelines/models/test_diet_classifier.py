"""DIET: losses written with NumPy, padding, switches, and learning by `fit` alone."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from fitting import compile_built

from attention_zoo.layers import RelativeSelfAttention
from attention_zoo.pipelines.models import DIETClassifier
from attention_zoo.pipelines.models.parts.label_similarity import LabelSimilarity
from attention_zoo.pipelines.models.parts.masked_tokens import MaskedTokens

TAGS = ["O", "B-x", "I-x"]
SIZES = {"hidden_dim": 16, "num_heads": 2, "intermediate_dim": 16, "embedding_dim": 8}


def make(seed=1, **options):
    keras.utils.set_random_seed(seed)
    return DIETClassifier(30, 3, TAGS, **(SIZES | options))


def sentences(count, seed=0):
    """Words 1 to 3 decide the intent, and a word from 20 on is an entity; at most five words."""
    rng = np.random.default_rng(seed)
    words = rng.integers(4, 20, (count, 5))
    intent = rng.integers(0, 3, count)
    words[np.arange(count), rng.integers(0, 2, count)] = intent + 1
    words[:, 2] = rng.integers(20, 30, count)
    words[:, 4] *= rng.integers(0, 2, count)
    return {"features": words[..., None]}, {"intent": intent, "tags": np.where(words >= 20, 1, 0)}


@pytest.mark.parametrize("relative", [True, False])
def test_padding_and_neighbours_change_nothing(relative):
    model, (inputs, _) = make(relative_positions=relative), sentences(4)
    alone = model({"features": inputs["features"][:1, :4]})
    wide = np.pad(inputs["features"], [[0, 0], [0, 3], [0, 2]])
    wide[0, 4:] = 0
    together = model({"features": wide})
    np.testing.assert_allclose(together["intent"][:1], alone["intent"], atol=1e-5)
    np.testing.assert_allclose(together["emissions"][:1, :4], alone["emissions"], atol=1e-5)


def test_a_sentence_without_words_is_finite_and_dense_vectors_are_taken():
    model = make()
    outputs = model({"features": np.zeros((2, 1, 1), int), "dense": np.ones((2, 1, 4), "float32")})
    assert np.isfinite(outputs["intent"]).all()
    other = model({"features": np.ones((2, 1, 1), int), "dense": np.ones((2, 1, 4), "float32")})
    changed = model({"features": np.ones((2, 1, 1), int), "dense": np.zeros((2, 1, 4), "float32")})
    assert np.abs(other["intent"] - changed["intent"]).max() > 1e-4


@pytest.mark.parametrize("off", [(), ("intent",), ("entity",), ("mask",), ("intent", "entity")])
def test_each_loss_can_be_switched_off(off):
    model, (inputs, targets) = make(**{f"{name}_loss": False for name in off}), sentences(4)
    outputs = model(inputs, training=True)
    losses = model.losses_of(inputs, outputs, targets)
    assert set(losses) == {"intent", "entity", "mask"} - set(off)
    assert all(loss.shape == (4,) and (np.array(loss) >= 0).all() for loss in losses.values())
    assert "mask_loss" not in model(inputs, training=False)


def test_relative_positions_are_shaws_and_can_be_switched_off():
    def kinds(model):
        return [type(block.self_attention) is RelativeSelfAttention for block in model.blocks]

    models = make(max_distance=7), make(relative_positions=False)
    for model in models:
        model(sentences(1)[0])
    assert [kinds(model) for model in models] == [[True, True], [False, False]]
    assert models[0].blocks[0].self_attention.max_distance == 7


def test_the_loss_of_labels_compares_with_the_drawn_ones():
    similarities = np.random.default_rng(0).normal(size=(50, 6)).astype("float32")
    labels = np.arange(50) % 6
    right = similarities[np.arange(50), labels]
    full = np.array(LabelSimilarity(6, negatives=5).loss(similarities, labels))
    np.testing.assert_allclose(full, np.log(np.exp(similarities).sum(-1)) - right, atol=1e-5)
    drawn = np.array(LabelSimilarity(6, negatives=2).loss(similarities, labels))
    for row, (loss, label) in enumerate(zip(drawn, labels)):
        others = np.delete(similarities[row], label)
        pairs = [np.exp([right[row], a, b]) for n, a in enumerate(others) for b in others[n + 1 :]]
        possible = [np.log(pair.sum()) - right[row] for pair in pairs]
        assert np.abs(np.array(possible) - loss).min() < 1e-5


def test_hidden_words_have_the_papers_shares():
    keras.utils.set_random_seed(1)
    layer, tokens = MaskedTokens(), np.random.default_rng(0).normal(size=(200, 100, 4)).astype("float32")
    words = np.tile(np.arange(100), (200, 1))  # the first one is padding
    layer.build(tokens.shape)
    hidden, chosen = (np.array(x) for x in layer.hide(tokens, words))
    assert not chosen[:, 0].any() and abs(chosen[:, 1:].mean() - 0.15) < 0.01
    np.testing.assert_array_equal(hidden[~chosen], tokens[~chosen])
    masked = (hidden[chosen] == np.array(layer.mask_vector)).all(-1)
    kept = (hidden[chosen] == tokens[chosen]).all(-1)
    assert abs(masked.mean() - 0.7) < 0.03 and abs(kept.mean() - 0.2) < 0.03
    known = {tuple(row) for row in tokens.reshape(-1, 4)}
    assert all(tuple(row) in known for row in hidden[chosen][~masked & ~kept])


def test_the_mask_loss_compares_with_other_words_alone():
    keras.utils.set_random_seed(1)
    layer = MaskedTokens(embedding_dim=3, negatives=7)
    tokens = np.random.default_rng(0).normal(size=(2, 2, 4)).astype("float32")
    words, chosen = np.array([[1, 1], [1, 0]]), np.array([[True, False], [False, False]])
    loss = np.array(layer(tokens, tokens, words=words, chosen=chosen))
    np.testing.assert_allclose(loss, 0.0, atol=1e-6)  # there is nothing to confuse it with
    words = np.array([[1, 2], [2, 2]])
    loss = np.array(layer(tokens, tokens, words=words, chosen=chosen))
    assert loss[0] > 0 and loss[1] == 0


def test_it_learns_by_fit_alone_and_is_saved(tmp_path):
    model, (inputs, targets) = make(feature_dropout=0.1), sentences(300)
    model(inputs)
    compile_built(model, keras.optimizers.Adam(1e-2))
    dataset = tf.data.Dataset.from_tensor_slices((inputs, targets)).batch(50)
    model.fit(dataset, epochs=12, verbose=0, shuffle=False)
    inputs, targets = sentences(100, seed=5)
    outputs = model(inputs)
    assert (np.argmax(outputs["intent"], -1) == targets["intent"]).mean() > 0.9
    tags, _ = model.crf.decode(outputs["emissions"], inputs["features"][..., 0] != 0)
    assert (np.array(tags) == targets["tags"]).mean() > 0.95
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")(inputs)
    np.testing.assert_allclose(again["intent"], outputs["intent"], atol=1e-5)


def test_attention_is_returned_for_each_layer():
    outputs, scores = make()(sentences(2)[0], return_attention_scores=True)
    assert {name: tuple(weights.shape) for name, weights in scores.items()} == {
        "encoder/1": (2, 2, 6, 6),
        "encoder/2": (2, 2, 6, 6),
    }
    np.testing.assert_allclose(np.array(scores["encoder/1"]).sum(-1)[:, :, 0], 1.0, atol=1e-5)
