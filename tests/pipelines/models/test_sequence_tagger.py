"""The tagger of words: padding changes nothing, both heads train, and what was saved answers alike."""

import keras
import numpy as np
import pytest
from fitting import compile_built
from keras import ops

from attention_zoo.pipelines.models import BertEncoder
from attention_zoo.pipelines.models.sequence_tagger import SequenceTagger

TAGS = ["O", "B-A", "I-A"]


def made(pretrained=False, **options):
    keras.utils.set_random_seed(0)
    if pretrained:
        sizes = {"num_layers": 2, "num_heads": 2, "hidden_dim": 8, "intermediate_dim": 8, "dropout": 0.0}
        options["word_encoder"] = BertEncoder(30, **sizes, attention_dropout=0.0, pooler=False, name="encoder")
    sizes = {"embedding_dim": 6, "character_dim": 4, "filters": 5, "hidden_dim": 8}
    model = SequenceTagger(20, 12, TAGS, **{**sizes, **options})
    model(batch())
    return model


def batch():
    rng = np.random.default_rng(0)
    words, characters = rng.integers(1, 20, (3, 4)), rng.integers(1, 12, (3, 4, 5))
    words[1, 2:] = 0
    words[2] = 0
    tokens = rng.integers(1, 30, (3, 8))
    tokens[1, 5:], tokens[2, 2:] = 0, 0
    return {
        "words": words,
        "characters": characters * (words != 0)[..., None],
        "tokens": tokens,
        "mask": tokens != 0,
        "columns": np.array([[1, 2, 4, 6], [1, 3, 0, 0], [0, 0, 0, 0]]),
    }


OPTIONS = [{"encoder": encoder, "head": head} for encoder in ("lstm", "attention") for head in ("crf", "softmax")]
OPTIONS += [{"encoder": "lstm", "pretrained": True}, {"encoder": "attention", "pretrained": True}]


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
    compile_built(model, keras.optimizers.Adam(0.05))
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


def test_the_states_of_first_tokens_stand_for_words():
    model, inputs = made(pretrained=True), batch()
    states = ops.convert_to_numpy(model.word_encoder({name: inputs[name] for name in ("tokens", "mask")})["states"])
    words, _ = model.read(inputs, return_attention_scores=False, training=False)
    np.testing.assert_array_equal(ops.convert_to_numpy(words)[0], states[0, [1, 2, 4, 6]])
    np.testing.assert_array_equal(ops.convert_to_numpy(words)[1, :2], states[1, [1, 3]])
    paths = {variable.path for variable in model.trainable_variables}
    assert any("encoder/encoder_1/" in path for path in paths) and not any("word_embedding" in path for path in paths)


def test_words_attend_as_their_first_tokens_do():
    model, inputs = made(pretrained=True), batch()
    scores, weights = model(inputs, return_attention_scores=True)
    np.testing.assert_allclose(ops.convert_to_numpy(scores), ops.convert_to_numpy(model(inputs)), atol=1e-6)
    tokens = {name: inputs[name] for name in ("tokens", "mask")}
    theirs = ops.convert_to_numpy(model.word_encoder(tokens, return_attention_scores=True)[1]["encoder/2"])
    ours = ops.convert_to_numpy(weights["encoder/1/self"])
    assert ours.shape == (3, 2, 4, 4) and not ours[2].any() and not ours[1, :, 2:].any()
    np.testing.assert_array_equal(ours[0], theirs[0][:, [1, 2, 4, 6]][:, :, [1, 2, 4, 6]])
    blocks = made(pretrained=True, encoder="attention", num_layers=2)
    assert set(blocks(inputs, return_attention_scores=True)[1]) == {"encoder/1/self", "encoder/2/self"}


def test_casing_is_read_from_the_characters():
    model, inputs = made(), batch()
    other = {**inputs, "characters": np.where(inputs["characters"], inputs["characters"] % 11 + 1, 0)}
    assert np.abs(ops.convert_to_numpy(model(inputs) - model(other))).max() > 1e-4


def test_unknown_encoders_and_heads_are_named():
    with pytest.raises(ValueError, match="`encoder` must be one of"):
        SequenceTagger(9, 9, TAGS, encoder="gru")
    with pytest.raises(ValueError, match="`head` must be one of"):
        SequenceTagger(9, 9, TAGS, head="svm")
