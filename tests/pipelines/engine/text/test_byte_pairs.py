"""Byte pairs: the ids of Hugging Face's tokenisers, bytes that come back, long words, and the exported graph."""

import random
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.text.byte_pairs import LETTERS, BytePairs, learn_byte_pairs
from attention_zoo.pipelines.engine.text.byte_words import split_byte_words

PLAIN = {letter: byte for byte, letter in LETTERS.items()}
LINES = [
    "The quick brown fox jumps over the lazy dog; they're sure it's what we'll see. I'd say you've 12 of 345.",
    "Der schnelle Fuchs hüpft über den Zaun; où est le café? ¿Qué tal, niño? naïve façade",
    "Быстрая лиса прыгает через забор. Η γρήγορη αλεπού, τέλος. שלום עולם! مرحبا بالعالم",
    "日本語の文章を東京で読む。中文句子没有空格。 한국어 문장은 띄어쓰기가 있다. สวัสดีชาวโลก नमस्ते दुनिया",
    "def f(x):\n\treturn x ** 2  # 3.14\r\n\n    if a != b: print('hello', \"world\")   ",
    "👩🏽\u200d🚀 👍🏿 🇩🇪 ❤\ufe0f 😀😀 e\u0301 a\u0308 \u1e9e ½ ² Ⅷ ٣٤",
]
NAUGHTY = [
    "",
    " ",
    "     ",
    "\t\n \r\n",
    "  a",
    "a  ",
    "a\u00a0\u00a0b \u3000 c\u2028d\x85e",
    "\x00a\x00\x00 \x00",
    "\x1cb\x1d \x1e\x1f\x7f",
    "I'm you're we've she'll it's he'd don't 'twas 'S 'RE '' ''s '''re ' s x's's 'less 'vex 'll'll",
    "!'s ?'t 'mm 'sss ' 're  've\t'm",
    "\u200b\u200d\u2060\ufeff \u00ad",
    "\u202eevil\u202c \u2066iso\u2069 שָׁלוֹם عَرَبِيّ",
    "e\u0301\u0323 é ẹ́ Z\u0351\u036b\u0343aͫ̓l\u0368\u0366go",
    "👩🏽\u200d💻👍🏿 🇩🇪🇫🇷 \U0001f3f4\U000e0067\U000e0062\U000e007f",
    "ﬁ ½ Ⅷ ² ٣ Ǆ ſ İ ı ẞ ß Σς",
    "1.0e-10 0x7f NaN 12345678901234567890 ¼¾",
    "'; DROP TABLE users;-- <script>alert(1)</script> $HOME ${x} %s%n {0} \\n \\x00",
    "<s></s><pad><mask>  <mask> <mask>x <|endoftext|> <mask",
    "\ufffd\ufffe\uffff\U0010ffff\ue000",
    "Ω≈ç√∫˜µ≤≥÷ åß∂ƒ©˙∆˚¬… ⁰⁴⁵₀₁₂",
    "x" * 10_000,
    "ab" * 5_000,
    "the" * 3_334,
    " " * 10_000,
    "'" * 1_000,
    "日本語" * 3_333,
]
BLOCKS = [(0x20, 0x7F), (0x20, 0x7F), (0, 0x20), (0xA0, 0x17F), (0x300, 0x36F), (0x391, 0x3C9), (0x400, 0x45F)]
BLOCKS += [(0x5D0, 0x5EA), (0x620, 0x669), (0x900, 0x970), (0xE01, 0xE3A), (0x1680, 0x1690), (0x2000, 0x206F)]
BLOCKS += [(0x2150, 0x2190), (0x3000, 0x30FF), (0x4E00, 0x9FA5), (0xAC00, 0xD7A3), (0xFE00, 0xFE0F), (0xFF01, 0xFF5E)]
BLOCKS += [(0x1F1E6, 0x1F1FF), (0x1F3FB, 0x1F64F), (0x20000, 0x2FA1F), (0, 0xD7FF), (0xE000, 0x10FFFF)]


def mixed_texts(count, seed=1):
    """Texts of words of `LINES`, and of characters of one to three blocks with spaces and apostrophes between."""
    draw = random.Random(seed)
    words = " ".join(LINES).split(" ")
    texts = []
    for number in range(count):
        if number % 4 == 0:
            texts.append(draw.choice([" ", "  ", "\n", ""]).join(draw.choices(words, k=draw.randint(1, 12))))
            continue
        blocks = draw.sample(BLOCKS, draw.randint(1, 3))
        letters = [chr(draw.randint(*draw.choice(blocks))) for _ in range(draw.randint(1, 40))]
        texts.append("".join(letter + draw.choice(["", "", "", " ", "  ", "'", "\n", "s"]) for letter in letters))
    return texts


