"""A MarianMT of the Hub translates: tiny folders, served by a session and through the C API."""

import json

import numpy as np
import pytest
import tensorflow as tf
from known_translator import write_tokenizer, write_translator

from attention_zoo.pipelines.__main__ import main
from attention_zoo.pipelines.hub import from_pretrained
from attention_zoo.pipelines.hub.loading import load_ability
from attention_zoo.pipelines.hub.tokenizers import text_reader_of
from attention_zoo.pipelines.models import MarianTranslator

TEXTS = ["The cat sat on the mat.", "", ">>fra<< the house", b"a \xff dog", "a cat " * 30]
STRINGS = [
    "the cat sat on the mat",
    "",
    "   ",
    ">>fra<< the cat",
    ">>fra<<the cat",
    ">>xyz<< a dog >>deu<< cat",
    ">>deu<<",
    ">> not a code << the",
    ">>never closed the cat",
    "a >>fra<< dog",
    " >>fra<< a dog",
    ">>deu\n<< a dog",
    "日本 the 日",
    "dogs <s> cat</s> <unk> <pad>the",
    "a</s>>>fra<< dog",
    "é e\u0301 ﬁ ① 😀 \x00\t\n\u200b\u00a0\u3000x",
    "`` '' “quotes” — dash…",
    "▁the ▁",
    "the cat " * 30,
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_translator(tmp_path_factory.mktemp("hub") / "folder")


def test_sentences_are_translated_alone_as_in_a_batch(folder, tmp_path, session_run, c_api_run, capsys):
    assert main(["load", str(folder), "--task", "translate", "--directory", str(tmp_path)]) == 0
    export = tmp_path / "translate" / "1"
    answers = [run(export, "serving_default", {"text": TEXTS}) for run in (session_run, c_api_run)]
    assert answers[0]["translation"].tolist() == answers[1]["translation"].tolist()
    assert len(set(answers[0]["translation"])) > 2 and answers[0]["translation"][1] == b""
    assert answers[0]["truncated"].tolist() == [False] * 4 + [True] and set(answers[0]["error"]) == {b""}
    attention = session_run(export, "attention", {"text": TEXTS})
    assert attention["translation"].tolist() == answers[0]["translation"].tolist()
    assert attention["head_weights"].shape[1:3] == (1, 4) and attention["target_lengths"][1] == 0
    source, target = attention["source_lengths"][2], attention["target_lengths"][2]
    assert attention["source_tokens"][2, [0, source - 1]].tolist() == [b">>fra<<", b"</s>"]
    assert attention["target_tokens"][2, target - 1] == b"</s>"
    np.testing.assert_allclose(attention["weights"][2, :target, :source].sum(axis=1), 1, atol=1e-5)
    alone = session_run(export, "serving_default", {"text": TEXTS[2:3]})
    assert alone["translation"][0] == answers[0]["translation"][2]
    np.testing.assert_allclose(alone["score"][0], answers[0]["score"][2], atol=1e-4)
    assert len(session_run(export, "attention", {"text": np.array([], object)})["translation"]) == 0
    capsys.readouterr()
    words = ["predict", "translate", "the cat", "--model", str(tmp_path / "translate"), "--heads"]
    assert main([*words, "--attention", str(tmp_path / "attention.png")]) == 0
    assert capsys.readouterr().out.strip() and (tmp_path / "attention.png").is_file()


def test_a_greedy_translation_takes_the_likeliest_tokens(tmp_path):
    folder = write_translator(tmp_path, num_beams=1)
    model, ability = from_pretrained(folder), load_ability(folder)
    pad = model.options["pad_token"]
    source, tokens = model.tokenizer(tf.constant(["three cats"]))["tokens"], [pad]
    while len(tokens) < 11 and tokens[-1] != 0:
        logits = model({"source": source, "target": np.array([tokens])})[0, -1].numpy()
        logits[pad] = -np.inf
        tokens.append(int(np.argmax(logits)))
    expected = ability.reader.tokenizer.detokenize(tf.constant([tokens[1:]])).numpy()[0]
    assert ability.respond(tf.constant(["three cats"]))["translation"].numpy()[0] == expected


@pytest.mark.parametrize(
    "settings, missing, message",
    [
        ({"do_sample": True}, "", "generation_config.json: expected do_sample False, received True"),
        ({"bad_words_ids": [[1, 2]]}, "", r"expected bad_words_ids of one token each, received [[1, 2]]"),
        ({"early_stopping": "soon"}, "", "expected early_stopping False, True, never; received soon"),
        ({"length_penalty": -1.0}, "", "length_penalty: expected at least 0, received -1.0"),
        ({"forced_eos_token_id": 3}, "", "expected forced_eos_token_id 0, received 3"),
        ({}, "source.spm", "expected a folder with source.spm, received one without"),
        ({}, "vocab.json", "expected a folder with vocab.json, received one without"),
        ({}, "model.safetensors", "expected model.safetensors, received pytorch_model.bin, a pickle"),
    ],
)
def test_a_folder_that_cannot_be_read_is_refused(settings, missing, message, folder, tmp_path, capsys):
    for path in folder.iterdir():
        if path.name != missing:
            (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    known = json.loads((folder / "generation_config.json").read_text())
    (tmp_path / "generation_config.json").write_text(json.dumps(known | settings))
    assert main(["load", str(tmp_path), "--directory", str(tmp_path / "saved")]) == 2
    assert message in capsys.readouterr().err and not (tmp_path / "saved").exists()


def test_weights_and_pieces_of_other_sizes_are_refused(folder, tmp_path, capsys):
    from safetensors.numpy import load_file, save_file

    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    vocabulary = json.loads((folder / "vocab.json").read_text())
    (tmp_path / "vocab.json").write_text(json.dumps(vocabulary | {"more": len(vocabulary)}))
    assert main(["load", str(tmp_path), "--directory", str(tmp_path / "saved")]) == 2
    size = len(vocabulary)
    assert (
        f"vocab.json: expected {size} pieces, vocab_size of config.json; received {size + 1}" in capsys.readouterr().err
    )
    tensors = load_file(folder / "model.safetensors")
    save_file(tensors | {"model.more.weight": np.zeros(3)}, tmp_path / "model.safetensors")
    from_pretrained(tmp_path)
    assert f"{tmp_path}: not used: more.weight" in capsys.readouterr().out
    tensors["final_logits_bias"] = tensors["final_logits_bias"][:, 1:]
    save_file(tensors, tmp_path / "model.safetensors")
    assert main(["load", str(tmp_path), "--directory", str(tmp_path / "saved")]) == 2
    message = f"weights: expected final_logits_bias of shape (1, {size}), received (1, {size - 1})"
    assert message in capsys.readouterr().err


@pytest.mark.backends
def test_token_ids_and_texts_are_those_of_transformers(tmp_path):
    transformers = pytest.importorskip("transformers", reason="the extra `backends` has transformers")
    vocabulary = write_tokenizer(tmp_path)
    theirs = transformers.MarianTokenizer.from_pretrained(tmp_path, model_max_length=24)
    reader = text_reader_of(tmp_path, "marian", MarianTranslator(len(vocabulary), max_length=24))
    inputs = reader(tf.constant(STRINGS))
    for row, text in enumerate(STRINGS):
        expected = theirs(text, truncation=True)["input_ids"]
        count = int(tf.reduce_sum(tf.cast(inputs["mask"][row], tf.int32)))
        assert inputs["tokens"][row, :count].numpy().tolist() == expected, text
    assert set(inputs["tokens"].numpy()[~inputs["mask"].numpy()].tolist()) == {vocabulary["<pad>"]}
    ids = np.random.default_rng(0).integers(0, len(vocabulary), (50, 9))
    texts = [text.decode() for text in reader.tokenizer.detokenize(tf.constant(ids)).numpy()]
    assert texts == theirs.batch_decode(ids, skip_special_tokens=True)


@pytest.mark.backends
@pytest.mark.parametrize(
    "settings",
    [
        {"num_beams": 1},
        {},
        {"renormalize_logits": None, "num_beams": 4, "length_penalty": 0.6, "early_stopping": True},
        {"forced_eos_token_id": None, "early_stopping": "never", "length_penalty": 2.0},
        {"bad_words_ids": None, "max_length": None},
        None,
    ],
    ids=["greedy", "beam", "early", "cut", "default", "config.json"],
)
def test_translations_are_those_of_transformers_token_for_token(settings, tmp_path):
    transformers = pytest.importorskip("transformers", reason="the extra `backends` has transformers")
    torch = pytest.importorskip("torch", reason="the extra `backends` has PyTorch")
    for seed in (1, 2):
        options = {"seed": seed, "end_bias": 4.0 * (seed - 1)}
        folder = write_translator(tmp_path / str(seed), **options, **settings or {"max_length": 8})
        if settings is None:  # as folders had it before there was a generation_config.json
            path = folder / "config.json"
            kept = json.loads((folder / "generation_config.json").read_text())
            (folder / "generation_config.json").unlink()
            path.write_text(json.dumps(json.loads(path.read_text()) | kept))
        ability = load_ability(folder)
        theirs = transformers.MarianMTModel.from_pretrained(folder, attn_implementation="eager")
        texts = tf.constant(["the cat", "a dog and a house", "three", "green green cats sleep on the red mat"])
        read = ability.reader(texts)
        tensors = {"input_ids": read["tokens"].numpy(), "attention_mask": read["mask"].numpy()}
        expected = theirs.generate(**{name: torch.tensor(value).long() for name, value in tensors.items()})
        _, _, found, _ = ability.search(texts)
        for row, tokens in enumerate(expected.numpy()[:, 1:].tolist()):
            written = found["tokens"][row, 0, : found["lengths"][row, 0]].numpy().tolist()
            limit = len(tokens) if 0 not in tokens else tokens.index(0)
            assert written == tokens[:limit], (seed, row)
