"""WordPiece: normalisation, special tokens, long words, the exported graph, and the ids of Hugging Face's tokeniser."""

import random

import pytest
import tensorflow as tf

from attention_zoo.pipelines.engine.text.wordpieces import WordPieces

SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = ["un", "##aff", "##able", "cafe", "café", "日", "本", "a", "##b", "!", "?", "-", "straße", "σ", "ς", "β"]
VOCABULARY = SPECIALS + WORDS


def tokens(text, vocabulary=VOCABULARY, **options):
    pieces = WordPieces(vocabulary, **options)
    return [piece.decode() for piece in pieces.pieces(pieces.tokenize(tf.constant([text]))[0]).numpy()]


@pytest.mark.parametrize(
    "text, expected",
    [
        ("unaffable", ["un", "##aff", "##able"]),
        ("Unaffable!?", ["un", "##aff", "##able", "!", "?"]),
        ("Café cafe\u0301", ["cafe", "cafe"]),
        ("日本", ["日", "本"]),
        ("a\x00b a\x07b a\u200bb", ["a", "##b"] * 3),
        ("a\tb\u3000a\u00a0a\nab", ["a", "[UNK]", "a", "a", "a", "##b"]),
        ("a[MASK]a", ["a", "[MASK]", "a"]),
        ("[mask]", ["[UNK]", "[UNK]", "[UNK]"]),
        ("[CLS] a [SEP]", ["[CLS]", "a", "[SEP]"]),
        ("aΣ Σ", ["[UNK]", "σ"]),
        ("STRAẞE straße", ["straße", "straße"]),
        ("xyz", ["[UNK]"]),
        ("a" * 101, ["[UNK]"]),
        ("", []),
        (" \t\n", []),
        ("\u200b\ufeff", []),
    ],
)
def test_text_is_read_as_bert_reads_it(text, expected):
    assert tokens(text) == expected


@pytest.mark.parametrize(
    "options, expected",
    [
        ({"lowercase": False}, ["[UNK]", "café", "[UNK]"]),
        ({"strip_accents": False}, ["café", "café", "[UNK]"]),
        ({"lowercase": False, "strip_accents": True}, ["[UNK]", "cafe", "[UNK]"]),
        ({}, ["cafe", "cafe", "[UNK]"]),
    ],
)
def test_case_and_accents_follow_the_options(options, expected):
    assert tokens("Café café 日x", split_chinese=False, **options)[:2] == expected[:2]


def test_chinese_characters_are_words_only_if_asked_for():
    assert tokens("日本") == ["日", "本"]
    assert tokens("日本", split_chinese=False) == ["[UNK]"]


def test_bytes_that_are_not_utf8_are_left_out():
    pieces = WordPieces(VOCABULARY)
    assert pieces.tokenize(tf.constant([b"a\xff\xfe!"])).to_list() == [[pieces.id_of("a"), pieces.id_of("!")]]


def test_a_word_of_a_hundred_characters_is_the_longest_that_is_read():
    vocabulary = [*SPECIALS, "é", "##é"]
    assert tokens("é" * 100, vocabulary, strip_accents=False) == ["é"] + ["##é"] * 99
    assert tokens("é" * 101, vocabulary, strip_accents=False) == ["[UNK]"]


def test_a_batch_is_tokenised_as_its_texts_are():
    pieces = WordPieces(VOCABULARY)
    texts = ["Unaffable", "", "a[MASK]b!", "日本 cafe"]
    together = pieces.tokenize(tf.constant(texts)).to_list()
    assert together == [pieces.tokenize(tf.constant([text])).to_list()[0] for text in texts]
    assert pieces.tokenize(tf.constant([], tf.string)).to_list() == []
    assert pieces.tokenize(tf.constant(texts)).dtype == tf.int32


def test_a_megabyte_on_one_line_is_tokenised():
    pieces = WordPieces(VOCABULARY)
    assert pieces.tokenize(tf.constant(["ab! " * 250_000])).row_lengths().numpy().tolist() == [750_000]


def test_a_vocabulary_without_the_unknown_piece_is_refused():
    with pytest.raises(ValueError, match=r"expected a vocabulary with '\[UNK\]', received 1 pieces without"):
        WordPieces(["a"])


def test_an_exported_tokeniser_answers_in_a_session(session_run, tmp_path):
    import keras

    pieces = WordPieces(VOCABULARY)
    archive = keras.export.ExportArchive()
    archive.track(pieces)
    spec = tf.TensorSpec([None], tf.string, name="text")
    archive.add_endpoint("serving_default", lambda text: {"ids": pieces.tokenize(text).to_tensor()}, [spec])
    archive.write_out(str(tmp_path), verbose=False)
    ids = session_run(tmp_path, "serving_default", {"text": ["Unaffable [MASK]", ""]})["ids"]
    assert ids.tolist() == [[*map(pieces.id_of, ["un", "##aff", "##able", "[MASK]"])], [0] * 4]


BLOCKS = [  # scripts whose characters Hugging Face's tables have
    (0x20, 0x7F),
    (0xA0, 0x17F),
    (0x300, 0x36F),
    (0x391, 0x3C9),
    (0x400, 0x45F),
    (0x5D0, 0x5EA),
    (0x620, 0x652),
    (0x905, 0x94D),
    (0xE01, 0xE3A),
    (0x1100, 0x1112),
    (0x2000, 0x206F),
    (0x2190, 0x21FF),
    (0x3000, 0x30FF),
    (0x4E00, 0x9FA5),
    (0xAC00, 0xD7A3),
    (0xE000, 0xE00F),
    (0xFB00, 0xFB06),
    (0xFE00, 0xFE0F),
    (0xFF01, 0xFF5E),
    (0x1F1E6, 0x1F1FF),
    (0x1F3FB, 0x1F64F),
    (0x20000, 0x2000F),
    (0x01, 0x1F),
]


