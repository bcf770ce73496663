"""A GPT-2 of the Hub continues prompts: tiny folders, served by a session and through the C API."""

import json

import keras
import numpy as np
import pytest

from attention_zoo.pipelines.__main__ import main
from attention_zoo.pipelines.engine.text.byte_pairs import LETTERS
from attention_zoo.pipelines.hub import from_pretrained, to_pretrained
from attention_zoo.pipelines.hub.loading import load_ability
from attention_zoo.pipelines.models import GPT2Decoder


def write_decoder(folder, **settings):
    """Writes a tiny GPT-2 with random weights, whose tokens are bytes."""
    keras.utils.set_random_seed(3)
    names = [*LETTERS.values(), "<|endoftext|>"]
    sizes = {"num_layers": 2, "num_heads": 2, "hidden_dim": 8, "intermediate_dim": 12, "max_length": 32}
    model = GPT2Decoder(len(names), **sizes)
    model({"tokens": np.ones((1, 2), "int32")})
    for weights in model.trainable_weights:
        weights.assign_add(np.random.default_rng(1).normal(0, 0.5, weights.shape))
    to_pretrained(model, folder)
    (folder / "vocab.json").write_text(json.dumps({name: number for number, name in enumerate(names)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    (folder / "generation_config.json").write_text(json.dumps({"max_new_tokens": 7} | settings))
    return folder


def test_prompts_are_continued_with_the_likeliest_tokens(tmp_path, session_run, c_api_run, capsys):
    folder = write_decoder(tmp_path / "folder")
    assert main(["load", str(folder), "--directory", str(tmp_path)]) == 0
    model = from_pretrained(folder)
    texts = ["A cat", "", b"\xffdog ", "x" * 100]
    expected = []
    for prompt in (list(b"A cat"), list(b"\xffdog "), list(b"x" * 25)):  # 25 tokens leave room for 7
        tokens = [model.tokenizer.tokenizer.id_of(LETTERS[byte]) for byte in prompt]
        for _ in range(7):
            logits = model({"tokens": np.array([tokens])})["logits"]
            tokens.append(int(np.argmax(logits[0, -1])))
            if tokens[-1] == 256:
                break
        written = np.array([tokens[len(prompt) :]])
        expected.append(model.tokenizer.tokenizer.detokenize(written, skip_specials=True).numpy()[0])
    for run in (session_run, c_api_run):
        answers = run(tmp_path / "generate" / "1", "serving_default", {"text": texts})
        readable = [text.decode("utf-8", "ignore").encode() for text in expected]
        assert answers["completion"][[0, 2, 3]].tolist() == readable
        assert answers["truncated"].tolist() == [False, False, False, True]
        assert answers["completion"][1] == answers["error"][1] == b""
        assert answers["generated"][0] == b"A cat" + readable[0]
    attention = session_run(tmp_path / "generate" / "1", "attention", {"text": texts[:2]})
    assert attention["attention"].shape[1:3] == (2, 2) and attention["token_counts"][1] == 0
    alone = session_run(tmp_path / "generate" / "1", "serving_default", {"text": texts[2:3]})
    assert alone["generated"][0] == answers["generated"][2]
    capsys.readouterr()
    words = ["predict", "generate", "A cat", "--model", str(tmp_path / "generate")]
    assert main([*words, "--attention", str(tmp_path / "attention.png")]) == 0
    assert capsys.readouterr().out.startswith("A cat") and (tmp_path / "attention.png").is_file()


@pytest.mark.parametrize(
    "settings, words, message",
    [
        ({"max_new_tokens": 32}, [], "expected max_new_tokens below 32, the tokens that the model reads; received 32"),
        ({"do_sample": True, "top_p": 2.0}, [], "top_p: expected above 0 and at most 1, received 2.0"),
        ({}, ["--task", "embed"], "--task: expected generate, received embed"),
    ],
)
def test_a_decoder_that_cannot_write_so_is_refused(settings, words, message, tmp_path, capsys):
    folder = write_decoder(tmp_path / "folder", **settings)
    assert main(["load", str(folder), *words, "--directory", str(tmp_path / "saved")]) == 2
    assert message in capsys.readouterr().err and not (tmp_path / "saved").exists()


@pytest.mark.backends
def test_greedy_continuations_are_those_of_transformers(tmp_path):
    transformers = pytest.importorskip("transformers", reason="the extra `backends` has transformers")
    torch = pytest.importorskip("torch", reason="the extra `backends` has PyTorch")
    folder = write_decoder(tmp_path)
    theirs = transformers.GPT2LMHeadModel.from_pretrained(folder)
    ability = load_ability(folder)
    texts = ["A cat", "dog", "The meaning of"]
    answers = ability.respond(keras.ops.convert_to_tensor(texts))
    for text, written in zip(texts, answers["completion"].numpy()):
        tokens = ability.reader([text])["tokens"].numpy()
        found = theirs.generate(
            torch.tensor(tokens), max_new_tokens=7, do_sample=False, eos_token_id=256, pad_token_id=256
        )
        pieces = ability.reader.tokenizer.detokenize(found[:, tokens.shape[1] :].numpy(), skip_specials=True).numpy()[0]
        assert written == pieces.decode("utf-8", "ignore").encode()
