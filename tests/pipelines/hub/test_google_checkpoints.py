"""Google's own checkpoints of BERT and ALBERT give the same models as the folders of the Hub with the same weights."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.hub import from_pretrained, to_pretrained
from attention_zoo.pipelines.hub.encoders import keep_encoder, load_encoder, reader_of
from attention_zoo.pipelines.models import AlbertEncoder, BertEncoder, MaskedLanguageModel

PIECES = "[PAD] [UNK] [CLS] [SEP] [MASK] . the cat dog The É e".split()
SIZES = {"num_layers": 2, "num_heads": 2, "hidden_dim": 8, "intermediate_dim": 12, "max_length": 16}
SETTINGS = {
    "vocab_size": len(PIECES),
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "hidden_size": 8,
    "intermediate_size": 12,
    "max_position_embeddings": 16,
    "type_vocab_size": 2,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1,
    "attention_probs_dropout_prob": 0.1,
    "initializer_range": 0.02,
}

DENSE = {"kernel": "kernel", "bias": "bias"}
NORM = {"gamma": "gamma", "beta": "beta"}


def block(ours, theirs, names):
    """Pairs of our path and theirs for the parts of a block: `names` has ours and theirs, all dense but the norms."""
    return [
        (f"{ours}/{part}/{kind}", f"{theirs}/{name}/{their_kind}")
        for part, name in names.items()
        for kind, their_kind in (NORM if part.endswith("norm") else DENSE).items()
    ]


EMBEDDINGS = [
    ("encoder/embeddings/tokens/embeddings", "bert/embeddings/word_embeddings"),
    ("encoder/embeddings/positions/embeddings", "bert/embeddings/position_embeddings"),
    ("encoder/embeddings/segments/embeddings", "bert/embeddings/token_type_embeddings"),
    ("encoder/embeddings/norm/gamma", "bert/embeddings/LayerNorm/gamma"),
    ("encoder/embeddings/norm/beta", "bert/embeddings/LayerNorm/beta"),
    ("encoder/pooler/kernel", "bert/pooler/dense/kernel"),
    ("encoder/pooler/bias", "bert/pooler/dense/bias"),
    ("predictions/dense/kernel", "cls/predictions/transform/dense/kernel"),
    ("predictions/dense/bias", "cls/predictions/transform/dense/bias"),
    ("predictions/norm/gamma", "cls/predictions/transform/LayerNorm/gamma"),
    ("predictions/norm/beta", "cls/predictions/transform/LayerNorm/beta"),
    ("predictions/bias", "cls/predictions/output_bias"),
]
BERT = EMBEDDINGS + [
    pair
    for number in (0, 1)
    for pair in block(
        f"encoder/encoder_{number}",
        f"bert/encoder/layer_{number}",
        {
            "self_attention/query": "attention/self/query",
            "self_attention/key": "attention/self/key",
            "self_attention/value": "attention/self/value",
            "self_attention/attention_output": "attention/output/dense",
            "self_attention_norm": "attention/output/LayerNorm",
            "feed_forward_in": "intermediate/dense",
            "feed_forward_out": "output/dense",
            "feed_forward_norm": "output/LayerNorm",
        },
    )
]
ALBERT = EMBEDDINGS + [
    ("encoder/widen/kernel", "bert/encoder/embedding_hidden_mapping_in/kernel"),
    ("encoder/widen/bias", "bert/encoder/embedding_hidden_mapping_in/bias"),
    *block(
        "encoder/encoder_0",
        "bert/encoder/transformer/group_0/inner_group_0",
        {
            "self_attention/query": "attention_1/self/query",
            "self_attention/key": "attention_1/self/key",
            "self_attention/value": "attention_1/self/value",
            "self_attention/attention_output": "attention_1/output/dense",
            "self_attention_norm": "LayerNorm",
            "feed_forward_in": "ffn_1/intermediate/dense",
            "feed_forward_out": "ffn_1/intermediate/output/dense",
            "feed_forward_norm": "LayerNorm_1",
        },
    ),
]
FAMILIES = {
    "bert": (lambda: BertEncoder(len(PIECES), **SIZES, name="encoder"), BERT, {}),
    "albert": (
        lambda: AlbertEncoder(
            len(PIECES), **SIZES, embedding_dim=4, num_groups=1, activation="gelu_tanh", name="encoder"
        ),
        ALBERT,
        {"embedding_size": 4, "num_hidden_groups": 1, "inner_group_num": 1, "net_structure_type": 0},
    ),
}
INPUTS = {"tokens": np.array([[2, 6, 7, 5, 3], [2, 8, 3, 0, 0]]), "segments": np.array([[0, 0, 1, 1, 1], [0] * 5])}


def weights_of(model):
    """The weights by the last parts of their paths, as in the lists above."""
    return {variable.path.removeprefix(f"{model.name}/"): np.array(variable) for variable in model.weights}


def write_google(folder, model, pairs, settings, name, prefix="", more=()):
    """Writes a checkpoint as TensorFlow 1 did: variables by name, a head's kernels as matrices."""
    folder.mkdir()
    (folder / name).write_text(json.dumps(settings))
    found, variables = weights_of(model), {}
    for ours, theirs in pairs:
        array = found.pop(ours)
        if theirs.endswith("kernel"):  # (in, out), heads are not an axis
            array = array.reshape((-1, array.shape[-1]) if "attention_output" in ours else (array.shape[0], -1))
        variables[prefix + theirs] = array.reshape(-1) if theirs.endswith("bias") else array
    assert not found, f"weights without a name: {sorted(found)}"
    variables |= {extra: np.zeros(3, "float32") for extra in more}
    names = sorted(variables)
    prefix = str(folder / "bert_model.ckpt")
    tensors = [tf.constant(variables[one]) for one in names]
    tf.raw_ops.SaveV2(prefix=prefix, tensor_names=names, shape_and_slices=[""] * len(names), tensors=tensors)
    return folder


