"""Entities of a folder's `TokenClassifier`: their places in the text, served by a session and through the C API."""

import json

import numpy as np
import pytest
import tensorflow as tf
from known_encoders import write_byte_pairs, write_known, write_word_pieces

from attention_zoo.pipelines.__main__ import main
from attention_zoo.pipelines.engine.serving.asking import rows_of
from attention_zoo.pipelines.engine.serving.versions import load_saved_model
from attention_zoo.pipelines.engine.text.byte_pairs import LETTERS
from attention_zoo.pipelines.engine.text.sentence_pieces import unigram_model
from attention_zoo.pipelines.hub import to_pretrained
from attention_zoo.pipelines.hub.abilities.entities import Entities
from attention_zoo.pipelines.hub.loading import load_ability
from attention_zoo.pipelines.models import AlbertEncoder, BertEncoder, RobertaEncoder, TokenClassifier

WORDS = "peter black ##burn flew to brussels new york jose . , ( )".split()
PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
LABELS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
BEGINS = {"peter": 1, "black": 2, "##burn": 3, "brussels": 3, "new": 3, "york": 4, "jose": 1}  # tag by piece
TEXTS = [
    "Peter Blackburn flew to Brussels.",
    "to New York, José (Brussels)",
    "",
    "\u200b\x00",
    "flew to .",
]
ODD = [
    "👩🏽\u200d💻 Jose\u0301 flew 👍🏿 Bru\u0308ssels",
    b"\xff\xfe Peter\xff \x00 New\x00 Yo\x00rk\xff",
    "x" * 10_000,
    "Peter " * 3000,
    "שלום Peter \u202e東京New",
    "a\r\nPETER\r\n\r\nBlack\t",
]


def table_of(tags, count):
    """Logits by token: 1 for its tag, and for "O" where it has none."""
    return {name: np.eye(count)[tag].tolist() for name, tag in tags.items()}


def write_tagger(folder, labels=LABELS, tags=BEGINS):
    table = table_of({name: 0 for name in PIECES} | tags, len(labels))
    write_known(folder, BertEncoder, lambda encoder: TokenClassifier(encoder, labels), PIECES, table)
    return write_word_pieces(folder, PIECES)


@pytest.fixture(scope="module")
def version(tmp_path_factory):
    """The export of a model that knows the tags of its words."""
    root = tmp_path_factory.mktemp("entities")
    folder = write_tagger(root / "folder")
    assert main(["load", str(folder), "--directory", str(root / "saved_models")]) == 0
    return root / "saved_models" / "entities" / "1"


def found_in(answers, row):
    """The entities of a row of outputs: (string, label, start, end, first and last code point)."""
    names = ("entities", "labels", "starts", "ends", "code_point_starts", "code_point_ends")
    count = answers["counts"][row]
    return [
        tuple(v if isinstance(v, bytes) else int(v) for v in one)
        for one in zip(*(answers[n][row][:count] for n in names))
    ]


def test_entities_and_their_places_are_found(version, session_run, c_api_run):
    for run in (session_run, c_api_run):
        answers = run(version, "serving_default", {"text": TEXTS})
        assert found_in(answers, 0) == [
            (b"Peter Blackburn", b"PER", 0, 15, 0, 15),
            (b"Brussels", b"LOC", 24, 32, 24, 32),
        ]
        assert found_in(answers, 1) == [
            (b"New York", b"LOC", 3, 11, 3, 11),
            ("José".encode(), b"PER", 13, 18, 13, 17),
            (b"Brussels", b"LOC", 20, 28, 19, 27),
        ]
        assert answers["counts"].tolist() == [2, 3, 0, 0, 0]
        assert answers["words_read"].tolist() == [6, 8, 0, 0, 3]
        assert answers["error"].tolist() == [b""] * 5 and not answers["truncated"].any()
        assert (answers["confidences"][1][:3] > 0.5).all() and not answers["confidences"][4].any()