ODD = [
    "x" * 10_000,
    "e\u0301" * 60,
    "👩🏽‍💻👍🏿 🇩🇪",
    "Ünïcödé STRASSE ẞ İ ı ſ ﬁ Ǆ Ⅷ ²",
    "שָׁלוֹם عَرَبِيّ",
    "\u202eevil\u202c \u2066iso\u2069",
    "'; DROP TABLE users;--",
    "<script>alert(1)</script>",
    "$HOME ${x} %s %n {0} \\n",
    "\r\n\x0b\x0c\x85\u2028\u2029",
    "[MASK][MASK] [SEP",
    "1.0e-10 0x7f NaN ½ ٣",
]


def mixed_texts(count, seed=1):
    """Texts of characters of one to three scripts, with spaces."""
    draw = random.Random(seed)
    texts = []
    for _ in range(count):
        scripts = draw.sample(BLOCKS, draw.randint(1, 3))
        letters = [chr(draw.randint(*draw.choice(scripts))) for _ in range(draw.randint(1, 40))]
        texts.append("".join(letter + " " * (draw.random() < 0.2) for letter in letters))
    return texts


def cut_out(text, **options):
    """The words of a text as its bytes have them."""
    raw = text if isinstance(text, bytes) else text.encode()
    _, starts, ends = WordPieces(VOCABULARY, **options).tokenize_with_offsets(tf.constant([raw]))
    return [raw[start:end] for start, end in zip(starts.to_list()[0], ends.to_list()[0])]


@pytest.mark.parametrize(
    "text, options, expected",
    [
        ("Un[MASK] Cafés!", {}, ["Un", "[MASK]", "Cafés", "!"]),
        ("cafe\u0301, a", {}, ["cafe\u0301", ",", "a"]),
        ("cafe\u0301, a", {"lowercase": False}, ["cafe\u0301", ",", "a"]),
        ("=\u0338c \u0301a", {}, ["=\u0338", "c", "a"]),
        ("a≠b", {}, ["a", "≠", "b"]),
        ("a≠b", {"strip_accents": False}, ["a≠b"]),
        ("a\x07b a\u200b \u200ba", {}, ["a\x07b", "a", "a"]),
        ("日本x", {}, ["日", "本", "x"]),
        ("日本x", {"split_chinese": False}, ["日本x"]),
        ("👩🏽\u200d💻 👍🏿!", {}, ["👩🏽\u200d💻", "👍🏿", "!"]),
        ("☺\ufe0f a", {}, ["☺\ufe0f", "a"]),
        ("[MA\x00SK]", {}, ["[", "MA\x00SK", "]"]),
        (b"\xff\xfea\xffb\xff !", {}, [b"a\xffb", b"!"]),
        ("", {}, []),
        ("\x00 \u200b", {}, []),
    ],
)
def test_offsets_cut_words_out_of_the_text_as_it_was(text, options, expected):
    assert cut_out(text, **options) == [word if isinstance(word, bytes) else word.encode() for word in expected]


@pytest.mark.parametrize("options", [{}, {"lowercase": False}, {"strip_accents": False}, {"split_chinese": False}])
def test_words_with_offsets_have_the_ids_of_the_text_and_of_what_is_cut_out(options):
    texts = [text.encode() for text in [*mixed_texts(300), *ODD, ""]] + [b"\xff\xfea\xffb"]
    letters = {letter for text in texts for letter in text.decode("utf-8", "replace") if letter.isprintable()} - {" "}
    pieces = WordPieces([*VOCABULARY, *sorted(letters - set(VOCABULARY))], **options)
    ids, starts, ends = pieces.tokenize_with_offsets(tf.constant(texts))
    assert ids.merge_dims(1, 2).to_list() == pieces.tokenize(tf.constant(texts)).to_list()
    rows = zip(texts, starts.to_list(), ends.to_list())
    words = [text[start:end] for text, *offsets in rows for start, end in zip(*offsets)]
    assert pieces.tokenize(tf.constant(words)).to_list() == ids.values.to_list()
    assert pieces.tokenize_with_offsets(tf.constant([], tf.string))[0].to_list() == []


@pytest.mark.backends
@pytest.mark.parametrize("lowercase", [True, False])
@pytest.mark.parametrize("strip_accents", [None, True, False])
def test_ids_are_those_of_hugging_face(lowercase, strip_accents):
    tokenizers = pytest.importorskip("tokenizers", reason="the extra `backends` has tokenizers")
    texts = [*mixed_texts(2000), *ODD]
    letters = sorted({letter for text in texts for letter in text.lower() + text if letter.isprintable()} - {" "})
    vocabulary = [*SPECIALS, *letters, *(f"##{letter}" for letter in letters), "the", "##ing", "strasse"]
    vocabulary = list(dict.fromkeys(vocabulary))
    theirs = tokenizers.BertWordPieceTokenizer(
        {piece: number for number, piece in enumerate(vocabulary)}, lowercase=lowercase, strip_accents=strip_accents
    )
    ours = WordPieces(vocabulary, lowercase, strip_accents)
    expected = [row.ids for row in theirs.encode_batch(texts, add_special_tokens=False)]
    found = ours.tokenize(tf.constant(texts)).to_list()
    assert [text for text, one, other in zip(texts, expected, found) if one != other] == []