@pytest.fixture(scope="module")
def learned():
    pytest.importorskip("tokenizers", reason="the extra `hub` has tokenizers")
    return learn_byte_pairs(LINES * 3 + mixed_texts(200, seed=2), 900)


def merged_by_hand(word, ranks):
    """Merges the first pair of the list in a word until there is none, the way Sennrich et al. (2016) write it."""
    word = list(word)
    while pairs := [pair for pair in zip(word, word[1:]) if pair in ranks]:
        best, place = min(pairs, key=ranks.__getitem__), 0
        while place < len(word) - 1:
            if (word[place], word[place + 1]) == best:
                word[place : place + 2] = ["".join(best)]
            place += 1
    return word


@pytest.mark.backends
@pytest.mark.parametrize("family", ["GPT2Tokenizer", "RobertaTokenizer"])
def test_ids_are_those_of_hugging_face(learned, family):
    transformers = pytest.importorskip("transformers", reason="the extra `backends` has transformers")
    vocabulary, merges = learned
    theirs = getattr(transformers, family)(vocabulary, [tuple(line.split(" ")) for line in merges])
    names = theirs.all_special_tokens
    if family == "RobertaTokenizer":
        mask = transformers.AddedToken("<mask>", lstrip=True, special=True)
        theirs.add_special_tokens({"mask_token": mask})
    specials = {name: theirs.convert_tokens_to_ids(name) for name in names}
    ours = BytePairs(vocabulary, merges, specials, ["<mask>"] if family == "RobertaTokenizer" else [])
    texts = [*LINES, *NAUGHTY, *mixed_texts(2000)]
    expected = [theirs.encode(text, add_special_tokens=False) for text in texts]
    ids = ours.tokenize(tf.constant(texts))
    assert [text for text, one, other in zip(texts, expected, ids.to_list()) if one != other] == []
    decoded = [theirs.decode(row, clean_up_tokenization_spaces=False).encode() for row in expected]
    assert ours.detokenize(ids).numpy().tolist() == decoded


@pytest.mark.backends
def test_characters_of_all_scripts_are_split_as_hugging_face_splits_them():
    tokenizers = pytest.importorskip("tokenizers", reason="the extra `hub` has tokenizers")
    splitter = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    points = [chr(point) for point in [*range(0x3400), *range(0x3400, 0x33000, 13)] if not 0xD800 <= point < 0xE000]
    texts = ["".join(f"a{point}1{point}!" for point in points[at : at + 64]) for at in range(0, len(points), 64)]
    words, _ = split_byte_words(tf.constant(texts))
    bytes_of_words = tf.RaggedTensor.from_row_splits(words.values.row_lengths(), words.row_splits).to_list()
    for text, lengths in zip(texts, bytes_of_words):
        expected = [len(text[a:b].encode()) for _, (a, b) in splitter.pre_tokenize_str(text)]
        assert lengths == expected, ascii(text)


@pytest.mark.parametrize("seed", range(3))
def test_merges_equal_those_made_one_pair_at_a_time(seed):
    draw = random.Random(seed)
    pieces, merges = list("abc"), []
    while len(merges) < 60:
        left, right = draw.choices(pieces, k=2)
        if left + right not in pieces and len(left + right) < 9:
            pieces.append(left + right)
            merges.append(f"{left} {right}")
    vocabulary = PLAIN | {piece: 256 + number for number, piece in enumerate(pieces[3:])}
    pairs = BytePairs(vocabulary, merges)
    texts = ["".join(draw.choices("abc", k=length)) for length in [*range(30), 300, 3000]]
    texts += ["a" * 101, "b" * 100 + "c" * 50 + "a" * 99, "ca" * 77 + "a" * 33]
    ranks = {tuple(line.split(" ")): rank for rank, line in enumerate(merges)}
    expected = [[vocabulary[piece] for piece in merged_by_hand(text, ranks)] for text in texts]
    assert pairs.tokenize(tf.constant(texts)).to_list() == expected