def test_odd_texts_keep_their_bytes(version, session_run, c_api_run):
    for run in (session_run, c_api_run):
        answers = run(version, "serving_default", {"text": ODD})
        for row, text in enumerate(ODD):
            raw = text if isinstance(text, bytes) else text.encode()
            points = raw.decode("utf-8", "replace")
            for entity, _, start, end, first, last in found_in(answers, row):
                assert raw[start:end] == entity
                assert points[first:last] == entity.decode("utf-8", "replace")
        entities = [[entity for entity, *_ in found_in(answers, row)] for row in range(len(ODD))]
        assert entities[0] == ["Jose\u0301".encode(), "Bru\u0308ssels".encode()]
        assert entities[1] == [b"Peter", b"New\x00 Yo\x00rk"]
        assert entities[3] == [b"Peter"] * 22
        assert entities[4] == [b"Peter", b"New"] and entities[5] == [b"PETER\r\n\r\nBlack"]
        assert answers["truncated"].tolist() == [False, False, False, True, False, False]


def test_a_batch_answers_as_its_rows_do(version, session_run):
    texts = [*TEXTS, *ODD]
    served = load_saved_model(version)
    together = session_run(version, "attention", {"text": texts})
    for row, text in enumerate(texts):
        alone = served.signatures["attention"](text=tf.constant([text]))
        for output, values in ((output, value.numpy()) for output, value in alone.items()):
            other = together[output][row : row + 1][tuple(slice(size) for size in values.shape)]
            if values.dtype.kind == "f":
                np.testing.assert_allclose(values, other, atol=1e-5, err_msg=f"{output} of {text[:20]!r}")
            else:
                assert np.array_equal(values, other), f"{output} of {text[:20]!r}"


def test_attention_has_the_words_and_the_probabilities_of_their_tags(version, session_run):
    answers = session_run(version, "attention", {"text": TEXTS[:3]})
    assert [word.decode() for word in answers["words"][0][:6]] == "Peter Blackburn flew to Brussels .".split()
    assert answers["word_counts"].tolist() == [6, 8, 0]
    assert answers["word_columns"][0][:6].tolist() == [1, 2, 4, 5, 6, 7]
    assert [tag.decode() for tag in answers["tags"][0][:6]] == ["B-PER", "I-PER", "O", "O", "B-LOC", "O"]
    np.testing.assert_allclose(answers["marginals"][0][:6].sum(-1), 1, atol=1e-5)
    assert answers["attention"].shape[1:3] == (2, 1) and not answers["attention"][2].any()
    assert [name.decode() for name in answers["tag_names"][0]] == LABELS


