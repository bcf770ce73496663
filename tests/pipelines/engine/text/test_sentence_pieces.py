"""Sentence pieces of other people's models: the ids of Hugging Face's tokenisers, special tokens, odd bytes."""

import json
import random
import unicodedata

import keras
import pytest
import tensorflow as tf
from sentencepiece import sentencepiece_model_pb2

from attention_zoo.pipelines.engine.text.sentence_pieces import SentencePieces, unigram_model
from attention_zoo.pipelines.engine.text.subwords import learn_sentencepiece

WORDS = """the cat sat on the red chair and didn't see 12 of 345 dogs; où est le café? naïve Straße ½ Ⅵ ﬁ
быстрая лиса прыгает η γρήγορη αλεπού τέλος שלום עולם مرحبا 日本語の文章 中文句子 한국어 नमस्ते 👩🏽 ❤️""".split()
ODD = [
    "",
    " ",
    "\t\n",
    "\x00a\x00 \x01",
    "``a'' b",
    "ΟΔΟΣ Σ",
    "a\u00a0b\u3000c\u2028d\x85e",
    "\u200b\ufeff",
    "x" * 5000,
]
ODD += ["[MASK]", "a[MASK]b [MASK]", "[CLS][SEP]", "[mask] [MASK", "<pad> <unk>", "É e\u0301 İ ẞ ﬁ", "ab" * 3000]
SPECIALS = {
    "AlbertTokenizer": ["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"],
    "XLNetTokenizer": ["<unk>", "<s>", "</s>", "<cls>", "<sep>", "<pad>", "<mask>", "<eod>", "<eop>"],
}


@pytest.fixture(scope="module")
def learned():
    """Pieces with scores, of which no two sums are equal, and SentencePiece's table of characters."""
    model = learn_sentencepiece([" ".join(WORDS)] * 3 + [text.lower() for text in WORDS], 400, adjust=True)
    proto = sentencepiece_model_pb2.ModelProto.FromString(model)
    draw = random.Random(0)
    pieces = [(piece.piece, piece.score - draw.random()) for piece in proto.pieces[4:]]
    return pieces, proto.normalizer_spec.precompiled_charsmap


def texts_of(count, seed=1):
    """Texts of words and of single letters of them, with white space between."""
    draw = random.Random(seed)
    letters = list("".join(WORDS) + "'s S")
    return [
        "".join(
            (draw.choice(WORDS) if draw.random() < 0.7 else "".join(draw.choices(letters, k=5)))
            + draw.choice([" ", "  ", "\n", "", "\u00a0"])
            for _ in range(draw.randint(1, 12))
        )
        for _ in range(count)
    ]


@pytest.mark.backends
@pytest.mark.parametrize("table", [False, True], ids=["", "table of characters"])
@pytest.mark.parametrize("family", SPECIALS)
def test_ids_are_those_of_hugging_face(family, table, learned, tmp_path):
    transformers = pytest.importorskip("transformers", reason="the extra `backends` has transformers")
    vocabulary = [(piece, 0.0) for piece in SPECIALS[family]] + learned[0]
    charsmap = learned[1] if table else None
    theirs = getattr(transformers, family)(vocab=vocabulary, _spm_precompiled_charsmap=charsmap)
    theirs.save_pretrained(tmp_path)
    added = json.loads((tmp_path / "tokenizer.json").read_text())["added_tokens"]
    specials = {token["content"]: token["id"] for token in added}
    unknown = SPECIALS[family].index("<unk>")
    model = unigram_model(vocabulary, unknown, specials, charsmap or b"")
    ours = SentencePieces(model, family == "AlbertTokenizer", specials=specials)
    texts = [*ODD, *texts_of(2000)]
    if table:
        texts = [text for text in texts if not composes(text)]
    assert len(texts) > 700
    expected = [theirs.encode(text, add_special_tokens=False) for text in texts]
    found = ours.tokenize(tf.constant(texts)).to_list()
    assert [text for text, one, other in zip(texts, expected, found) if one != other] == []


def composes(text):
    """Returns whether NFKC composes what NFKD without marks has decomposed: the deviation that is documented."""
    letters = [letter for letter in unicodedata.normalize("NFKD", text) if unicodedata.category(letter)[0] != "M"]
    return unicodedata.normalize("NFC", "".join(letters)) != "".join(letters)


def small(**options):
    pieces = [("<unk>", 0.0), ("[MASK]", 0.0), ("▁a", -1.0), ("b", -2.0), ("▁", -3.0)]
    return SentencePieces(unigram_model(pieces, 0, ["[MASK]"]), specials={"[MASK]": 1}, **options)