@pytest.mark.parametrize(
    "text, expected",
    [
        ("Hello  world", ["Hello", " ", " world"]),
        ("a\n\nb\t c  ", ["a", "\n", "\n", "b", "\t", " c", "  "]),
        ("they're 'same x's!'s", ["they", "'re", " '", "same", " x", "'s", "!'", "s"]),
        ("'sit 12ab\u0663", ["'s", "it", " 12", "ab", "\u0663"]),
        ("  ", ["  "]),
        ("", []),
    ],
)
def test_text_is_split_into_the_words_of_gpt2(text, expected):
    words, _ = split_byte_words(tf.constant([text]))
    assert [bytes(word).decode() for word in words.to_list()[0]] == expected


def test_any_bytes_come_back():
    draw = random.Random(1)
    texts = [bytes(draw.choices(range(256), k=length)) for length in [*range(60), 3000]]
    texts += [
        b"\x00",
        b"\x00\x00a\x00",
        b"\xff\xfe",
        b"caf\xe9 \xe6\x9d",
        b"\xed\xa0\x80",
        b"\xef\xbb\xbfa",
        b"\xf0\x9f<s>\x00",
    ]
    vocabulary = PLAIN | {"th": 256, "Ã©": 257, "ĠĠ": 258}
    pairs = BytePairs(vocabulary, ["t h", "Ã ©", "Ġ Ġ"], {"<s>": 259})
    ids = pairs.tokenize(tf.constant(texts))
    assert pairs.detokenize(ids).numpy().tolist() == texts
    assert [b"".join(row) for row in pairs.pieces(ids).to_list()] == texts


def test_offsets_cut_words_out_without_the_white_space_before_them():
    texts = [text.encode() for text in [*LINES, *NAUGHTY]] + [b"\xff a\xfe\xe3", b"a \t <mask>b<s>"]
    pairs = BytePairs(PLAIN, [], {"<s>": 256, "<mask>": 257}, ["<mask>"])
    ids, starts, ends = pairs.tokenize_with_offsets(tf.constant(texts))
    assert ids.merge_dims(1, 2).to_list() == pairs.tokenize(tf.constant(texts)).to_list()
    spaces = "".join(filter(str.isspace, map(chr, [*range(0x1C), *range(0x20, 0x3001)])))
    rows = zip(texts, ids.to_list(), starts.to_list(), ends.to_list())
    for text, words, *offsets in rows:
        cut = [text[start:end] for start, end in zip(*offsets)]
        assert [bytes(word).decode("utf-8", "replace").strip(spaces) for word in words if max(word) < 256] == [
            word.decode("utf-8", "replace") for word in cut if word not in (b"<mask>", b"<s>")
        ]
    assert cut == [b"a", b"<mask>", b"b", b"<s>"]


def test_special_tokens_are_found_and_can_be_left_out():
    pairs = BytePairs(PLAIN, [], {"<s>": 256, "<mask>": 257, "<mask>2": 258}, strip_left=["<mask>"])
    ids = pairs.tokenize(tf.constant(["<s>a \u3000<mask> b", "\x00<mask>2<s", " <s>"]))
    assert ids.to_list() == [[256, 97, 257, 32, 98], [0, 258, 60, 115], [32, 256]]
    assert pairs.detokenize(ids).numpy().tolist() == [b"<s>a<mask> b", b"\x00<mask>2<s", b" <s>"]
    assert pairs.detokenize(ids, skip_specials=True).numpy().tolist() == [b"a b", b"\x00<s", b" "]
    assert pairs.id_of("<mask>2") == 258 and pairs.vocabulary_size == 259


def test_an_empty_batch_and_empty_texts_have_no_ids():
    pairs = BytePairs(PLAIN | {"ab": 256}, ["a b"], {"<s>": 257})
    for texts in ([], [""], ["", "", "ab", ""]):
        ids = pairs.tokenize(tf.constant(texts, tf.string))
        assert ids.to_list() == [[256] if text else [] for text in texts]
        assert ids.dtype == tf.int32
        assert pairs.detokenize(ids).numpy().tolist() == [text.encode() for text in texts]


def test_a_byte_that_the_vocabulary_lacks_is_left_out():
    pairs = BytePairs({"a": 0, "b": 1, "ab": 5}, ["a b"])
    assert pairs.tokenize(tf.constant(["acb", "c"])).to_list() == [[5], []]
    assert pairs.pieces(tf.constant([5, 4])).numpy().tolist() == [b"ab", b""]


