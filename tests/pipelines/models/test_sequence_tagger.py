"""The tagger of words: padding changes nothing, both heads train, and what was saved answers alike."""

import keras
import numpy as np
import pytest
from keras import ops

from attention_zoo.pipelines.models.sequence_tagger import SequenceTagger

TAGS = ["O", "B-A", "I-A"]


def made(**options):
    keras.utils.set_random_seed(0)
    sizes = {"embedding_dim": 6, "character_dim": 4, "filters": 5, "hidden_dim": 8}
    model = SequenceTagger(20, 12, TAGS, **{**sizes, **options})
    model(batch())
    return model


def batch():
    rng = np.random.default_rng(0)
    words, characters = rng.integers(1, 20, (3, 4)), rng.integers(1, 12, (3, 4, 5))
    words[1, 2:] = 0
    words[2] = 0
    return {"words": words, "characters": characters * (words != 0)[..., None]}


OPTIONS = [{"encoder": encoder, "head": head} for encoder in ("lstm", "attention") for head in ("crf", "softmax")]


@pytest.mark.parametrize("options", OPTIONS)
def test_padding_changes_no_answer(options):
    model, inputs = made(**options), batch()
    wide = {name: np.pad(value, [[0, 0], [0, 3], [0, 2]][: value.ndim]) for name, value in inputs.items()}
    narrow = model(inputs)[:2], inputs["words"][:2] != 0
    padded = model(wide)[:2], wide["words"][:2] != 0
    for method in (model.marginals, lambda *both: model.decode(*both)[0]):
        one, other = (ops.convert_to_numpy(method(*both)) for both in (narrow, padded))
        np.testing.assert_allclose(other[:, :4], one, atol=1e-5)
        assert not other[:, 4:].any()


@pytest.mark.parametrize("options", OPTIONS)
def test_a_model_trains_by_fit_and_is_saved_and_loaded(options, tmp_path):
    model, inputs = made(**options, dropout=0.0), batch()
    tags = np.where(inputs["words"] % 2, 1, 0)
    model.compile(keras.optimizers.Adam(0.05))
    losses = model.fit(inputs, tags, epochs=30, verbose=0).history["loss"]
    assert losses[-1] < 0.3 * losses[0]
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(ops.convert_to_numpy(again(inputs)), ops.convert_to_numpy(model(inputs)), atol=1e-6)
    mask = inputs["words"] != 0
    np.testing.assert_array_equal(*(ops.convert_to_numpy(one.decode(one(inputs), mask)[0]) for one in (model, again)))


def test_the_attentive_encoder_gives_its_weights_by_name():
    model, inputs = made(encoder="attention", num_layers=2), batch()
    scores, weights = model(inputs, return_attention_scores=True)
    np.testing.assert_allclose(ops.convert_to_numpy(scores), ops.convert_to_numpy(model(inputs)), atol=1e-6)
    assert {name: tuple(one.shape) for name, one in weights.items()} == {
        "encoder/1/self": (3, 4, 4, 4),
        "encoder/2/self": (3, 4, 4, 4),
    }
    sums = ops.convert_to_numpy(weights["encoder/2/self"]).sum(axis=-1)
    np.testing.assert_allclose(sums[0], 1.0, atol=1e-5)
    assert made()(inputs, return_attention_scores=True)[1] == {}


def test_casing_is_read_from_the_characters():
    model, inputs = made(), batch()
    other = {**inputs, "characters": np.where(inputs["characters"], inputs["characters"] % 11 + 1, 0)}
    assert np.abs(ops.convert_to_numpy(model(inputs) - model(other))).max() > 1e-4


def test_unknown_encoders_and_heads_are_named():
    with pytest.raises(ValueError, match="`encoder` must be one of"):
        SequenceTagger(9, 9, TAGS, encoder="gru")
    with pytest.raises(ValueError, match="`head` must be one of"):
        SequenceTagger(9, 9, TAGS, head="svm")
