"""Heads of encoders: what they compute, saving, and learning by `fit` alone."""

import keras
import numpy as np
import pytest
from fitting import compile_built

from attention_zoo.pipelines.models import (
    AnswerFinder,
    BertEncoder,
    MaskedLanguageModel,
    PretrainingModel,
    SentenceEncoder,
    SequenceClassifier,
    TokenClassifier,
    XLNetEncoder,
)

TOKENS = np.array([[5, 6, 7, 8], [9, 5, 0, 0]])
LABELS = ["a", "b", "c"]
HEADS = {
    "masked": MaskedLanguageModel,
    "pretraining": PretrainingModel,
    "classes": lambda encoder: SequenceClassifier(encoder, LABELS),
    "hidden": lambda encoder: SequenceClassifier(encoder, LABELS, hidden_activation="tanh"),
    "xlnet": lambda encoder: SequenceClassifier(xlnet(), LABELS, hidden_activation="tanh"),
    "tags": lambda encoder: TokenClassifier(encoder, LABELS),
    "answer": AnswerFinder,
    "sentence": lambda encoder: SentenceEncoder(encoder, pooling="max", normalize=False),
}


def encoder(**options):
    keras.utils.set_random_seed(1)
    sizes = {"num_layers": 1, "num_heads": 2, "hidden_dim": 8, "intermediate_dim": 12, "max_length": 16}
    return BertEncoder(20, **sizes, **options, name="encoder")


def xlnet():
    sizes = {"num_layers": 1, "num_heads": 2, "hidden_dim": 8, "intermediate_dim": 12}
    return XLNetEncoder(20, **sizes, pad_token=0, output_bias=False, name="encoder")


@pytest.mark.parametrize("head", HEADS)
def test_a_saved_model_answers_as_before(head, tmp_path):
    model = HEADS[head](encoder())
    before = model({"tokens": TOKENS})
    model.save(tmp_path / "model.keras")
    after = keras.saving.load_model(tmp_path / "model.keras")({"tokens": TOKENS})
    assert set(after) == set(before)
    for name in before:
        np.testing.assert_array_equal(after[name], before[name])


@pytest.mark.parametrize("head", HEADS)
def test_scores_of_the_encoder_are_passed_on(head):
    model = HEADS[head](encoder())
    outputs, scores = model({"tokens": TOKENS}, return_attention_scores=True)
    assert set(outputs) == set(model({"tokens": TOKENS})) and scores["encoder/1"].shape == (2, 2, 4, 4)


def test_pairs_are_classified_by_what_the_pooler_makes_of_the_first_token():
    model = PretrainingModel(encoder())
    outputs = model({"tokens": TOKENS, "segments": np.array([[0, 0, 1, 1], [0, 1, 0, 0]])})
    kernel, bias = (np.array(weights) for weights in model.pair_classes.weights)
    np.testing.assert_allclose(outputs["pair_logits"], np.array(outputs["pooled"]) @ kernel + bias, atol=1e-6)
    with pytest.raises(ValueError, match="`encoder` needs a pooler"):
        PretrainingModel(encoder(pooler=False))


def test_hidden_tokens_are_compared_with_the_embeddings():
    model = MaskedLanguageModel(encoder())
    outputs = model({"tokens": TOKENS})
    head = model.predictions
    features = np.array(head.norm(head.dense(outputs["states"])))
    expected = features @ np.array(model.encoder.embeddings.token_embedding.embeddings).T + np.array(head.bias)
    np.testing.assert_allclose(outputs["logits"], expected, atol=1e-5)


@pytest.mark.parametrize("pooling, normalize", [("mean", True), ("mean", False), ("max", True), ("first", False)])
def test_sentence_vectors_leave_padding_out(pooling, normalize):
    model = SentenceEncoder(encoder(), pooling, normalize)
    outputs = model({"tokens": TOKENS})
    states = np.array(outputs["states"])
    rows = [states[0], states[1, :2]]
    pooled = np.array([{"mean": row.mean(0), "max": row.max(0), "first": row[0]}[pooling] for row in rows])
    if normalize:
        pooled /= np.linalg.norm(pooled, axis=1, keepdims=True)
    np.testing.assert_allclose(outputs["embedding"], pooled, atol=1e-5)


@pytest.mark.parametrize("head", ["masked", "classes", "tags", "answer"])
def test_logits_are_float32_in_mixed_precision(head):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = HEADS[head](encoder())
    finally:
        keras.config.set_dtype_policy("float32")
    outputs = model({"tokens": TOKENS})
    assert outputs["states"].dtype == "bfloat16" and outputs["logits"].dtype == "float32"


def test_an_unknown_pooling_is_refused():
    with pytest.raises(ValueError, match='`pooling` must be "mean", "max" or "first". Received: pooling=\'sum\''):
        SentenceEncoder(encoder(), "sum")


def test_a_classifier_of_the_first_token_needs_the_pooler_or_a_layer():
    outputs = SequenceClassifier(encoder(), LABELS)({"tokens": TOKENS})
    assert outputs["logits"].shape == (2, 3)
    assert "pooled" not in SequenceClassifier(encoder(pooler=False), LABELS, "relu")({"tokens": TOKENS})


class Logits(keras.Model):
    """Gives `fit` one output."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def call(self, inputs, training=None):
        return self.model(inputs, training=training)["logits"]


@pytest.mark.parametrize("head", ["masked", "classes", "hidden", "xlnet", "tags", "answer"])
def test_heads_learn_by_fit_alone(head):
    """The class is whether the first token is 5; hidden tokens and tags are functions of a token."""
    random = np.random.default_rng(1)
    tokens = random.integers(3, 9, (64, 4))
    targets = {"masked": tokens, "tags": tokens % 3, "answer": tokens % 2}.get(head, (tokens[:, 0] == 5) * 1)
    model = Logits(HEADS[head](encoder()))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model({"tokens": tokens[:1]})
    compile_built(model, keras.optimizers.Adam(0.01), loss)
    history = model.fit({"tokens": tokens}, targets, epochs=12, batch_size=16, verbose=0).history["loss"]
    assert history[-1] < 0.6 * history[0]