def test_special_tokens_are_one_token_wherever_they_are():
    ids = small().tokenize(tf.constant(["ab[MASK]b", "[MASK][MASK]", "a [mask]", ""]))
    assert ids.to_list() == [[2, 3, 1, 4, 3], [1, 1], [2, 4, 0], []]


@pytest.mark.parametrize(
    "options, ids", [({}, [2, 3]), ({"lowercase": False}, [4, 0]), ({"strip_accents": False}, [4, 0, 3])]
)
def test_case_and_accents_are_kept_if_asked(options, ids):
    text = "áB" if options.get("lowercase", True) else "ÁB"
    assert small(**options).tokenize(tf.constant([text])).to_list() == [ids]


def test_any_bytes_are_tokenised_alone_as_in_a_batch():
    texts = [b"\xff\xfea", b"a\x00b", "a " * 5000, b"\xf0\x9f", *ODD]
    pieces = small()
    together = pieces.tokenize(tf.constant(texts)).to_list()
    assert together == [pieces.tokenize(tf.constant([text])).to_list()[0] for text in texts]
    assert together[:2] == [[4, 0], [2, 0, 3]]  # the bytes are unknown, what is around them is read


@pytest.mark.parametrize("accents", [True, False])
def test_pieces_of_words_are_those_of_the_text_and_places_are_of_the_text(accents, learned):
    model = unigram_model([("<unk>", 0.0), ("[MASK]", 0.0), *learned[0]], 0, ["[MASK]"], learned[1])
    pieces = SentencePieces(model, strip_accents=not accents, specials={"[MASK]": 1})
    texts = [text.encode() for text in [*ODD, *texts_of(30)]] + [b"\xff\xfea", b"a\x00b", b"\xf0\x9f"]
    ids, starts, ends = pieces.tokenize_with_offsets(tf.constant(texts))
    wordless = starts.row_lengths().numpy() == 0
    for text, found, one, empty in zip(
        texts, ids.merge_dims(1, 2).to_list(), pieces.tokenize(texts).to_list(), wordless
    ):
        assert found == one or (empty and not found), text
    for row, begins, limits in zip(ids.to_list(), starts.to_list(), ends.to_list()):
        assert all(row) and all(begin < limit for begin, limit in zip(begins, limits))
        assert all(limit <= begin for limit, begin in zip(limits, begins[1:]))
    alone = [pieces.tokenize_with_offsets(tf.constant([text]))[1].to_list()[0] for text in texts[:6]]
    assert starts.to_list()[:6] == alone


def test_places_of_words_have_their_accents_and_punctuation_stands_apart():
    names = ["▁ann", "▁", "s", '"', "▁u.s.", "▁(", ")", "▁oslo", "oslo", "."]
    pieces = [("<unk>", 0.0), ("[MASK]", 0.0), *((name, -1.0 - (name == "oslo")) for name in names)]
    pieces = SentencePieces(unigram_model(pieces, 0, ["[MASK]"]), specials={"[MASK]": 1})
    texts = ["``Ánns'' U.S. (Oslo).", "e\u0301 [MASK]Oslo, x", "", " \n"]
    ids, starts, ends = pieces.tokenize_with_offsets(tf.constant(texts))
    words = [
        [text.encode()[begin:end].decode() for begin, end in zip(*row)]
        for text, *row in zip(texts, starts.to_list(), ends.to_list())
    ]
    assert words == [["`", "Ánns", "'", "U.S.", "(", "Oslo", ")", "."], ["e\u0301", "[MASK]", "Oslo", ",", "x"], [], []]
    assert ids.to_list()[0] == [[3, 5], [0, 4], [5], [6], [7], [10], [8], [11]]


def test_pieces_begin_words_with_a_space_and_names_are_found():
    pieces = small()
    assert pieces.pieces(tf.constant([[2, 1]])).numpy().tolist() == [[b" a", b"[MASK]"]]
    assert (pieces.id_of("▁a"), pieces.vocabulary_size) == (2, 5)
    with pytest.raises(KeyError):
        pieces.id_of("z")


def test_a_file_that_is_no_model_is_refused():
    with pytest.raises(ValueError, match="expected a SentencePiece model"):
        SentencePieces(b"\x01no model")


def test_it_is_in_the_exported_graph(tmp_path, session_run, c_api_run):
    pieces = small()
    archive = keras.export.ExportArchive()
    archive.track(pieces)
    archive.add_endpoint(
        "serve",
        lambda text: {"ids": pieces.tokenize(text).to_tensor(-1)},
        input_signature=[tf.TensorSpec([None], tf.string, name="text")],
    )
    archive.write_out(str(tmp_path / "1"), verbose=False)
    for run in (session_run, c_api_run):
        ids = run(tmp_path / "1", "serve", {"text": ["ab[MASK]", b"\xff"]})["ids"]
        assert ids[0].tolist() == [2, 3, 1]
