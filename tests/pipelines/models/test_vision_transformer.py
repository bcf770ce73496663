"""The Vision Transformer: the paper's sizes, its attention, images of any size, and another library's answers."""

import keras
import numpy as np
import pytest
from fitting import compile_built
from unmade import without_values

from attention_zoo.pipelines.models import VisionTransformer
from attention_zoo.pipelines.models.vision_transformer import sizes_of

TINY = {"patch_size": 4, "num_layers": 2, "hidden_dim": 8, "intermediate_dim": 16, "num_heads": 2}
IMAGES = np.random.default_rng(0).normal(size=(3, 8, 8, 1)).astype("float32")


def tiny(**options):
    keras.utils.set_random_seed(1)
    model = VisionTransformer(5, 8, **TINY, **options)
    model(IMAGES)
    model.head.kernel.assign(np.random.default_rng(2).normal(size=model.head.kernel.shape))
    return model


def parameters(layers, dim, feed_forward, patch, classes=1000, size=224, channels=3):
    """Counted by hand: embedding, token and positions, blocks, last normalisation, head."""
    embedding = patch * patch * channels * dim + dim + dim + (1 + (size // patch) ** 2) * dim
    block = 4 * (dim * dim + dim) + 2 * dim * feed_forward + feed_forward + dim + 4 * dim
    return embedding + layers * block + 2 * dim + dim * classes + classes


@pytest.mark.parametrize(
    "variant, millions", [("Ti/16", 5.7), ("S/16", 22.1), ("B/16", 86.6), ("L/16", 304.3), ("H/14", 632.0)]
)
def test_the_sizes_have_the_parameters_of_the_papers(variant, millions):
    """The paper rounds to 86, 307 and 632 millions; 304.3 is what L/16 has in the authors' own code."""
    sizes = sizes_of(variant)
    counted = parameters(sizes["num_layers"], sizes["hidden_dim"], sizes["intermediate_dim"], sizes["patch_size"])
    assert counted / 1e6 == pytest.approx(millions, abs=0.06)


@pytest.mark.parametrize("variant", ["Ti/16", "S/16", "B/16", "L/16", "H/14"])
def test_built_models_have_the_parameters_counted_by_hand(variant):
    sizes = sizes_of(variant)
    dims = (sizes[name] for name in ("num_layers", "hidden_dim", "intermediate_dim", "patch_size"))
    with without_values():
        model = VisionTransformer(1000, 224, **sizes)
        model(keras.Input((224, 224, 3)))
        assert model.count_params() == parameters(*dims)


@pytest.mark.parametrize("variant", ["B", "B/", "X/16", "B/0", "b/16", "B/16/2"])
def test_other_names_are_refused(variant):
    with pytest.raises(ValueError, match="`variant` must be one of Ti, S, B, L, H, a slash"):
        sizes_of(variant)


def test_it_starts_undecided():
    keras.utils.set_random_seed(1)
    assert not np.array(VisionTransformer(5, 8, **TINY)(IMAGES)).any()


@pytest.mark.parametrize("pooling, tokens", [("token", 5), ("mean", 4)])
def test_attention_comes_by_name_and_changes_no_answer(pooling, tokens):
    model = tiny(pooling=pooling)
    logits, scores = model(IMAGES, return_attention_scores=True)
    np.testing.assert_allclose(logits, model(IMAGES), atol=1e-6)
    assert list(scores) == ["encoder/0/self", "encoder/1/self"]
    for weights in scores.values():
        assert weights.shape == (3, 2, tokens, tokens)
        np.testing.assert_allclose(np.sum(weights, axis=-1), 1.0, atol=1e-5)


@pytest.mark.parametrize("pooling", ["token", "mean"])
def test_maps_lie_on_the_grid_of_the_image(pooling):
    model = tiny(pooling=pooling)
    images = np.random.default_rng(1).normal(size=(2, 4, 12, 1)).astype("float32")  # another size, not square
    _, scores = model(images, return_attention_scores=True)
    rollout, heads = model.rollout(scores, images.shape), np.array(model.head_maps(scores, images.shape))
    assert rollout.shape == (2, 1, 3) and heads.shape == (2, 2, 2, 1, 3)
    np.testing.assert_allclose(np.sum(rollout, axis=(1, 2)), 1.0, atol=1e-5)
    row = np.array(scores["encoder/1/self"])[0, 1]
    row = row[0, 1:] if pooling == "token" else row.mean(axis=0)
    np.testing.assert_allclose(heads[0, 1, 1, 0], row / row.sum(), atol=1e-6)


def test_the_order_of_patches_matters_through_positions_alone():
    model = tiny(pooling="mean")
    swapped = np.concatenate([IMAGES[:, 4:], IMAGES[:, :4]], axis=1)
    assert np.abs(np.array(model(IMAGES)) - np.array(model(swapped))).max() > 1e-4
    model.embedding.positions.assign(np.zeros(model.embedding.positions.shape))
    np.testing.assert_allclose(model(IMAGES), model(swapped), atol=1e-5)


def test_stochastic_depth_grows_from_zero():
    model = VisionTransformer(5, 8, **{**TINY, "num_layers": 3}, stochastic_depth=0.2)
    assert [block.stochastic_depth for block in model.blocks] == [0.0, 0.1, 0.2]


def test_it_trains_with_fit_and_answers_the_same_after_loading(tmp_path):
    model = tiny(dropout=0.1, stochastic_depth=0.1)
    compile_built(model, keras.optimizers.Adam(), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    losses = model.fit(IMAGES, np.array([0, 1, 2]), epochs=30, verbose=0).history["loss"]
    assert losses[-1] < 0.5 * losses[0]
    model.save(tmp_path / "vit.keras")
    np.testing.assert_allclose(keras.models.load_model(tmp_path / "vit.keras")(IMAGES), model(IMAGES), atol=1e-6)


def test_an_unknown_pooling_is_refused():
    with pytest.raises(ValueError, match='`pooling` must be "token" or "mean"'):
        VisionTransformer(5, 8, **TINY, pooling="max")


@pytest.mark.backends
def test_it_equals_the_vit_of_transformers():
    transformers = pytest.importorskip("transformers")
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    config = transformers.ViTConfig(
        hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16, image_size=8, patch_size=4,
        num_channels=1, num_labels=5, layer_norm_eps=1e-6, initializer_range=0.5, attn_implementation="eager",
    )  # fmt: skip
    theirs = transformers.ViTForImageClassification(config).eval()
    model = tiny()
    copy_weights(theirs, model)
    with torch.no_grad():
        answer = theirs(torch.tensor(IMAGES.transpose(0, 3, 1, 2).copy()), output_attentions=True)
    logits, scores = model(IMAGES, return_attention_scores=True)
    np.testing.assert_allclose(logits, answer.logits.numpy(), atol=1e-4)
    for i, attention in enumerate(answer.attentions):
        np.testing.assert_allclose(scores[f"encoder/{i}/self"], attention.numpy(), atol=1e-4)


def copy_weights(theirs, model):
    """Gives the model the weights of PyTorch's, by the places they have in the paper."""
    state = {name: value.numpy() for name, value in theirs.state_dict().items()}

    def norm(layer, name):
        layer.set_weights([state[f"{name}.weight"], state[f"{name}.bias"]])

    def dense(layer, name):
        shapes = [weight.shape for weight in layer.get_weights()]
        layer.set_weights([state[f"{name}.weight"].T.reshape(shapes[0]), state[f"{name}.bias"].reshape(shapes[1])])

    embeddings = "vit.embeddings."
    model.embedding.class_embedding.assign(state[embeddings + "cls_token"])
    model.embedding.positions.assign(state[embeddings + "position_embeddings"][0])
    kernel = state[embeddings + "patch_embeddings.projection.weight"].transpose(2, 3, 1, 0)  # (P, P, C, D)
    model.embedding.projection.set_weights(
        [kernel.reshape(-1, kernel.shape[-1]), state[embeddings + "patch_embeddings.projection.bias"]]
    )
    for i, block in enumerate(model.blocks):
        attention, name = block.self_attention, f"vit.layers.{i}."
        for part, layer in (("q", attention.query_dense), ("k", attention.key_dense), ("v", attention.value_dense)):
            dense(layer, f"{name}attention.{part}_proj")
        dense(attention.output_dense, f"{name}attention.o_proj")
        norm(block.self_attention_norm, name + "layernorm_before")
        norm(block.feed_forward_norm, name + "layernorm_after")
        dense(block.feed_forward_in, name + "mlp.fc1")
        dense(block.feed_forward_out, name + "mlp.fc2")
    norm(model.norm, "vit.layernorm")
    dense(model.head, "classifier")
