"""ViT's and DeiT's checkpoints: outputs equal those of transformers, and settings that the model lacks are refused."""

import json

import numpy as np
import pytest

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.hub import from_pretrained, to_pretrained
from attention_zoo.pipelines.hub.encoders import load_encoder
from attention_zoo.pipelines.hub.pretrained import family_of
from attention_zoo.pipelines.models import VisionTransformer

SIZES = {  # hidden size, layers, heads, inner size
    "one_layer": (16, 1, 2, 24),
    "deep": (24, 4, 3, 32),
    "wide": (64, 2, 8, 128),
}
CLASSES = [
    "ViTModel",
    "ViTForImageClassification",
    "DeiTModel",
    "DeiTForImageClassification",
    "DeiTForImageClassificationWithTeacher",
]
LABELS = {0: "cat", 1: "dog", 2: "sea"}


def both(folder, size, name, **settings):
    """Returns (ours, theirs): a random model of transformers, and ours of the folder that it writes."""
    transformers = pytest.importorskip("transformers", reason="the extra `backends` has transformers")
    torch = pytest.importorskip("torch", reason="the extra `backends` has PyTorch")
    torch.manual_seed(3)
    names = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")
    settings = {"image_size": 12, "patch_size": 4, "id2label": LABELS} | settings | dict(zip(names, SIZES[size]))
    config = getattr(transformers, "DeiTConfig" if name.startswith("DeiT") else "ViTConfig")(**settings)
    theirs = getattr(transformers, name)._from_config(config, attn_implementation="eager")
    for key, weights in theirs.named_parameters():
        torch.nn.init.normal_(weights, mean=float("layernorm" in key and "weight" in key), std=0.2)
    theirs.save_pretrained(folder)
    return from_pretrained(folder), theirs.eval()


def images_for(model):
    height, width = model.embedding.image_size
    shape = (2, height, width, model.options["num_channels"])
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def answers(theirs, images, **asked):
    import torch

    with torch.no_grad():
        return theirs(torch.tensor(images.transpose(0, 3, 1, 2).copy()), **asked)


def differences(model, theirs):
    """The largest differences of states, of logits or the pooled state, and of the attention of each layer."""
    images = images_for(model)
    output, scores = model(images, return_attention_scores=True)
    expected = answers(theirs, images, output_attentions=True)
    states = np.array(model.encode(images)[0])
    encoder = getattr(theirs, "vit", getattr(theirs, "deit", theirs))
    found = [np.abs(states - answers(encoder, images).last_hidden_state.numpy()).max()]
    if isinstance(output, dict):
        np.testing.assert_array_equal(output["states"], states)
        found.append(np.abs(output["pooled"] - expected.pooler_output.numpy()).max())
    else:
        assert np.ptp(output) > 0.1
        found.append(np.abs(output - expected.logits.numpy()).max())
    assert len(scores) == len(expected.attentions)
    for number, attention in enumerate(expected.attentions):
        found.append(np.abs(scores[f"encoder/{number}/self"] - attention.numpy()).max())
    return found


@pytest.mark.backends
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", CLASSES)
def test_it_equals_the_model_of_transformers(name, size, tmp_path, capsys):
    model, theirs = both(tmp_path, size, name)
    assert "not used" not in capsys.readouterr().out
    assert isinstance(model, VisionTransformer) and model.tokenizer is None
    assert model.labels == (None if name.endswith("Model") else list(LABELS.values()))
    found = differences(model, theirs)
    print(f"largest difference: {max(found):.1e}")
    assert max(found) < 1e-4


@pytest.mark.backends
@pytest.mark.parametrize("activation", ["gelu_new", "relu"])
def test_images_that_are_not_square_and_other_settings(activation, tmp_path):
    settings = {"image_size": [8, 12], "patch_size": [4, 2], "num_channels": 1, "layer_norm_eps": 0.01}
    model, theirs = both(tmp_path / "theirs", "deep", CLASSES[1], hidden_act=activation, **settings)
    assert max(differences(model, theirs)) < 1e-4
    to_pretrained(model, tmp_path / "ours")
    written = json.loads((tmp_path / "ours" / "config.json").read_text())
    assert {name: written[name] for name in settings} == settings and written["hidden_act"] == activation


