"""A text model answers alike in Python, in TF Serving's session loader and in the C API."""

import io
import shutil

import keras
import numpy as np
import pytest
import sentencepiece
import tensorflow as tf
import tensorflow_text as tf_text

from attention_zoo.pipelines.engine.serving.export import export_saved_model

SENTENCES = [
    "the cat sat on the mat",
    "a dog saw the cat",
    "où est le chat ?",
    "the mat is on the floor",
    "ein Hund sah ihn",
]
TEXTS = ["the cat", "", b"\xff\xfe the \x80 dog", "où est le chat ?", "a dog saw the mat " * 2000, b"nul \x00 byte"]


class Text(tf.Module):
    """Strings to padded ids and back; a longer text is cut."""

    longest = 50

    def __init__(self):
        super().__init__()
        model = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(SENTENCES * 4), model_writer=model, vocab_size=60, hard_vocab_limit=False,
            pad_id=0, unk_id=1, bos_id=2, eos_id=3, minloglevel=2,
        )  # fmt: skip
        self.tokenizer = tf_text.FastSentencepieceTokenizer(model.getvalue())

    def ids(self, text):
        ragged = self.tokenizer.tokenize(tf.strings.unicode_transcode(text, "UTF-8", "UTF-8"))
        ragged = ragged[:, : self.longest]
        ids = ragged.to_tensor()
        # Keras's RNNs read step 0 whatever the length: an empty batch, or one of empty strings, needs one column too.
        ids = tf.pad(ids, [[0, 0], [0, tf.maximum(0, 1 - tf.shape(ids)[1])]])
        return ids, ragged.row_lengths()  # (B, S), (B,)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """The version's folder, and the same functions in eager Python."""
    keras.utils.set_random_seed(3)
    text = Text()
    tokens = keras.Input((None,), dtype="int32")
    embedded = keras.layers.Embedding(60, 8, mask_zero=True)(tokens)
    annotations = keras.layers.GRU(6, return_sequences=True)(embedded)
    model = keras.Model(tokens, keras.layers.Dense(1)(annotations))

    def attention(text_input):
        ids, lengths = text.ids(text_input)
        scores = model(ids, training=False)[..., 0]  # (B, S)
        present = tf.sequence_mask(lengths, tf.shape(ids)[1])
        weights = tf.where(present, tf.exp(scores), 0.0)
        weights = tf.math.divide_no_nan(weights, tf.reduce_sum(weights, -1, keepdims=True))
        written = tf.RaggedTensor.from_tensor(ids, lengths=lengths)
        return {
            "answer": tf.strings.upper(text.tokenizer.detokenize(written)),
            "source_tokens": tf.strings.as_string(ids),
            "weights": weights,
            "source_lengths": tf.cast(lengths, tf.int32),
            "known": tf.reduce_all(tf.not_equal(ids, 1), -1),
        }

    def serving_default(text):
        outputs = attention(text)
        return {"answer": outputs["answer"], "score": tf.reduce_max(tf.pad(outputs["weights"], [[0, 0], [0, 1]]), -1)}

    spec = tf.TensorSpec((None,), tf.string)
    signatures = {"serving_default": (serving_default, {"text": spec}), "attention": (attention, {"text_input": spec})}
    directory = tmp_path_factory.mktemp("exports") / "saved_models" / "tiny"
    version = export_saved_model(directory, [text, model], signatures)
    return version, {
        "serving_default": lambda value: serving_default(value),
        "attention": lambda value: attention(value),
    }


INPUT = {"serving_default": "text", "attention": "text_input"}


def agree(received, expected):
    assert set(received) == set(expected)
    for name, value in expected.items():
        value = value.numpy()
        assert received[name].shape == value.shape, name
        if value.dtype == np.float32:
            np.testing.assert_allclose(received[name], value, atol=1e-5, err_msg=name)
        else:
            np.testing.assert_array_equal(received[name], value, err_msg=name)


@pytest.mark.parametrize("signature", INPUT)
@pytest.mark.parametrize("texts", [TEXTS, TEXTS[:1], [""], []], ids=["all", "one", "empty string", "empty batch"])
def test_session_loader_answers_as_eager_python_does(exported, session_run, signature, texts):
    version, functions = exported
    received = session_run(version, signature, {INPUT[signature]: np.array(texts, dtype=object)})
    agree(received, functions[signature](tf.constant(texts, tf.string, shape=(len(texts),))))


@pytest.mark.parametrize("texts", [TEXTS, []], ids=["all", "empty batch"])
@pytest.mark.parametrize("signature", INPUT)
def test_c_program_answers_as_eager_python_does(exported, c_api_run, signature, texts):
    version, functions = exported
    received = c_api_run(version, signature, {INPUT[signature]: texts})
    agree(received, functions[signature](tf.constant(texts, tf.string, shape=(len(texts),))))


def test_reloaded_in_python_it_answers_as_eager_python_does(exported):
    version, functions = exported
    loaded = tf.saved_model.load(str(version))
    for signature, name in INPUT.items():
        for texts in (TEXTS, []):
            value = tf.constant(texts, tf.string, shape=(len(texts),))
            received = loaded.signatures[signature](**{name: value})
            agree({key: tensor.numpy() for key, tensor in received.items()}, functions[signature](value))


def test_answer_is_the_normalised_text_and_weights_sum_to_one(exported, c_api_run):
    version, _ = exported
    received = c_api_run(version, "attention", {"text_input": ["the cat", "", "où est le chat ?"]})
    assert [text.decode() for text in received["answer"]] == ["THE CAT", "", "Où EST LE CHAT ?"]  # upper() is ASCII's
    np.testing.assert_allclose(received["weights"].sum(-1), [1.0, 0.0, 1.0], atol=1e-6)
    assert received["known"].dtype == bool and received["source_lengths"].dtype == np.int32


def test_c_program_that_fails_says_why(exported, c_api_run, tmp_path):
    version, _ = exported
    broken = shutil.copytree(version, tmp_path / "1")
    shutil.rmtree(broken / "variables")
    with pytest.raises(RuntimeError, match="(?s)serve ended with 1: .*Could not find variable"):
        c_api_run(broken, "serving_default", {"text": ["the cat"]})


def test_wrong_input_name_is_named(exported, session_run, c_api_run):
    version, _ = exported
    for run in (session_run, c_api_run):
        with pytest.raises(AssertionError, match="text.*received.*txt"):
            run(version, "serving_default", {"txt": ["the cat"]})
