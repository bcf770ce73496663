"""`attention-zoo load` and what it exports: tiny folders, served by a session and through the C API."""

import json

import keras
import numpy as np
import pytest

from attention_zoo.pipelines.__main__ import main
from attention_zoo.pipelines.engine.text.byte_pairs import LETTERS
from attention_zoo.pipelines.engine.text.sentence_pieces import unigram_model
from attention_zoo.pipelines.hub import from_pretrained, to_pretrained
from attention_zoo.pipelines.hub.loading import load_ability
from attention_zoo.pipelines.models import (
    AlbertEncoder,
    BertEncoder,
    MaskedLanguageModel,
    RobertaEncoder,
    SequenceClassifier,
    TokenClassifier,
    XLNetEncoder,
)

PIECES = "[PAD] [UNK] [CLS] [SEP] [MASK] a cat dog sat ##s . é 日".split()
LABELS = ["bad", "fair", "good"]
HEADS = {
    "embed": lambda encoder: encoder,
    "fill_mask": MaskedLanguageModel,
    "classify": lambda encoder: SequenceClassifier(encoder, LABELS),
    "tag": lambda encoder: TokenClassifier(encoder, LABELS),
}
TEXTS = ["A cat sat.", "dogs [MASK] a [MASK] cat", "", "\u200b\x00", "日 é \ufffd unknown"]
ODD = [b"\xff\xfea", b"a\r\nb", "x" * 10_000, "a " * 3000, "שלום a \u202e", "!!!"]