@pytest.mark.backends
@pytest.mark.parametrize("name", CLASSES)
def test_transformers_loads_what_we_write_with_equal_outputs(name, tmp_path):
    import transformers

    model, theirs = both(tmp_path / "theirs", "deep", name)
    to_pretrained(model, tmp_path / "ours")
    again, report = getattr(transformers, name).from_pretrained(tmp_path / "ours", output_loading_info=True)
    assert not any(report[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    assert again.config.id2label == (LABELS if model.labels else {0: "LABEL_0", 1: "LABEL_1"})
    images = images_for(model)
    for value, expected in zip(answers(again, images).values(), answers(theirs, images).values()):
        np.testing.assert_allclose(value.numpy(), expected.numpy(), atol=1e-5)
    for value, expected in zip(model.weights, from_pretrained(tmp_path / "ours").weights):
        np.testing.assert_array_equal(value, expected)


def write_model(folder, **options):
    """Writes a tiny model of ours with random weights; returns it."""
    sizes = {"num_layers": 2, "hidden_dim": 8, "intermediate_dim": 12, "num_heads": 2}
    model = VisionTransformer(3, 8, 4, **sizes, labels=["a", "b", "c"], layer_norm_epsilon=1e-12, **options)
    model(np.zeros((1, 8, 8, 3), "float32"))
    for weights in model.weights:
        weights.assign(np.random.default_rng(1).normal(0, 0.5, weights.shape))
    to_pretrained(model, folder)
    return model


@pytest.mark.parametrize("distilled, head", [(False, False), (True, False), (True, True)])
def test_a_model_of_ours_comes_back_as_it_was(distilled, head, tmp_path):
    model = write_model(tmp_path, distilled=distilled, distillation_head=head)
    again = from_pretrained(tmp_path)
    images = images_for(model)
    np.testing.assert_array_equal(model(images), again(images))
    changed = {name for name, value in model.options.items() if again.options[name] != value}
    assert changed <= {"image_size", "patch_size"}  # integers that come back as pairs


def test_tensors_that_are_missing_or_not_used_are_listed(tmp_path, capsys):
    from safetensors.numpy import load_file, save_file

    write_model(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    extra = {"vit.pooler.dense.weight": np.ones((8, 8), "float32"), "vit.embeddings.mask_token": np.ones(1)}
    save_file(tensors | extra, tmp_path / "model.safetensors")
    assert not from_pretrained(tmp_path).options["pooler"]
    assert "not used: embeddings.mask_token, pooler.dense.weight" in capsys.readouterr().out
    del tensors["vit.embeddings.cls_token"], tensors["classifier.bias"]
    save_file(tensors, tmp_path / "model.safetensors")
    with pytest.raises(UserError, match="expected classifier.bias, embeddings.cls_token; received a checkpoint"):
        from_pretrained(tmp_path)


def test_a_pooled_mean_cannot_be_written(tmp_path):
    with pytest.raises(UserError, match="model: expected one of albert, .*; received VisionTransformer"):
        write_model(tmp_path, pooling="mean")


def test_an_encoder_of_images_does_not_read_text(tmp_path):
    write_model(tmp_path)
    with pytest.raises(UserError, match="expected an encoder of texts, .*; received vit"):
        load_encoder(tmp_path)


@pytest.mark.parametrize("family", ["vit", "deit"])
@pytest.mark.parametrize(
    "settings, message",
    [
        ({"qkv_bias": False}, "expected qkv_bias True, received False"),
        ({"pooler_act": "relu"}, "expected pooler_act tanh, received relu"),
        ({"pooler_output_size": 4}, "expected pooler_output_size 8, that of hidden_size; received 4"),
        ({"hidden_act": "mish"}, "expected the activation gelu or relu or gelu_new or silu or swish, received mish"),
        ({"image_size": 220}, "expected image_size to be a multiple of patch_size, 16; received 220"),
    ],
)
def test_settings_that_the_model_does_not_have_are_refused(family, settings, message):
    with pytest.raises(UserError, match=message):
        family_of(family).read_options({"hidden_size": 8} | settings)


def test_heads_that_the_model_does_not_have_are_refused(tmp_path):
    write_model(tmp_path, distilled=True)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"architectures": ["DeiTForMaskedImageModeling"]}))
    with pytest.raises(UserError, match="DeiTForImageClassification, DeiTForImageClassificationWithTeacher; received"):
        from_pretrained(tmp_path)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"distilled": True, "pooling": "mean"}, '`distilled` needs pooling="token"'),
        ({"distillation_head": True}, "`distillation_head` needs distilled=True"),
        ({"pooler": True}, "`pooler` needs num_classes=None"),
        ({"labels": ["a"]}, "`labels` must be num_classes=3 names. Received: 1"),
    ],
)
def test_options_that_do_not_fit_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        VisionTransformer(3, 8, 4, num_layers=1, hidden_dim=8, intermediate_dim=8, num_heads=2, **options)