def test_predict_marks_and_draws_entities(version, tmp_path, capsys):
    words = ["predict", "entities", "to New York,\nJosé", "", "--model", str(version.parent)]
    assert main([*words, "--attention", str(tmp_path / "entities.png")]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "to [New York](LOC), [José](PER)"
    assert (tmp_path / "entities.png").is_file()
    assert main([*words, "--attention", str(tmp_path / "heads.png"), "--heads"]) == 0
    capsys.readouterr()
    assert main([*words, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out.splitlines()[0])
    assert answer["entities"] == ["New York", "José"] and answer["code_point_ends"] == [11, 17]


@pytest.mark.parametrize(
    "labels, tags, expected",
    [
        (["O", "PER", "LOC"], {"peter": 1, "black": 1, "new": 2, "york": 2}, ["Peter Blackburn", "New York"]),
        (
            ["U-PER", "O"],
            {"peter": 0, "black": 0} | dict.fromkeys(["flew", "to", "new", "york"], 1),
            ["Peter", "Blackburn"],
        ),
        (["O", "B-PER", "L-PER", "U-LOC"], {"peter": 1, "black": 2, "new": 3}, ["Peter Blackburn", "New"]),
    ],
)
def test_labels_of_io_and_bilou_make_entities(labels, tags, expected, tmp_path):
    other = labels.index("O")
    folder = write_tagger(tmp_path, labels, {name: other for name in PIECES} | tags)
    answer = rows_of(load_ability(folder).respond(tf.constant(["Peter Blackburn flew to New York"])))[0]
    assert answer["entities"].tolist() == expected


def test_roberta_finds_entities_with_byte_pairs(tmp_path, session_run, c_api_run):
    names = ["<s>", "<pad>", "</s>", "<unk>", *LETTERS.values(), "ĠR", "ĠÃ", "<mask>"]
    table = table_of({name: 0 for name in names} | {"R": 1, "ĠR": 1, "ĠÃ": 2}, 3)
    head = lambda encoder: TokenClassifier(encoder, ["O", "B-LOC", "I-LOC"])  # noqa: E731
    folder = write_known(tmp_path / "folder", RobertaEncoder, head, names, table, max_length=30)
    write_byte_pairs(folder, names, ["Ġ R", "Ġ Ã"])
    assert main(["load", str(folder), "--directory", str(tmp_path)]) == 0
    texts = ["Rome é, Rom  ", b"\xff  Rome\xff", "   ", "a" * 40 + " Rome"]
    for run in (session_run, c_api_run):
        answers = run(tmp_path / "entities" / "1", "serving_default", {"text": texts})
        assert found_in(answers, 0) == [("Rome é".encode(), b"LOC", 0, 7, 0, 6), (b"Rom", b"LOC", 9, 12, 8, 11)]
        assert found_in(answers, 1) == [(b"Rome", b"LOC", 3, 7, 3, 7)]
        assert answers["counts"].tolist() == [2, 1, 0, 0] and answers["truncated"].tolist() == [False] * 3 + [True]
        assert answers["words_read"].tolist() == [4, 3, 0, 1]


def test_albert_reads_words_of_sentence_pieces(tmp_path):
    pieces = [("<pad>", 0.0), ("<unk>", 0.0), ("[CLS]", 0.0), ("[SEP]", 0.0), ("[MASK]", 0.0), ("▁", -1.0)]
    encoder = AlbertEncoder(
        len(pieces), num_layers=1, num_heads=2, hidden_dim=8, intermediate_dim=8, pooler=False, name="encoder"
    )
    model = TokenClassifier(encoder, LABELS)
    model({"tokens": np.ones((1, 2), "int32")})
    to_pretrained(model, tmp_path / "folder")
    (tmp_path / "folder" / "spiece.model").write_bytes(unigram_model(pieces, 1))
    answer = load_ability(tmp_path / "folder").attend(tf.constant(["In (Róme).", ""]))
    words = [word.decode() for word in answer["words"].numpy()[0]]
    assert words[0] == "In" and "".join(words) == "In(Róme)." and answer["words_read"].numpy()[1] == 0


@pytest.mark.backends
def test_entities_are_those_of_the_pipeline_of_transformers(tmp_path):
    transformers = pytest.importorskip("transformers", reason="the extra `backends` has transformers")
    pytest.importorskip("torch", reason="the extra `backends` has PyTorch")
    encoder = BertEncoder(len(PIECES), num_layers=2, num_heads=2, hidden_dim=16, intermediate_dim=12, name="encoder")
    model = TokenClassifier(encoder, LABELS)
    model({"tokens": np.ones((1, 2), "int32")})
    draw = np.random.default_rng(6)
    for weights in model.trainable_weights:
        if weights.path.endswith(("kernel", "embeddings")):  # biases would make all words alike
            weights.assign(draw.normal(0, 1.0, weights.shape))
    to_pretrained(model, tmp_path)
    write_word_pieces(tmp_path, PIECES)
    written = "Peter Blackburn flew to Brussels New York José . , ( ) 東 (Jose) new-york Black".split()
    texts = [" ".join(draw.choice(written, size=draw.integers(1, 15))) for _ in range(100)]
    ask = transformers.pipeline(
        "token-classification",
        model=transformers.BertForTokenClassification.from_pretrained(tmp_path),
        tokenizer=transformers.BertTokenizerFast.from_pretrained(tmp_path),
        aggregation_strategy="first",
    )
    ability = load_ability(tmp_path)
    assert isinstance(ability, Entities)
    answers = rows_of(ability.respond(tf.constant(texts)))
    found = [
        [
            (answer["labels"][n], int(answer["code_point_starts"][n]), int(answer["code_point_ends"][n]))
            for n in range(answer["counts"])
        ]
        for answer in answers
    ]
    expected = [[(one["entity_group"], one["start"], one["end"]) for one in ask(text)] for text in texts]
    assert found == expected and len({label for row in found for label, *_ in row}) == 2