def write_folder(folder, head="embed", **settings):
    """Writes a tiny BERT with random weights, as transformers would."""
    keras.utils.set_random_seed(2)
    sizes = {"num_layers": 2, "num_heads": 2, "hidden_dim": 8, "intermediate_dim": 12, "max_length": 12}
    encoder = BertEncoder(len(PIECES), **sizes, name="encoder")
    model = HEADS[head](encoder)
    model({"tokens": np.ones((1, 2), "int32")})
    for weights in model.trainable_weights:
        weights.assign_add(np.random.default_rng(1).normal(0, 0.3, weights.shape))
    to_pretrained(model, folder)
    (folder / "vocab.txt").write_text("\n".join(PIECES) + "\n", encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": True} | settings))
    return folder


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Returns a function of an ability: (folder, version), loaded and exported once."""
    made = {}

    def export(name):
        if name not in made:
            root = tmp_path_factory.mktemp(name)
            folder = write_folder(root / "folder", name)
            assert main(["load", str(folder), "--directory", str(root / "saved_models")]) == 0
            made[name] = folder, root / "saved_models" / name / "1"
        return made[name]

    return export


def pooled(folder, texts):
    """Sentence vectors by hand: the mean of the states of the tokens, normalised."""
    model = from_pretrained(folder)
    vectors = []
    for text in texts:
        inputs = model.tokenizer([text])
        states = np.array(model(inputs)["states"])[0].mean(0)
        vectors.append(states / np.linalg.norm(states))
    return np.array(vectors)


def test_sentence_vectors_are_the_mean_of_the_states(exported, session_run, c_api_run):
    folder, version = exported("embed")
    expected = pooled(folder, [TEXTS[0], TEXTS[1], TEXTS[4]])
    for run in (session_run, c_api_run):
        answers = run(version, "serving_default", {"text": TEXTS})
        np.testing.assert_allclose(answers["embedding"][[0, 1, 4]], expected, atol=1e-5)
        assert not answers["embedding"][[2, 3]].any()
        assert [error.decode() for error in answers["error"]] == [""] * 5


def test_hidden_tokens_get_the_most_probable_ones(exported, session_run, c_api_run):
    folder, version = exported("fill_mask")
    model = from_pretrained(folder)
    inputs = model.tokenizer([TEXTS[1]])
    logits = np.array(model(inputs)["logits"])[0][np.array(inputs["tokens"])[0] == PIECES.index("[MASK]")]
    best = [[PIECES[token] for token in np.argsort(-row)[:5]] for row in logits]
    for run in (session_run, c_api_run):
        answers = run(version, "serving_default", {"text": TEXTS})
        assert [[token.decode() for token in row] for row in answers["fillers"][1]] == best
        assert answers["counts"].tolist() == [0, 2, 0, 0, 0]
        assert answers["error"][0] == b"expected a text with [MASK], received none"
        assert answers["error"][2] == answers["error"][3] == b""
    shares = np.exp(logits - logits.max(1, keepdims=True))
    shares = -np.sort(-shares / shares.sum(1, keepdims=True))[:, :5]
    np.testing.assert_allclose(answers["probabilities"][1], shares, atol=1e-5)


def test_roberta_reads_byte_pairs_in_the_export(tmp_path, session_run, c_api_run, capsys):
    names = ["<s>", "<pad>", "</s>", "<unk>", *LETTERS.values(), "<mask>"]
    encoder = RobertaEncoder(len(names), num_layers=1, num_heads=2, hidden_dim=8, intermediate_dim=8, name="encoder")
    model = MaskedLanguageModel(encoder)
    model({"tokens": np.ones((1, 2), "int32")})
    to_pretrained(model, tmp_path / "folder")
    (tmp_path / "folder" / "vocab.json").write_text(json.dumps({name: number for number, name in enumerate(names)}))
    (tmp_path / "folder" / "merges.txt").write_text("#version: 0.2\n")
    assert main(["load", str(tmp_path / "folder"), "--directory", str(tmp_path)]) == 0
    texts = ["é <mask>", b"\xff<mask> a<mask>", "日"]
    for run in (session_run, c_api_run):
        answers = run(tmp_path / "fill_mask" / "1", "serving_default", {"text": texts})
        assert answers["counts"].tolist() == [1, 2, 0]
        assert answers["error"][2] == b"expected a text with <mask>, received none"
    reader = from_pretrained(tmp_path / "folder").tokenizer
    inputs = reader(texts[:2])
    logits = np.array(model(inputs)["logits"])[np.array(inputs["tokens"]) == len(names) - 1]
    best = np.argsort(-logits, axis=-1)[:, 0]
    found = [answers["fillers"][row, number, 0] for row, number in ((0, 0), (1, 0), (1, 1))]
    assert found == reader.pieces(best).numpy().tolist()
    words = ["predict", "fill_mask", "日 <mask>", "--model", str(tmp_path / "fill_mask")]
    assert (
        main([*words, "--attention", str(tmp_path / "attention.png")]) == 0
    )  # "日" is three tokens, none of them text
    assert (tmp_path / "attention.png").is_file()


def test_xlnet_and_albert_read_sentence_pieces_in_the_export(tmp_path, session_run, c_api_run):
    sizes = {"num_layers": 1, "num_heads": 2, "hidden_dim": 8, "intermediate_dim": 8}
    specials = {
        "xlnet": ["<unk>", "<cls>", "<sep>", "<pad>", "<mask>"],
        "albert": ["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"],
    }
    for name, build in (("xlnet", XLNetEncoder), ("albert", AlbertEncoder)):
        pieces = [(piece, 0.0) for piece in specials[name]] + [("▁a", -1.0), ("▁cat", -2.0), ("▁", -3.0)]
        model = build(len(pieces), **sizes, name="encoder")
        model({"tokens": np.ones((1, 2), "int32")})
        folder = tmp_path / name
        to_pretrained(model, folder)
        (folder / "spiece.model").write_bytes(unigram_model(pieces, specials[name].index("<unk>")))
        assert main(["load", str(folder), "--task", "embed", "--directory", str(tmp_path / "saved")]) == 0
        version = tmp_path / "saved" / "embed" / ("1" if name == "xlnet" else "2")
        expected = pooled(folder, ["a cat", "cat"])
        for run in (session_run, c_api_run):
            answers = run(version, "serving_default", {"text": ["a cat", b"\x00", "cat"]})
            np.testing.assert_allclose(answers["embedding"][[0, 2]], expected, atol=1e-5)
        weights = session_run(version, "attention", {"text": ["a cat", "cat"]})["attention"]
        np.testing.assert_allclose(weights[0, 0].sum(-1), 1, atol=1e-5)


def test_texts_get_the_labels_of_the_folder(exported, session_run, c_api_run):
    folder, version = exported("classify")
    model = from_pretrained(folder)
    logits = np.array(model(model.tokenizer([TEXTS[0]]))["logits"])[0]
    shares = np.exp(logits - logits.max())
    shares /= shares.sum()
    for run in (session_run, c_api_run):
        answers = run(version, "serving_default", {"text": TEXTS})
        assert answers["label"][0].decode() == LABELS[int(shares.argmax())]
        assert [name.decode() for name in answers["labels"][0]] == [LABELS[n] for n in np.argsort(-shares)]
        np.testing.assert_allclose(answers["confidences"][0], np.sort(shares)[::-1], atol=1e-5)
        assert answers["label"][2] == b"" and not answers["confidences"][2].any()


@pytest.mark.parametrize("name", ["embed", "fill_mask", "classify"])
def test_a_batch_answers_as_its_rows_do(name, exported, session_run):
    _, version = exported(name)
    texts = [*TEXTS, *ODD]
    together = session_run(version, "attention", {"text": texts})
    for row, text in enumerate(texts):
        alone = session_run(version, "attention", {"text": [text]})
        for output, values in alone.items():
            other = together[output][row : row + 1][tuple(slice(size) for size in values.shape)]
            if values.dtype.kind == "f":
                np.testing.assert_allclose(values, other, atol=1e-5, err_msg=f"{output} of {text[:20]!r}")
            else:
                assert np.array_equal(values, other), f"{output} of {text[:20]!r}"


def test_attention_has_every_layer_and_head(exported, session_run):
    _, version = exported("embed")
    answers = session_run(version, "attention", {"text": TEXTS[:3]})
    count = answers["token_counts"].tolist()
    assert count[0] == len("[CLS] a cat sat . [SEP]".split()) and count[2] == 0
    assert [token.decode() for token in answers["tokens"][0][: count[0]]] == "[CLS] a cat sat . [SEP]".split()
    weights = answers["attention"][0]  # (L, H, T, T)
    assert weights.shape[:2] == (2, 2)
    np.testing.assert_allclose(weights[:, :, : count[0], : count[0]].sum(-1), 1, atol=1e-5)
    assert not answers["attention"][2].any()


def test_long_texts_are_cut_and_say_so(exported, session_run):
    _, version = exported("embed")
    answers = session_run(version, "serving_default", {"text": ["a " * 10, "a " * 11]})
    assert answers["truncated"].tolist() == [False, True]


def test_predict_compares_texts_with_the_first(exported, capsys, tmp_path):
    _, version = exported("embed")
    picture = tmp_path / "attention.png"
    words = ["predict", "embed", "a cat", "a dog", "--model", str(version.parent), "--attention", str(picture)]
    assert main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "1.000\ta cat" and lines[1].endswith("\ta dog")
    assert picture.is_file() and (tmp_path / "attention-2.png").is_file()
    assert main([*words, "--heads"]) == 0


@pytest.mark.parametrize("name", ["embed", "fill_mask", "classify"])
def test_predict_answers_with_what_was_loaded(name, exported, capsys):
    _, version = exported(name)
    assert main(["predict", name, "a [MASK] .", "--model", str(version.parent)]) == 0
    answer = capsys.readouterr().out
    assert {"embed": "numbers; --json has all", "fill_mask": " 0.", "classify": " 0."}[name] in answer
    assert main(["predict", name, "a [MASK] .", "--json", "--model", str(version.parent)]) == 0
    assert json.loads(capsys.readouterr().out)["input"] == "a [MASK] ."


def test_the_next_command_that_is_printed_works(exported, capsys, tmp_path):
    folder, _ = exported("fill_mask")
    assert main(["load", str(folder), "--task", "embed", "--directory", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert f"SavedModel: {tmp_path}/embed/1" in lines
    import shlex

    command = shlex.split(next(line for line in lines if line.startswith("next: ")).removeprefix("next: "))
    assert main(command[1:]) == 0
    assert capsys.readouterr().out.startswith("1.000\t")


@pytest.mark.parametrize("name", ["encoder", None, "words"])
def test_a_model_is_written_whatever_its_encoder_is_called(name, tmp_path):
    sizes = {"num_layers": 1, "num_heads": 2, "hidden_dim": 8, "intermediate_dim": 12, "max_length": 12}
    model, tokens = MaskedLanguageModel(BertEncoder(20, **sizes, name=name)), {"tokens": np.array([[5, 6, 7]])}
    expected = model(tokens)["logits"]
    to_pretrained(model, tmp_path)
    np.testing.assert_allclose(from_pretrained(tmp_path)(tokens)["logits"], expected, atol=1e-5)


@pytest.mark.parametrize("precision", ["bfloat16", "int8"])
def test_an_export_in_low_precision_answers_almost_alike(precision, exported, session_run, tmp_path):
    folder, version = exported("embed")
    assert main(["load", str(folder), "--precision", precision, "--directory", str(tmp_path)]) == 0
    exact, lower = (
        session_run(each, "serving_default", {"text": TEXTS})["embedding"] for each in (version, tmp_path / "embed/1")
    )
    assert 1e-5 < np.abs(lower - exact).max() < 0.05


@pytest.mark.parametrize(
    "head, words, message",
    [
        ("embed", ["--task", "fill_mask"], "--task: expected embed, received fill_mask"),
        ("tag", ["--task", "classify"], "--task: expected entities or embed, received classify"),
        ("embed", ["--task", "sing"], "invalid choice: 'sing'"),
    ],
)
def test_what_a_model_cannot_do_is_refused(head, words, message, tmp_path, capsys):
    folder = write_folder(tmp_path / "folder", head)
    assert main(["load", str(folder), *words, "--directory", str(tmp_path / "saved")]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "saved").exists()


def test_a_folder_without_a_tokeniser_is_refused(tmp_path, capsys):
    folder = write_folder(tmp_path / "folder")
    (folder / "vocab.txt").unlink()
    assert main(["load", str(folder), "--directory", str(tmp_path / "saved")]) == 2
    assert "expected a tokeniser, one of tokenizer.json, vocab.txt, vocab.json, " in capsys.readouterr().err


def test_a_vocabulary_without_the_special_tokens_is_refused(tmp_path, capsys):
    folder = write_folder(tmp_path / "folder", cls_token="<s>")
    assert main(["load", str(folder), "--directory", str(tmp_path / "saved")]) == 2
    assert "expected a vocabulary with '<s>', received one without" in capsys.readouterr().err


@pytest.mark.parametrize(
    "modes, types, message",
    [
        ({"pooling_mode_mean_sqrt_len_tokens": True}, ["Transformer", "Pooling"], "pooling_mode_mean_sqrt_len_tokens"),
        ({"pooling_mode_mean_tokens": True}, ["Transformer", "Pooling", "Dense"], "received Dense"),
    ],
)
def test_steps_of_sentence_transformers_that_are_not_known_are_refused(modes, types, message, tmp_path, capsys):
    folder = write_folder(tmp_path / "folder")
    write_modules(folder, modes, types)
    assert main(["load", str(folder), "--directory", str(tmp_path / "saved")]) == 2
    assert message in capsys.readouterr().err


def write_modules(folder, modes, types):
    """Writes what sentence-transformers adds to a folder."""
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"word_embedding_dimension": 8, **modes}))
    paths = {"Transformer": "", "Pooling": "1_Pooling"}
    steps = [{"type": f"sentence_transformers.models.{kind}", "path": paths.get(kind, kind)} for kind in types]
    (folder / "modules.json").write_text(json.dumps(steps))


def test_the_pooling_of_the_folder_is_used(tmp_path):
    folder = write_folder(tmp_path / "folder")
    write_modules(folder, {"pooling_mode_cls_token": True}, ["Transformer", "Pooling"])
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 5}))
    ability = load_ability(folder)
    assert (ability.model.pooling, ability.model.normalize, ability.reader.max_tokens) == ("first", False, 5)
