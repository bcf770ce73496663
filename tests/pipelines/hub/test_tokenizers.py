"""Tokenisers of folders: the inputs that transformers makes, of texts and of pairs, whole and cut."""

import json

import numpy as np
import pytest
import tensorflow as tf

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.text.byte_pairs import learn_byte_pairs
from attention_zoo.pipelines.engine.text.sentence_pieces import unigram_model
from attention_zoo.pipelines.hub.tokenizers import text_reader_of
from attention_zoo.pipelines.models import AlbertEncoder, GPT2Decoder, RobertaEncoder, XLNetEncoder

TEXTS = [
    "The cat sat on the mat, didn't it?",
    "",
    "  two  spaces and <mask> here <mask>",
    "dogs <s> cat</s> <unk> <pad><|endoftext|>",
    "é e\u0301 日本語 😀 \x00\t\n",
    "the cat " * 30,
]
OTHERS = ["Cats sit.", "b", "a <mask> dog", "the mat " * 40, "x", "the dog " * 9]
SIZES = {"num_layers": 1, "num_heads": 1, "hidden_dim": 4, "intermediate_dim": 4}
ENCODERS = {
    "roberta": RobertaEncoder(10, **SIZES, max_length=26),
    "gpt2": GPT2Decoder(10, **SIZES, max_length=24),
    "albert": AlbertEncoder(10, **SIZES, max_length=24),
    "xlnet": XLNetEncoder(10, **SIZES),
}
CLASSES = {"roberta": "RobertaTokenizer", "gpt2": "GPT2Tokenizer"}
SENTENCE_PIECES = {
    "albert": ("AlbertTokenizer", ["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"]),
    "xlnet": ("XLNetTokenizer", ["<unk>", "<s>", "</s>", "<cls>", "<sep>", "<pad>", "<mask>", "<eod>", "<eop>"]),
}
SPECIALS = {"roberta": ["<s>", "<pad>", "</s>", "<unk>", "<mask>"], "gpt2": ["<|endoftext|>"]}


@pytest.fixture(scope="module")
def learned():
    pytest.importorskip("tokenizers", reason="the extra `hub` has tokenizers")
    vocabulary, merges = learn_byte_pairs(["the cat sat on the mat", "a dog, the dog"], 270)
    return list(vocabulary), merges


def write_folder(folder, family, learned, form):
    """Writes the files of a tokeniser; returns that of transformers."""
    pieces, merges = learned
    names = SPECIALS[family]
    pieces = (
        [*pieces, *names] if family == "gpt2" else [*names[:4], *pieces, names[4]]
    )  # "<pad>" is 1, as in config.json
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    folder.mkdir()
    if form == "tokenizer.json":
        transformers = pytest.importorskip("transformers", reason="the extra `backends` has transformers")
        made = getattr(transformers, CLASSES[family])(vocabulary, [tuple(line.split(" ")) for line in merges])
        if family == "roberta":
            made.add_special_tokens({"mask_token": transformers.AddedToken("<mask>", lstrip=True, special=True)})
        made.save_pretrained(folder)
        return made
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]) + "\n")
    return None


@pytest.mark.backends
@pytest.mark.parametrize("pairs", [False, True], ids=["texts", "pairs"])
@pytest.mark.parametrize("family", CLASSES)
def test_inputs_are_those_of_transformers(family, pairs, learned, tmp_path):
    theirs = write_folder(tmp_path / "folder", family, learned, "tokenizer.json")
    reader = text_reader_of(tmp_path / "folder", family, ENCODERS[family])
    inputs = reader(tf.constant(TEXTS), tf.constant(OTHERS) if pairs else None)
    for row, text in enumerate(TEXTS):
        more = {"text_pair": OTHERS[row]} if pairs else {}
        expected = theirs(text, **more, truncation="longest_first", max_length=reader.max_tokens)["input_ids"]
        count = int(tf.reduce_sum(tf.cast(inputs["mask"][row], tf.int32)))
        assert inputs["tokens"][row, :count].numpy().tolist() == expected, text
    padding = inputs["tokens"].numpy()[~inputs["mask"].numpy()]
    assert set(padding.tolist()) == {reader.pad} and not inputs["segments"].numpy().any()


