"""MarianMT's checkpoints: logits and attention equal those of transformers, and bad folders are refused."""

import numpy as np
import pytest
from keras import ops

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.hub import from_pretrained, to_pretrained
from attention_zoo.pipelines.hub.marian import MARIAN
from attention_zoo.pipelines.models import MarianTranslator

VOCABULARY = 40
PAD = VOCABULARY - 1
THEIRS = {  # width, layers, heads and inner width of the encoder, the same of the decoder
    "one_layer": (16, 1, 2, 32, 1, 2, 32),
    "uneven": (24, 3, 4, 40, 1, 3, 20),
    "wide": (64, 2, 8, 128, 2, 8, 128),
}
NAMES = ["d_model", "encoder_layers", "encoder_attention_heads", "encoder_ffn_dim"]
NAMES += ["decoder_layers", "decoder_attention_heads", "decoder_ffn_dim"]
SETTINGS = {"activation_function": "swish", "scale_embedding": True, "max_position_embeddings": 32}


def both(folder, size, head="MarianMTModel", **settings):
    """Returns (ours, theirs): a random model of transformers, and ours of the folder that it writes."""
    transformers = pytest.importorskip("transformers", reason="the extra `backends` has transformers")
    torch = pytest.importorskip("torch", reason="the extra `backends` has PyTorch")
    torch.manual_seed(3)
    ids = {"vocab_size": VOCABULARY, "pad_token_id": PAD, "decoder_start_token_id": PAD, "eos_token_id": 0}
    config = transformers.MarianConfig(**dict(zip(NAMES, THEIRS[size])), **ids, **SETTINGS | settings)
    theirs = getattr(transformers, head)._from_config(config, attn_implementation="eager")
    for name, weights in theirs.named_parameters():
        if "embed_positions" not in name:
            torch.nn.init.normal_(weights, mean=float("norm.weight" in name), std=0.2)
    if head == "MarianMTModel":
        theirs.final_logits_bias.normal_()
    theirs.save_pretrained(folder)
    return from_pretrained(folder), theirs.eval()


def batch():
    random = np.random.default_rng(0)
    source, target = random.integers(1, PAD, (3, 9)), random.integers(1, PAD, (3, 5))
    mask = np.arange(9) < np.array([[9], [4], [1]])
    source[~mask], target[:, 0] = PAD, PAD
    return source, target, mask


@pytest.mark.backends
@pytest.mark.parametrize("size, settings", [("one_layer", {}), ("uneven", {"scale_embedding": False}), ("wide", {})])
def test_logits_and_attention_equal_transformers_with_padding(size, settings, tmp_path, capsys):
    import torch

    model, theirs = both(tmp_path, size, **settings)
    assert "not used" not in capsys.readouterr().out
    source, target, mask = batch()
    logits, scores = model({"source": source, "target": target}, return_attention_scores=True)
    with torch.no_grad():
        tensors = {"input_ids": source, "attention_mask": mask.astype("int64"), "decoder_input_ids": target}
        expected = theirs(**{name: torch.tensor(value) for name, value in tensors.items()}, output_attentions=True)
    found = [np.abs(logits - expected.logits.numpy())]
    for number, attention in enumerate(expected.encoder_attentions):
        found.append(np.abs(scores[f"encoder/{number}/self"] - attention.numpy()).swapaxes(1, 2)[mask])
    for number, (of_self, cross) in enumerate(zip(expected.decoder_attentions, expected.cross_attentions)):
        found.append(np.abs(scores[f"decoder/{number}/self"] - of_self.numpy()))
        found.append(np.abs(scores[f"decoder/{number}/cross"] - cross.numpy()))
    print(f"largest difference: {max(np.max(difference) for difference in found):.1e}")
    assert max(np.max(difference) for difference in found) < 1e-4


@pytest.mark.backends
@pytest.mark.parametrize("head", ["MarianMTModel", "MarianModel"])
def test_transformers_loads_what_we_write_with_equal_outputs(head, tmp_path):
    import torch
    import transformers

    model, theirs = both(tmp_path / "theirs", "uneven", head)
    to_pretrained(model, tmp_path / "ours")
    options = {"output_loading_info": True, "attn_implementation": "eager"}
    again, report = getattr(transformers, head).from_pretrained(tmp_path / "ours", **options)
    missing = [name for name in report["missing_keys"] if "embed_positions" not in name]  # it computes sinusoids itself
    assert not missing and not any(report[name] for name in ("unexpected_keys", "mismatched_keys"))
    source, target, _ = (torch.tensor(array) for array in batch())
    with torch.no_grad():
        found, expected = (one(source, decoder_input_ids=target)[0].numpy() for one in (again, theirs))
    np.testing.assert_array_equal(found, expected)
    names = ("max_position_embeddings", "decoder_start_token_id", "scale_embedding", "activation_function")
    assert [getattr(again.config, name) for name in names] == [32, PAD, True, "swish"]


def test_step_by_step_equals_teacher_forcing():
    heads = {"num_heads": 2, "num_decoder_heads": 4, "num_layers": 1, "num_decoder_layers": 2}
    model = MarianTranslator(VOCABULARY, embedding_dim=8, intermediate_dim=8, decoder_intermediate_dim=12, **heads)
    source, target, _ = batch()
    logits = model({"source": source, "target": target})
    model.bias.assign(np.arange(VOCABULARY))
    memory = model.encode({"source": source})
    state = model.start(memory)
    for place in range(target.shape[1]):
        written, state, scores = model.step(ops.convert_to_tensor(target[:, place]), state, memory)
        np.testing.assert_allclose(written, logits[:, place] + np.arange(VOCABULARY), atol=1e-5)
    assert model.alignment(scores).shape == (3, 9)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"normalize_before": True}, "expected normalize_before False, received True"),
        ({"share_encoder_decoder_embeddings": False}, "expected share_encoder_decoder_embeddings True, received False"),
        ({"decoder_vocab_size": 9}, "expected decoder_vocab_size 8, that of vocab_size; received 9"),
        ({"eos_token_id": [0, 1]}, r"expected eos_token_id to be one id, received \[0, 1\]"),
    ],
)
def test_settings_that_the_model_does_not_have_are_refused(settings, message):
    with pytest.raises(UserError, match=message):
        MARIAN.read_options({"vocab_size": 8} | settings)
