"""BERT, RoBERTa and ALBERT: one block written with NumPy, sizes of the papers, positions, padding, shared weights."""

import math

import keras
import numpy as np
import pytest
from numpy_layers import gelu, normalised

from attention_zoo.pipelines.engine.storage.weights import variables_by_path
from attention_zoo.pipelines.models import AlbertEncoder, BertEncoder, RobertaEncoder
from attention_zoo.pipelines.models.albert import ALBERT_SIZES
from attention_zoo.pipelines.models.bert import BERT_SIZES
from attention_zoo.pipelines.models.roberta import ROBERTA_SIZES

TINY = {"num_layers": 2, "num_heads": 2, "hidden_dim": 8, "intermediate_dim": 12, "max_length": 16}
CLASSES = (BertEncoder, RobertaEncoder, AlbertEncoder)
TOKENS = np.array([[5, 6, 7, 8], [9, 5, 0, 0]])


def make(encoder=BertEncoder, seed=1, **options):
    keras.utils.set_random_seed(seed)
    model = encoder(20, **(TINY | options))
    model({"tokens": TOKENS})
    return model


def test_one_layer_is_the_equations_of_the_paper():
    model = make(num_layers=1)
    random = np.random.default_rng(2)
    weights = {path: random.normal(size=v.shape) for path, v in variables_by_path(model).items() if "seed" not in path}
    for path, variable in variables_by_path(model).items():
        if path in weights:
            variable.assign(weights[path])
    tokens, segments = np.array([[3, 4, 5]]), np.array([[0, 0, 1]])
    outputs, scores = model({"tokens": tokens, "segments": segments}, return_attention_scores=True)

    def part(name, *ends):
        return [weights[f"{name}/{end}"] for end in ends]

    features = weights["embeddings/tokens/embeddings"][tokens[0]] + weights["embeddings/positions/embeddings"][:3]
    features = features + weights["embeddings/segments/embeddings"][segments[0]]
    features = normalised(features, *part("embeddings/norm", "gamma", "beta"))  # (T, D)
    block = "encoder_0"
    query, key, value = (
        np.einsum("td,dhe->hte", features, weights[f"{block}/self_attention/{name}/kernel"])
        + weights[f"{block}/self_attention/{name}/bias"][:, None]
        for name in ("query", "key", "value")
    )
    logits = np.einsum("hte,hse->hts", query, key) / math.sqrt(4)
    attention = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    context = np.einsum("hts,hse->the", attention, value)
    kernel, bias = part(f"{block}/self_attention/attention_output", "kernel", "bias")
    features = features + np.einsum("the,hed->td", context, kernel) + bias
    features = normalised(features, *part(f"{block}/self_attention_norm", "gamma", "beta"))
    kernel, bias = part(f"{block}/feed_forward_in", "kernel", "bias")
    inner = gelu(features @ kernel + bias)
    kernel, bias = part(f"{block}/feed_forward_out", "kernel", "bias")
    features = normalised(features + inner @ kernel + bias, *part(f"{block}/feed_forward_norm", "gamma", "beta"))
    kernel, bias = part("pooler", "kernel", "bias")
    np.testing.assert_allclose(scores["encoder/1"][0], attention, atol=1e-5)
    np.testing.assert_allclose(outputs["states"][0], features, atol=1e-4)
    np.testing.assert_allclose(outputs["pooled"][0], np.tanh(features[0] @ kernel + bias), atol=1e-4)


def parameters(vocabulary, num_layers, hidden_dim, intermediate_dim, positions=512, segments=2, **albert):
    """Counted by hand: embeddings and their normalisation, blocks, pooler; ALBERT's wider layer and its one block."""
    dim, inner, width = hidden_dim, intermediate_dim, albert.get("embedding_dim", hidden_dim)
    block = 4 * (dim * dim + dim) + dim * inner + inner + inner * dim + dim + 4 * dim
    wider = width * dim + dim if albert else 0
    embeddings = (vocabulary + positions + segments) * width + 2 * width + wider
    return embeddings + (1 if albert else num_layers) * block + dim * dim + dim


@pytest.mark.parametrize(
    "sizes, more, count",
    [
        (BERT_SIZES["base"], {"vocabulary": 30522}, 109_482_240),
        (BERT_SIZES["large"], {"vocabulary": 30522}, 335_141_888),
        (BERT_SIZES["tiny"], {"vocabulary": 30522}, 4_385_920),
        (BERT_SIZES["mini"], {"vocabulary": 30522}, 11_170_560),
        (BERT_SIZES["small"], {"vocabulary": 30522}, 28_763_648),
        (BERT_SIZES["medium"], {"vocabulary": 30522}, 41_373_184),
        (ROBERTA_SIZES["base"], {"vocabulary": 50265, "positions": 514, "segments": 1}, 124_645_632),
        (ROBERTA_SIZES["large"], {"vocabulary": 50265, "positions": 514, "segments": 1}, 355_359_744),
        (ALBERT_SIZES["base"], {"vocabulary": 30000, "embedding_dim": 128}, 11_683_584),
        (ALBERT_SIZES["large"], {"vocabulary": 30000, "embedding_dim": 128}, 17_683_968),
        (ALBERT_SIZES["xlarge"], {"vocabulary": 30000, "embedding_dim": 128}, 58_724_864),
        (ALBERT_SIZES["xxlarge"], {"vocabulary": 30000, "embedding_dim": 128}, 222_595_584),
    ],
)
def test_the_named_sizes_have_the_parameters_of_the_published_models(sizes, more, count):
    sizes = {name: size for name, size in sizes.items() if name != "num_heads"}
    assert parameters(**sizes, **more) == count