@pytest.mark.backends
@pytest.mark.parametrize("pairs", [False, True], ids=["texts", "pairs"])
@pytest.mark.parametrize("family", SENTENCE_PIECES)
def test_sentence_pieces_have_the_inputs_and_segments_of_transformers(family, pairs, tmp_path):
    transformers = pytest.importorskip("transformers", reason="the extra `backends` has transformers")
    name, specials = SENTENCE_PIECES[family]
    pieces = [(piece, 0.0) for piece in specials] + [
        ("▁", -3.1),
        ("▁the", -1.2),
        ("▁cat", -1.7),
        ("s", -2.3),
        ("a", -2.9),
    ]
    theirs = getattr(transformers, name)(vocab=pieces)
    theirs.save_pretrained(tmp_path)
    reader = text_reader_of(tmp_path, family, ENCODERS[family])
    inputs = reader(tf.constant(TEXTS), tf.constant(OTHERS) if pairs else None)
    for row, text in enumerate(TEXTS):
        more = {"text_pair": OTHERS[row]} if pairs else {}
        options = {"truncation": "longest_first", "max_length": reader.max_tokens, "return_token_type_ids": True}
        expected = theirs(text, **more, **options)
        count = int(tf.reduce_sum(tf.cast(inputs["mask"][row], tf.int32)))
        assert inputs["tokens"][row, :count].numpy().tolist() == expected["input_ids"], text
        if family == "albert" or not pairs:
            assert inputs["segments"][row, :count].numpy().tolist() == expected["token_type_ids"], text
    assert set(inputs["tokens"].numpy()[~inputs["mask"].numpy()].tolist()) == {reader.pad}


def test_spiece_model_is_read_with_the_settings_of_the_folder(tmp_path):
    pieces = [(piece, 0.0) for piece in SENTENCE_PIECES["albert"][1]] + [("▁Cat", -1.0), ("▁cat", -2.0)]
    (tmp_path / "spiece.model").write_bytes(unigram_model(pieces, 1))
    for cased, token in ((False, 6), (True, 5)):
        (tmp_path / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": not cased}))
        reader = text_reader_of(tmp_path, "albert", ENCODERS["albert"])
        assert reader(tf.constant(["Cat[MASK]"]))["tokens"].numpy().tolist() == [[2, token, 4, 3]]
    (tmp_path / "spiece.model").write_bytes(b"\x01")
    with pytest.raises(UserError, match="expected a SentencePiece model"):
        text_reader_of(tmp_path, "albert", ENCODERS["albert"])


@pytest.mark.parametrize("family", CLASSES)
def test_vocab_json_with_merges_reads_as_tokenizer_json_does(family, learned, tmp_path):
    write_folder(tmp_path / "old", family, learned, "vocab.json")
    old = text_reader_of(tmp_path / "old", family, ENCODERS[family])
    specials = [{"id": old.tokenizer.id_of(name), "content": name, "lstrip": name == "<mask>"}
                for name in SPECIALS[family]]  # fmt: skip
    vocabulary = json.loads((tmp_path / "old" / "vocab.json").read_text())
    merges = (tmp_path / "old" / "merges.txt").read_text().splitlines()[1:]
    whole = {"model": {"type": "BPE", "vocab": vocabulary, "merges": [line.split(" ") for line in merges]}}
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "tokenizer.json").write_text(json.dumps(whole | {"added_tokens": specials}))
    new = text_reader_of(tmp_path / "new", family, ENCODERS[family])
    for one, other in zip(old(tf.constant(TEXTS)).values(), new(tf.constant(TEXTS)).values()):
        np.testing.assert_array_equal(one, other)


def test_roberta_leaves_the_positions_of_padding_out_of_its_room(learned, tmp_path):
    write_folder(tmp_path / "folder", "roberta", learned, "vocab.json")
    reader = text_reader_of(tmp_path / "folder", "roberta", ENCODERS["roberta"])
    tokens = reader(tf.constant(["the cat " * 30]))["tokens"]
    assert tokens.shape == (1, 24) and tokens[0, 0] == 0 and tokens[0, -1] == 2


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": True}}, "received a space"),
        ({"model": {"type": "Unigram", "vocab": [["a", 0.0]]}}, "received Unigram"),
        ({"model": {"type": "BPE", "vocab": {"a": 0}, "merges": ["a b"]}}, "merges: expected pairs of pieces"),
        ({"added_tokens": []}, "expected a vocabulary with '<|endoftext|>', received one without"),
    ],
)
def test_byte_pairs_that_cannot_be_read_are_refused(settings, message, tmp_path):
    whole = {"model": {"type": "BPE", "vocab": {"a": 0}, "merges": []}}
    (tmp_path / "tokenizer.json").write_text(json.dumps(whole | settings))
    with pytest.raises(UserError) as error:
        text_reader_of(tmp_path, "gpt2", ENCODERS["gpt2"])
    assert message in str(error.value)
