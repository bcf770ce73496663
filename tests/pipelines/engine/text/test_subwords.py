import keras
import numpy as np
import pytest
import sentencepiece
import tensorflow as tf

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.text.special_tokens import BOS, EOS, PAD, UNK
from attention_zoo.pipelines.engine.text.subwords import Subwords, learn_sentencepiece

SUBJECTS, PLACES = ("the cat", "a dog", "le café", "3 hours"), ("is over there", "sat on the mat", "où est", "ago ?")
SENTENCES = [f"{subject} {place} {other}" for subject in SUBJECTS for place in PLACES for other in SUBJECTS]
TEXTS = ["the cat is over there", "", "  ", "le café", "zebra 漢字", "the  dog\u00a0sat", "ﬁ ½"]


@pytest.fixture(scope="module", params=[("unigram", 34), ("bpe", 60), ("char", 60)], ids=lambda param: param[0])
def model(request):
    model_type, size = request.param
    return learn_sentencepiece(SENTENCES, size, model_type)


def test_token_ids_equal_sentencepiece(model):
    expected = sentencepiece.SentencePieceProcessor(model_proto=model).encode(TEXTS)
    assert Subwords(model).tokenize(tf.constant(TEXTS)).to_list() == expected


def test_direct_mapped_and_batched_calls_agree(model):
    subwords = Subwords(model)
    direct = subwords.tokenize(tf.constant(TEXTS)).to_list()
    dataset = tf.data.Dataset.from_tensor_slices(TEXTS)
    assert [row.numpy().tolist() for row in dataset.map(subwords.tokenize)] == direct
    assert [row for batch in dataset.batch(3).map(subwords.tokenize) for row in batch.to_list()] == direct


def test_detokenize_gives_the_normalised_text_back_and_skips_special_ids(model):
    subwords = Subwords(model)
    ids = subwords.tokenize(tf.constant(["the cat  sat", "où est le café ?", ""]))
    expected = ["the cat sat".encode(), "où est le café ?".encode(), b""]
    assert subwords.detokenize(ids).numpy().tolist() == expected
    bos, eos = tf.fill([3, 1], BOS), tf.fill([3, 1], EOS)
    padded = tf.concat([bos, ids, eos], axis=1).to_tensor()
    assert subwords.detokenize(padded).numpy().tolist() == expected
    assert subwords.detokenize(padded, lengths=[3, 0, 1])[1:].numpy().tolist() == [b"", b""]


def test_special_ids_and_pieces(model):
    subwords = Subwords(model)
    assert subwords.pieces([[PAD, UNK], [BOS, EOS]]).numpy().tolist() == [[b"<pad>", b"<unk>"], [b"<s>", b"</s>"]]
    ids = subwords.tokenize(tf.constant(["the cat", ""]))
    assert [b"".join(row).decode() for row in subwords.pieces(ids).to_list()] == ["▁the▁cat", ""]
    assert subwords.pieces(tf.range(subwords.vocabulary_size)).shape == (subwords.vocabulary_size,)


def test_spans_cut_the_text_where_the_tokens_do(model):
    subwords = Subwords(model)
    for text in ["the cat is over there", "zebra 漢字 café", "😀 a dog", ""]:
        spans = subwords.spans(text)
        pieces = sentencepiece.SentencePieceProcessor(model_proto=model).encode(text, out_type=str)
        assert [text[start:end] for start, end in spans] == [piece.replace("▁", "") for piece in pieces]
        assert len(spans) == len(subwords.tokenize(text))


def test_invalid_utf8_is_replaced(model):
    subwords = Subwords(model)
    received = subwords.tokenize(tf.constant([b"the \xe9 cat", b"\xff"])).to_list()
    assert received == subwords.tokenize(tf.constant(["the \ufffd cat", "\ufffd"])).to_list()