@pytest.mark.parametrize(
    "encoder, more",
    [
        (BertEncoder, {}),
        (RobertaEncoder, {"segments": 1}),
        (AlbertEncoder, {"embedding_dim": 128}),
    ],
)
def test_a_model_has_as_many_parameters_as_were_counted(encoder, more):
    sizes = {name: size for name, size in TINY.items() if name not in ("num_heads", "max_length")}
    assert make(encoder).count_params() == parameters(20, **sizes, positions=16, **more)


def test_the_small_sizes_are_the_options_by_default():
    model = BertEncoder(20)
    assert {name: model.options[name] for name in BERT_SIZES["mini"]} == BERT_SIZES["mini"]


@pytest.mark.parametrize("encoder", CLASSES)
def test_padding_changes_nothing(encoder):
    pad = encoder(20).pad_token
    model = make(encoder)
    alone = model({"tokens": np.array([[5, 6, 7]])})["states"]
    padded = {"tokens": np.array([[5, 6, 7, pad, pad], [2, 3, 4, 5, 6]])}
    np.testing.assert_allclose(model(padded)["states"][:1, :3], alone, atol=1e-5)
    given = padded | {"mask": padded["tokens"] != pad}
    np.testing.assert_array_equal(model(given)["states"], model(padded)["states"])


def test_positions_of_roberta_count_tokens_alone():
    model = make(RobertaEncoder)
    tokens = np.array([[5, 6, 1, 1], [1, 1, 7, 8]])
    assert np.array(model.positions_of({"tokens": tokens}, None)).tolist() == [[2, 3, 1, 1], [1, 1, 2, 3]]


@pytest.mark.parametrize("encoder, room", [(BertEncoder, 16), (AlbertEncoder, 16), (RobertaEncoder, 14)])
def test_more_tokens_than_positions_are_refused(encoder, room):
    model = make(encoder)
    assert {block.self_attention.max_length for block in model.blocks} == {room}
    model({"tokens": np.full((1, room), 5)})
    with pytest.raises(ValueError, match=f"{encoder.__name__}: expected at most .*{room} tokens. Received: {room + 1}"):
        model({"tokens": np.full((1, room + 1), 5)})


def test_given_positions_are_used():
    model = make()
    tokens = np.array([[5, 6]])
    shifted = model({"tokens": tokens, "positions": np.array([[4, 5]])})["states"]
    assert np.abs(np.array(shifted) - np.array(model({"tokens": tokens})["states"])).max() > 1e-3


def test_groups_of_layers_share_a_block():
    model = make(AlbertEncoder, num_layers=4, num_groups=2)
    assert len(model.blocks) == 2
    assert make(AlbertEncoder, num_layers=4).count_params() == make(AlbertEncoder, num_layers=2).count_params()
    with pytest.raises(ValueError, match="`num_layers` must be a multiple of num_groups=3. Received: num_layers=4"):
        make(AlbertEncoder, num_layers=4, num_groups=3)


def test_a_shared_block_is_applied_again_and_again():
    once, twice = make(AlbertEncoder, num_layers=1), make(AlbertEncoder, num_layers=2)
    block = once.blocks[0]
    expected = block(once({"tokens": TOKENS[:1]})["states"])
    np.testing.assert_allclose(twice({"tokens": TOKENS[:1]})["states"], expected, atol=1e-5)


@pytest.mark.parametrize("encoder", CLASSES)
def test_scores_are_named_by_layer_and_sum_to_one(encoder):
    outputs, scores = make(encoder)({"tokens": np.array([[5, 6, 7]])}, return_attention_scores=True)
    assert list(scores) == ["encoder/1", "encoder/2"]
    np.testing.assert_allclose(np.array(scores["encoder/2"]).sum(-1), 1, atol=1e-5)
    plain = make(encoder)({"tokens": np.array([[5, 6, 7]])})
    np.testing.assert_allclose(outputs["states"], plain["states"], atol=1e-5)


@pytest.mark.parametrize("encoder", CLASSES)
def test_a_saved_encoder_answers_as_before(encoder, tmp_path):
    model = make(encoder, activation="gelu_tanh", pooler=False)
    model.save(tmp_path / "encoder.keras")
    again = keras.saving.load_model(tmp_path / "encoder.keras")
    assert again.get_config() == model.get_config()
    np.testing.assert_array_equal(again({"tokens": TOKENS})["states"], model({"tokens": TOKENS})["states"])


def test_mixed_precision_keeps_attention_in_float32():
    model = make(dtype="mixed_bfloat16")
    outputs, scores = model({"tokens": TOKENS}, return_attention_scores=True)
    assert outputs["states"].dtype == "bfloat16" and scores["encoder/1"].dtype == "float32"


def test_weights_start_as_in_the_authors_code():
    model = BertEncoder(500, **TINY | {"hidden_dim": 64})
    model({"tokens": TOKENS})
    for path, variable in variables_by_path(model).items():
        if path.endswith(("kernel", "embeddings")):
            values = np.array(variable)
            assert np.abs(values).max() <= 0.0401 and 0.012 < values.std() < 0.022, path