def test_direct_mapped_and_batched_calls_agree():
    pairs = BytePairs(PLAIN | {"th": 256, "the": 257}, ["t h", "th e"], {"<s>": 258})
    texts = ["the <s>then", "", "other thing's", "the the the"]
    direct = pairs.tokenize(tf.constant(texts)).to_list()
    dataset = tf.data.Dataset.from_tensor_slices(texts).batch(3).map(pairs.tokenize)
    assert [row for batch in dataset for row in batch.to_list()] == direct


def test_ten_thousand_letters_without_a_space_are_no_trouble(learned):
    draw = random.Random(1)
    text = "".join(draw.choices(["the", "quick", "brown", "x"], k=3_000))
    pairs = BytePairs(*learned)
    ids = pairs.tokenize(tf.constant([text]))
    assert pairs.detokenize(ids).numpy().tolist() == [text.encode()]
    assert ids.row_lengths().numpy() < 8_000


def test_a_long_line_beside_many_short_ones_round_trips(learned):
    pairs = BytePairs(*learned, {"<s>": 900})
    texts = [*mixed_texts(1000), "日本語 " * 33_333, "日本語" * 10_000]
    ids = pairs.tokenize(tf.constant(texts))
    assert pairs.detokenize(ids).numpy().tolist() == [text.encode() for text in texts]


def test_wrong_merges_and_names_are_refused():
    with pytest.raises(ValueError, match="merges: expected pairs of pieces .*, received 'a b'"):
        BytePairs(PLAIN, ["a b"])
    with pytest.raises(ValueError, match="merges: .*received '#version: 0.2'"):
        BytePairs(PLAIN, ["#version: 0.2"])
    with pytest.raises(ValueError, match=r"strip_left: expected some of \['<s>'\], received \['<mask>'\]"):
        BytePairs(PLAIN, [], {"<s>": 256}, ["<mask>"])
    with pytest.raises(ValueError, match="specials: expected strings that are not empty"):
        BytePairs(PLAIN, [], {"": 256})


def test_learning_names_what_is_wrong_and_gives_the_same_twice(learned, monkeypatch):
    assert learn_byte_pairs(LINES * 3 + mixed_texts(200, seed=2), 900) == learned
    assert list(learned[0].values()) == list(range(900)) and len(learned[1]) == 900 - 256
    with pytest.raises(UserError, match="--data.vocabulary_size: expected at least 256, .*received 100"):
        learn_byte_pairs(LINES, 100)
    with pytest.raises(UserError, match="--data.vocabulary_size: expected at most 258, .*received 300"):
        learn_byte_pairs(["ab ab"], 300)
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(UserError, match=r"pip install 'attention-zoo\[hub\]'"):
        learn_byte_pairs(LINES, 300)


def test_it_answers_in_the_session_loader_that_tf_serving_uses(session_run, tmp_path):
    pairs = BytePairs(PLAIN | {"th": 256, "the": 257}, ["t h", "th e"], {"<s>": 258})

    def there_and_back(text):
        ids = pairs.tokenize(text)
        return {"text": pairs.detokenize(ids), "ids": ids.to_tensor(-1)}

    archive = keras.export.ExportArchive()
    archive.track(pairs)
    archive.add_endpoint("serve", there_and_back, [tf.TensorSpec([None], tf.string, name="text")])
    archive.write_out(str(tmp_path), verbose=False)
    received = session_run(tmp_path, "serve", {"text": ["the<s>", ""]})
    assert received["ids"].tolist() == [[257, 258], [-1, -1]]
    assert received["text"].tolist() == [b"the<s>", b""]
    assert session_run(tmp_path, "serve", {"text": np.array([], "O")})["text"].tolist() == []


def test_a_small_text_gives_only_pieces_that_occur_often_enough(capsys):
    text = "the cat sat on the mat " * 5
    asked = learn_byte_pairs([text], 258, adjust=True)[1]
    assert capsys.readouterr().out == ""
    adjusted = learn_byte_pairs([text], 600, adjust=True)[1]
    assert f"data.vocabulary_size: {256 + len(adjusted)} instead of 600" in capsys.readouterr().out
    assert len(asked) == 2 and asked == adjusted[:2]
    assert set(adjusted) >= {"h e", "a t"} and not any(merge.replace(" ", "").endswith("cat") for merge in adjusted)