def random_model(family):
    keras.utils.set_random_seed(3)
    make, pairs, settings = FAMILIES[family]
    model = MaskedLanguageModel(make())
    model({"tokens": np.ones((1, 2), "int32")})
    for weight in model.trainable_weights:
        weight.assign_add(np.random.default_rng(1).normal(0, 0.3, weight.shape))
    return model, pairs, SETTINGS | settings


@pytest.mark.parametrize("family, prefix", [("bert", ""), ("albert", ""), ("albert", "module/")])
def test_a_checkpoint_of_google_is_the_model_that_the_folder_of_the_hub_is(family, prefix, tmp_path, capsys):
    model, pairs, settings = random_model(family)
    more = ["global_step", "bert/pooler/dense/kernel/adam_m", "cls/seq_relationship/output_bias"]
    folder = write_google(tmp_path / "google", model, pairs, settings, f"{family}_config.json", prefix, more)
    to_pretrained(model, tmp_path / "hub")
    ours, theirs = (from_pretrained(one) for one in (folder, tmp_path / "hub"))
    (one, scores), (other, their_scores) = (m(INPUTS, return_attention_scores=True) for m in (ours, theirs))
    assert set(one) == {"states", "pooled", "logits"}
    for name in ("pooled", "logits"):
        np.testing.assert_allclose(one[name], other[name], atol=1e-6)
    assert list(scores) == list(their_scores)
    np.testing.assert_allclose(scores["encoder/2"], their_scores["encoder/2"], atol=1e-6)
    unused = {"bert": "cls.seq_relationship.bias", "albert": "sop_classifier.classifier.bias"}[family]
    assert f"{folder}: not used: {unused}\n" == capsys.readouterr().out


@pytest.mark.parametrize("name, text", [("uncased_L-2_H-8", [7, 8, 7]), ("multi_cased_L-2", [7, 8, 1])])
def test_the_name_of_the_folder_says_whether_casing_is_kept(name, text, tmp_path):
    model, pairs, settings = random_model("bert")
    folder = write_google(tmp_path / name, model, pairs, settings, "bert_config.json")
    (folder / "vocab.txt").write_text("\n".join(PIECES) + "\n", encoding="utf-8")
    reader = from_pretrained(folder).tokenizer
    assert reader(["cat dog CAT"])["tokens"].numpy().tolist() == [[2, *text, 3]]
    kept = tmp_path / "kept"
    keep_encoder(load_encoder(folder), kept, folder)
    assert reader_of(kept)(["cat dog CAT"])["tokens"].numpy().tolist() == [[2, *text, 3]]
    expected = load_encoder(folder)(INPUTS)["pooled"]
    np.testing.assert_allclose(load_encoder(kept)(INPUTS)["pooled"], expected, atol=1e-6)


def test_a_folder_that_cannot_be_read_is_named(tmp_path):
    model, pairs, settings = random_model("bert")
    folder = write_google(tmp_path / "google", model, pairs[1:] + pairs[:1], settings, "bert_config.json")
    data = folder / "bert_model.ckpt.data-00000-of-00001"
    whole = data.read_bytes()
    data.write_bytes(whole[:100])
    with pytest.raises(UserError, match=f"{folder}: expected a whole checkpoint, received one without"):
        from_pretrained(folder)
    data.write_bytes(whole)
    index = folder / "bert_model.ckpt.index"
    index.write_bytes(b"no index")
    with pytest.raises(
        UserError, match="bert_model.ckpt.index: expected a checkpoint of TensorFlow, received one that"
    ):
        from_pretrained(folder)
    index.unlink()
    with pytest.raises(UserError, match=f"{folder}: expected one checkpoint of TensorFlow, .*; received none"):
        from_pretrained(folder)
    (folder / "bert_config.json").write_text(json.dumps(settings | {"hidden_act": "swish"}))
    with pytest.raises(UserError, match="expected one checkpoint"):
        load_encoder(folder)
