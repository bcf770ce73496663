"""Answers of a folder's `AnswerFinder`: parts of the text, served by a session and through the C API."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from known_encoders import write_byte_pairs, write_known, write_word_pieces

from attention_zoo.pipelines.__main__ import main
from attention_zoo.pipelines.engine.serving.asking import rows_of
from attention_zoo.pipelines.engine.serving.versions import load_saved_model
from attention_zoo.pipelines.engine.text.byte_pairs import LETTERS
from attention_zoo.pipelines.hub import from_pretrained, to_pretrained
from attention_zoo.pipelines.hub.loading import load_ability
from attention_zoo.pipelines.models import AnswerFinder, BertEncoder, RobertaEncoder

WORDS = "where did peter fly to ? new york ##er jose a b .".split()
PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
# begins, ends an answer; "new" begins it more than "york" ends it, so that no two answers are equally good
TABLE = {"new": [2.2, 0.0], "york": [0.0, 2.0], "jose": [1.0, 1.0], "b": [0.0, 0.5]}
ROOM = 24
QUESTION = "Where did Peter fly to?"
CONTEXTS = {
    "Peter a, to (New\u00a0York) .": "New\u00a0York",
    "a New a Yorker": "New a Yorker",
    "York a New a": "New",  # an end before the beginning is none
    "👍🏿 \x00 a JOSE\u0301!": "JOSE\u0301",
    b"\xff\xfea Jos\xc3\xa9\xff New\xff Y\x00ork": b"New\xff Y\x00ork",
    "a " * 30 + "New York " + "a " * 30: "New York",  # in the third of its windows
    "New a " + "a " * 80 + "York": "New",  # no window has both
    "b " * 200 + "New York": "b",  # of a text that is too long, the windows of the beginning
    "": "",
    "\u200b\x00": "",
}


def to_bytes(text):
    return text if isinstance(text, bytes) else text.encode()


def write_finder(folder):
    write_known(folder, BertEncoder, AnswerFinder, PIECES, TABLE, ROOM)
    return write_word_pieces(folder, PIECES)


@pytest.fixture(scope="module")
def version(tmp_path_factory):
    """The export of a model that knows which words begin and end an answer."""
    root = tmp_path_factory.mktemp("answer")
    folder = write_finder(root / "folder")
    assert main(["load", str(folder), "--directory", str(root / "saved_models")]) == 0
    return root / "saved_models" / "answer" / "1"


def test_answers_are_parts_of_the_text_as_it_was(version, session_run, c_api_run):
    texts = [to_bytes(text) for text in CONTEXTS]
    for run in (session_run, c_api_run):
        answers = run(version, "serving_default", {"question": [QUESTION] * len(texts), "context": texts})
        assert answers["answer"].tolist() == [to_bytes(answer) for answer in CONTEXTS.values()]
        for row, text in enumerate(texts):
            found = answers["answer"][row]
            assert text[answers["start"][row] : answers["end"][row]] == found
            points = slice(answers["code_point_start"][row], answers["code_point_end"][row])
            assert text.decode("utf-8", "replace")[points] == found.decode("utf-8", "replace")
        assert answers["truncated"].tolist() == [False] * 7 + [True] + [False] * 2
        assert answers["error"].tolist() == [b""] * len(texts)
        assert (answers["confidence"][[0, 1, 3, 4, 5]] > 0.9).all() and answers["confidence"][2] < 0.01
        assert not answers["confidence"][8:].any()


def test_the_confidence_is_the_product_of_two_probabilities(tmp_path):
    folder = write_finder(tmp_path)
    model, text = from_pretrained(folder), "a b New York jose ."
    logits = np.array(model(model.tokenizer([QUESTION], [text]))["logits"])[0][8:-1]  # after [CLS] 6 words [SEP]
    shares = np.exp(logits) / np.exp(logits).sum(0)
    answer = rows_of(load_ability(folder).respond(tf.constant([QUESTION]), tf.constant([text])))[0]
    assert answer["answer"] == "New York" and len(logits) == 6
    assert answer["confidence"] == pytest.approx(shares[2, 0] * shares[3, 1], rel=1e-4)


def test_a_question_or_a_text_that_says_nothing_gets_nothing(version, session_run):
    inputs = {"question": ["", QUESTION, "\u200b"], "context": ["New York", "\x00", ""]}
    answers = session_run(version, "attention", inputs)
    assert answers["answer"].tolist() == [b""] * 3 == answers["error"].tolist()
    assert not answers["attention"].any() and not answers["end"].any()


def test_a_batch_answers_as_its_rows_do(version, session_run):
    contexts = list(CONTEXTS)
    questions = [QUESTION, "a", "b " * 40, b"\xff?", "", QUESTION, "a", "b " * 40, "a", "b"]
    served = load_saved_model(version)
    asked = served.signatures["attention"]
    together = session_run(version, "attention", {"question": questions, "context": contexts})
    for row, (question, context) in enumerate(zip(questions, contexts)):
        alone = asked(question=tf.constant([question]), context=tf.constant([context]))
        for output, values in ((output, value.numpy()) for output, value in alone.items()):
            other = together[output][row : row + 1][tuple(slice(size) for size in values.shape)]
            if values.dtype.kind == "f":
                np.testing.assert_allclose(values, other, atol=1e-5, err_msg=f"{output} of row {row}")
            else:
                assert np.array_equal(values, other), f"{output} of row {row}"
    assert together["attention"].shape[1:3] == (2, 1)
    tokens = [token.decode() for token in together["tokens"][0][: together["token_counts"][0]]]
    assert tokens[:8] == "[CLS] where did peter fly to ? [SEP]".split() and tokens[-1] == "[SEP]"


def test_an_answer_has_at_most_thirty_tokens(tmp_path):
    folder = write_known(tmp_path, BertEncoder, AnswerFinder, PIECES, TABLE, max_length=60)
    ability = load_ability(write_word_pieces(folder, PIECES))
    texts = ["New " + "a " * between + "York b" for between in (28, 29)]
    answers = rows_of(ability.respond(tf.constant(["a", "a"]), tf.constant(texts)))
    assert answers[0]["answer"] == texts[0].removesuffix(" b") and answers[0]["confidence"] > 0.5
    assert len(answers[1]["answer"].split()) <= 30 and answers[1]["confidence"] < 0.5


def test_predict_takes_pairs_with_a_tab_between_them(version, tmp_path, capsys):
    words = ["predict", "answer", f"{QUESTION}\tPeter, New  York", "--model", str(version.parent)]
    assert main([*words, "--attention", str(tmp_path / "attention.png")]) == 0
    answer, confidence = capsys.readouterr().out.split("\n")[0].rsplit(" ", 1)
    assert answer == "New York" and 0 < float(confidence) <= 1
    assert (tmp_path / "attention.png").is_file()
    assert main([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["answer"], found["start"], found["code_point_end"]) == ("New  York", 7, 16)
    assert main(["predict", "answer", "New York", "--model", str(version.parent)]) == 1
    assert "expected two texts with a tab between them, received one" in capsys.readouterr().err


def test_the_attention_is_that_of_the_window_with_the_answer(version, session_run):
    inputs = {"question": [QUESTION], "context": ["a " * 30 + "New York " + "a " * 30]}
    answer = session_run(version, "attention", inputs)
    tokens = answer["tokens"][0][: answer["token_counts"][0]].tolist()
    assert tokens[:8] == "[CLS] where did peter fly to ? [SEP]".encode().split() and b"new" in tokens
    np.testing.assert_allclose(answer["attention"].sum(-1)[..., : len(tokens)], 1, atol=1e-5)


def test_the_next_command_asks_through_a_pipe(version):
    command = load_ability(write_finder(version.parent.parent / "again")).next_command()
    assert command.startswith("printf '%s\\t%s\\n' 'Where did Peter fly to?' 'Peter Blackburn flew to Brussels.' | ")


def test_roberta_answers_with_byte_pairs(tmp_path, session_run, c_api_run):
    names = ["<s>", "<pad>", "</s>", "<unk>", *LETTERS.values(), "ĠN", "<mask>"]
    table = {"N": [2.0, 0.0], "ĠN": [2.0, 0.0], "k": [0.0, 2.0]}
    write_known(tmp_path / "folder", RobertaEncoder, AnswerFinder, names, table, max_length=40)
    write_byte_pairs(tmp_path / "folder", names, ["Ġ N"])
    assert main(["load", str(tmp_path / "folder"), "--directory", str(tmp_path)]) == 0
    inputs = {"question": ["who?", "k N", "N"], "context": ["é New York.", b"\xffNork\xff", "   "]}
    for run in (session_run, c_api_run):
        answers = run(tmp_path / "answer" / "1", "serving_default", inputs)
        assert answers["answer"].tolist() == [b"New York", b"Nork", b""]
        assert answers["start"].tolist() == [3, 1, 0] and answers["code_point_start"].tolist() == [2, 1, 0]


@pytest.mark.backends
def test_answers_are_those_of_the_logits_of_transformers(tmp_path):
    transformers = pytest.importorskip("transformers", reason="the extra `backends` has transformers")
    torch = pytest.importorskip("torch", reason="the extra `backends` has PyTorch")
    keras.utils.set_random_seed(5)
    sizes = {"num_layers": 2, "num_heads": 2, "hidden_dim": 8, "intermediate_dim": 12}
    model = AnswerFinder(BertEncoder(len(PIECES), **sizes, name="encoder"))
    model({"tokens": np.ones((1, 2), "int32")})
    draw = np.random.default_rng(3)
    for weights in model.trainable_weights:
        weights.assign_add(draw.normal(0, 0.7, weights.shape))
    to_pretrained(model, tmp_path)
    write_word_pieces(tmp_path, PIECES)
    theirs = transformers.BertForQuestionAnswering.from_pretrained(tmp_path)
    tokenizer = transformers.BertTokenizerFast.from_pretrained(tmp_path)
    written = "New York Yorker jose a b . 東 Peter, fly?".split()
    texts = [" ".join(draw.choice(written, size=draw.integers(1, 40))) for _ in range(50)]
    answers = rows_of(load_ability(tmp_path).respond(tf.fill([50], QUESTION), tf.constant(texts)))
    for text, answer in zip(texts, answers):
        inputs = tokenizer(QUESTION, text, return_tensors="pt", return_offsets_mapping=True)
        offsets = inputs.pop("offset_mapping")[0]
        with torch.no_grad():
            found = theirs(**inputs)
        of_text = [place for place, kind in enumerate(inputs.sequence_ids(0)) if kind == 1]
        begins, ends = (torch.softmax(row[0][of_text], 0).numpy() for row in (found.start_logits, found.end_logits))
        joint = np.tril(np.triu(begins[:, None] * ends[None, :]), 29)
        first, last = (of_text[place] for place in np.unravel_index(joint.argmax(), joint.shape))
        first, last = (inputs.token_to_word(place) for place in (first, last))
        expected = text[inputs.word_to_chars(0, first, 1).start : inputs.word_to_chars(0, last, 1).end]
        assert answer["answer"] == expected and answer["confidence"] == pytest.approx(float(joint.max()), rel=1e-3)
        assert len(offsets)
