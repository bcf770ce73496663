"""GPT-2's checkpoints: outputs equal those of transformers, and settings that the model lacks are refused."""

import keras
import numpy as np
import pytest

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.hub import from_pretrained, to_pretrained
from attention_zoo.pipelines.hub.gpt2 import GPT2

THEIRS = {  # hidden size, layers, heads, inner size
    "one_layer": (16, 1, 2, 32),
    "deep": (24, 4, 3, None),
    "wide": (64, 2, 8, 128),
}


def both(folder, size, head="GPT2LMHeadModel"):
    """Returns (ours, theirs): a random model of transformers, and ours of the folder that it writes."""
    transformers = pytest.importorskip("transformers", reason="the extra `backends` has transformers")
    torch = pytest.importorskip("torch", reason="the extra `backends` has PyTorch")
    torch.manual_seed(3)
    names = ("n_embd", "n_layer", "n_head", "n_inner")
    config = transformers.GPT2Config(vocab_size=60, n_positions=16, **dict(zip(names, THEIRS[size])))
    theirs = getattr(transformers, head)._from_config(config, attn_implementation="eager")
    for name, weights in theirs.named_parameters():
        torch.nn.init.normal_(weights, mean=float("ln_" in name and "weight" in name), std=0.2)
    theirs.save_pretrained(folder)
    return from_pretrained(folder), theirs.eval()


def differences(model, theirs, mask, positions=None):
    """The largest differences of states, logits and attention, where there are tokens."""
    import torch

    tokens = np.random.default_rng(0).integers(5, 60, mask.shape)
    inputs = {"tokens": tokens, "mask": mask} | ({} if positions is None else {"positions": positions})
    outputs, scores = model(inputs, return_attention_scores=True)
    with torch.no_grad():
        expected = theirs(
            input_ids=torch.tensor(tokens),
            attention_mask=torch.tensor(mask).long(),
            position_ids=None if positions is None else torch.tensor(positions),
            output_attentions=True,
            output_hidden_states=True,
        )
    found = [np.abs(outputs["logits"] - expected.logits.numpy())[mask].max()]
    found.append(np.abs(outputs["states"] - expected.hidden_states[-1].numpy())[mask].max())
    for number, attention in enumerate(expected.attentions, 1):
        difference = np.abs(scores[f"decoder/{number}"] - attention.numpy()).swapaxes(1, 2)  # (B, T, H, T)
        found.append(difference[mask].max())
    return found


@pytest.mark.backends
@pytest.mark.parametrize("padding", ["right", "left", "left with positions"])
@pytest.mark.parametrize("size", THEIRS)
def test_it_equals_the_gpt2_of_transformers(size, padding, tmp_path, capsys):
    model, theirs = both(tmp_path, size)
    assert "not used" not in capsys.readouterr().out
    mask = np.arange(9) < np.array([[9], [4], [1]])
    mask = mask if padding == "right" else mask[:, ::-1].copy()
    positions = np.maximum(np.cumsum(mask, axis=1) - 1, 0)
    if padding == "left":  # without positions, transformers counts padding
        positions = np.tile(np.arange(9), (3, 1))
    found = differences(model, theirs, mask, positions)
    print(f"largest difference: {max(found):.1e}")
    assert max(found) < 1e-4
    if padding == "left with positions":  # which are those that ours takes by default
        tokens = np.random.default_rng(0).integers(5, 60, mask.shape)
        given = model({"tokens": tokens, "mask": mask, "positions": positions})["logits"]
        np.testing.assert_array_equal(given, model({"tokens": tokens, "mask": mask})["logits"])


@pytest.mark.backends
def test_greedy_answers_equal_those_of_transformers(tmp_path):
    import torch

    model, theirs = both(tmp_path, "deep")
    prompts, lengths = np.array([[7, 8, 9, 10], [20, 21, 0, 0]]), np.array([4, 2])
    logits, memory = model.prefill(prompts, lengths)
    state, answers = model.start(memory), []
    for _ in range(6):
        token = keras.ops.argmax(logits, axis=-1)
        answers.append(np.array(token))
        logits, state, _ = model.step(token, state, memory)
    for row, length in enumerate(lengths):
        prompt = torch.tensor(prompts[row : row + 1, :length])
        expected = theirs.generate(prompt, max_new_tokens=6, do_sample=False, eos_token_id=None, pad_token_id=0)
        assert [answer[row] for answer in answers] == expected[0, length:].tolist()


@pytest.mark.backends
@pytest.mark.parametrize("head", ["GPT2LMHeadModel", "GPT2Model"])
def test_transformers_loads_what_we_write_with_equal_outputs(head, tmp_path):
    import torch
    import transformers

    model, theirs = both(tmp_path / "theirs", "deep", head)
    to_pretrained(model, tmp_path / "ours")
    again, report = transformers.GPT2LMHeadModel.from_pretrained(tmp_path / "ours", output_loading_info=True)
    assert not any(report[name] for name in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    tokens = np.random.default_rng(0).integers(5, 60, (2, 9))
    with torch.no_grad():
        states = again(torch.tensor(tokens), output_hidden_states=True).hidden_states[-1].numpy()
        expected = theirs(torch.tensor(tokens), output_hidden_states=True).hidden_states[-1].numpy()
    np.testing.assert_allclose(states, expected, atol=1e-5)  # theirs computes attention in another order
    ours = from_pretrained(tmp_path / "ours")({"tokens": tokens})["states"]
    np.testing.assert_array_equal(ours, model({"tokens": tokens})["states"])


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"scale_attn_weights": False}, "expected scale_attn_weights True, received False"),
        ({"add_cross_attention": True}, "expected add_cross_attention False, received True"),
        ({"embd_pdrop": 0.3}, "expected embd_pdrop 0.1, that of resid_pdrop; received 0.3"),
        (
            {"activation_function": "mish"},
            "expected the activation gelu or relu or gelu_new or silu or swish, received mish",
        ),
    ],
)
def test_settings_that_the_model_does_not_have_are_refused(settings, message):
    with pytest.raises(UserError, match=message):
        GPT2.read_options({"n_embd": 8} | settings)