def test_an_empty_batch_is_answered(model):
    subwords = Subwords(model)
    ids = subwords.tokenize(tf.zeros([0], tf.string))
    assert ids.nrows() == 0
    assert subwords.detokenize(ids).shape == (0,)
    assert subwords.detokenize(tf.zeros([0, 0], tf.int32), tf.zeros([0], tf.int32)).shape == (0,)


def test_learning_is_deterministic():
    assert learn_sentencepiece(SENTENCES, 34) == learn_sentencepiece(list(SENTENCES), 34)


@pytest.mark.parametrize("model_type", ["unigram", "bpe"])
def test_a_vocabulary_too_large_names_the_limit_which_then_works(model_type):
    with pytest.raises(UserError, match=r"--data.vocabulary_size: .*at most \d+, .*received 5000") as caught:
        learn_sentencepiece(SENTENCES, 5000, model_type)
    limit = int(str(caught.value).split("at most ")[1].split(",")[0])
    assert Subwords(learn_sentencepiece(SENTENCES, limit, model_type)).vocabulary_size == limit


def test_a_vocabulary_too_large_is_reduced_where_that_is_asked_for(capsys):
    subwords = Subwords(learn_sentencepiece(SENTENCES, 5000, "bpe", adjust=True))
    size = subwords.vocabulary_size
    assert size < 5000
    assert capsys.readouterr().out == f"data.vocabulary_size: {size:,} instead of 5,000, all that the text gives\n"
    learn_sentencepiece(SENTENCES, 34, adjust=True)
    assert capsys.readouterr().out == ""


def test_a_vocabulary_too_small_names_the_limit():
    with pytest.raises(UserError, match=r"--data.vocabulary_size: .*at least \d+, .*received 5"):
        learn_sentencepiece(SENTENCES, 5)


def test_no_text_and_unknown_model_types_are_errors():
    with pytest.raises(UserError, match="sentences"):
        learn_sentencepiece([], 50)
    with pytest.raises(UserError, match="model_type: .*received 'word'"):
        learn_sentencepiece(SENTENCES, 50, "word")


def test_every_character_of_the_text_is_known():
    subwords = Subwords(learn_sentencepiece([*["aaa bbb"] * 10_000, "ž"], 8, "char"))
    assert UNK not in np.asarray(subwords.tokenize("ab ž"))


def test_it_answers_in_the_session_loader_that_tf_serving_uses(model, tmp_path):
    subwords = Subwords(model)

    def there_and_back(text):
        ids = subwords.tokenize(text)
        return {"text": subwords.detokenize(ids), "pieces": subwords.pieces(ids.to_tensor())}

    archive = keras.export.ExportArchive()
    archive.track(subwords)
    archive.add_endpoint("serve", there_and_back, [tf.TensorSpec([None], tf.string, name="text")])
    archive.write_out(str(tmp_path), verbose=False)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        loaded = tf.compat.v1.saved_model.loader.load(session, ["serve"], str(tmp_path)).signature_def["serve"]
        for text in (["the cat", ""], []):
            received = session.run(
                {name: tensor.name for name, tensor in loaded.outputs.items()},
                {loaded.inputs["text"].name: np.array(text, "O")},
            )
            assert received["text"].tolist() == [line.encode() for line in text]
            assert len(received["pieces"]) == len(text)


def test_a_vocabulary_too_small_for_the_characters_is_raised_on_request(capsys):
    sentences = ["".join(chr(0x4E00 + (7 * row + place) % 900) for place in range(12)) for row in range(400)]
    with pytest.raises(UserError, match="--data.vocabulary_size: expected at least 9"):
        learn_sentencepiece(sentences, 500)
    subwords = Subwords(learn_sentencepiece(sentences, 500, adjust=True))
    assert 900 < subwords.vocabulary_size <= 1405
    assert capsys.readouterr().out.startswith(
        "data.vocabulary_size: 1,405 instead of 500, for 905 different characters"
    )
    ids = subwords.tokenize(tf.constant(sentences[:5]))
    assert [text.decode() for text in subwords.detokenize(ids).numpy()] == sentences[:5]
