"""Hierarchical attention: padding on both levels, the equations, what it learns, and files."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from fitting import compile_built

from attention_zoo.pipelines.models import HierarchicalAttentionNetwork

DOCUMENTS = np.array([[[5, 6, 7], [8, 0, 0], [0, 0, 0]], [[9, 4, 0], [0, 0, 0], [0, 0, 0]]], "int32")


def tiny(**options):
    keras.utils.set_random_seed(1)
    sizes = {"embedding_dim": 6, "units": 3, "attention_units": 5}
    model = HierarchicalAttentionNetwork(12, 4, **{**sizes, **options})
    model.build()
    return model


@pytest.mark.parametrize("pooling", ["attention", "mean"])
def test_padding_on_either_level_changes_nothing(pooling):
    model = tiny(pooling=pooling)
    logits, scores = model(DOCUMENTS, return_attention_scores=True)
    padded = np.pad(DOCUMENTS, [[0, 1], [0, 4], [0, 2]])
    more, more_scores = model(padded, return_attention_scores=True)
    np.testing.assert_allclose(more[:2], logits, atol=1e-6)
    np.testing.assert_allclose(more_scores["words"][:2, :3, :3], scores["words"], atol=1e-6)
    np.testing.assert_allclose(more_scores["sentences"][:2, :3], scores["sentences"], atol=1e-6)
    assert np.isfinite(more).all(), "a document without a word has logits too"


def test_a_document_is_answered_as_alone():
    model = tiny()
    alone = model(DOCUMENTS[1:, :1, :2])
    np.testing.assert_allclose(model(DOCUMENTS)[1:], alone, atol=1e-6)


def test_weights_sum_to_one_over_words_and_sentences_and_skip_padding():
    _, scores = tiny()(DOCUMENTS, return_attention_scores=True)
    words, sentences = (np.array(scores[name]) for name in ("words", "sentences"))
    assert not words[DOCUMENTS == 0].any() and not sentences[~DOCUMENTS.any(-1)].any()
    np.testing.assert_allclose(words.sum(-1), DOCUMENTS.any(-1), atol=1e-6)
    np.testing.assert_allclose(sentences.sum(-1), 1.0, atol=1e-6)


def test_a_sentence_that_the_mask_leaves_out_is_as_if_it_were_not_there():
    model = tiny()
    rows = np.array([[5, 6, 7], [8, 9, 0], [4, 4, 0], [10, 0, 0]], "int32")
    vectors = np.array(model.encode_sentences(rows)[0])[None]
    kept = np.array([[True, False, True, True]])
    logits, weights = model.classify(vectors, kept)
    np.testing.assert_allclose(logits, model(rows[None, kept[0]]), atol=1e-6)
    assert np.array(weights)[0, 1] == 0.0


def test_it_has_as_many_parameters_as_the_paper_describes():
    model = HierarchicalAttentionNetwork(1000, 5)
    model.build()
    gru = 3 * (50 * 50 + 2 * 50)  # recurrent, and Keras's two biases
    words, sentences = 2 * (gru + 3 * 200 * 50), 2 * (gru + 3 * 100 * 50)
    pooling = 100 * 100 + 100 + 100
    assert model.count_params() == 1000 * 200 + words + sentences + 2 * pooling + 100 * 5 + 5


def test_attention_finds_the_word_that_decides():
    rng = np.random.default_rng(2)
    labels = rng.integers(2, size=256)
    documents = rng.integers(4, 12, size=(256, 4, 5))
    place = rng.integers(20, size=256)
    documents.reshape(256, 20)[np.arange(256), place] = 2 + labels  # one of two words decides
    model = tiny(units=8)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model(documents[:1])
    compile_built(model, keras.optimizers.Adam(0.02), loss, metrics=["accuracy"])
    history = model.fit(documents, labels, batch_size=32, epochs=12, verbose=0)
    assert history.history["accuracy"][-1] > 0.98
    _, scores = model(documents, return_attention_scores=True)
    # The encoders carry the word to its neighbours, so attention may rest there: chance would be .25 and .20.
    assert (np.argmax(scores["sentences"], -1) == place // 5).mean() > 0.5
    weights = np.array(scores["words"])[np.arange(256), place // 5]
    assert (np.argmax(weights, -1) == place % 5).mean() > 0.4


def test_a_saved_model_answers_the_same_after_loading(tmp_path):
    model = tiny(dropout=0.2)
    model(DOCUMENTS)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(DOCUMENTS), model(DOCUMENTS))
    assert loaded.get_config() == model.get_config()


def test_lengths_that_are_open_trace_once():
    model, traces = tiny(), []

    @tf.function(input_signature=[tf.TensorSpec([None, None, None], tf.int32)], autograph=False)
    def answer(token_ids):
        traces.append(1)
        return model(token_ids)

    np.testing.assert_allclose(answer(DOCUMENTS), model(DOCUMENTS), atol=1e-6)
    assert answer(np.zeros((0, 1, 1), "int32")).shape == (0, 4)
    assert answer(np.ones((2, 7, 9), "int32")).shape == (2, 4) and len(traces) == 1


def test_an_unknown_pooling_is_refused():
    with pytest.raises(ValueError, match="`pooling` must be one of"):
        tiny(pooling="max")
