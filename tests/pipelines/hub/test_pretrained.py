"""Folders that transformers writes, read into our models: equal outputs, and the way back."""

import json

import numpy as np
import pytest

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.hub import from_pretrained, to_pretrained
from attention_zoo.pipelines.models import BertEncoder, SentenceEncoder, SequenceClassifier

pytestmark = pytest.mark.backends
transformers = pytest.importorskip("transformers", reason="the extra `backends` has transformers")
torch = pytest.importorskip("torch", reason="the extra `backends` has PyTorch")

SIZES = {  # hidden size, layers, heads, inner size
    "one_layer": (16, 1, 2, 32),
    "deep": (24, 4, 3, 40),
    "wide": (64, 2, 8, 128),
}
NAMES = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")
DISTILLED = ("dim", "n_layers", "n_heads", "hidden_dim")
HEADS = ("Model", "ForMaskedLM", "ForSequenceClassification", "ForTokenClassification", "ForQuestionAnswering")
FAMILIES = ("Bert", "Roberta", "Albert", "DistilBert")
VOCABULARY, LENGTH = 60, 12
TOLERANCE = 1e-4


def hub_model(family, head="Model", size="one_layer", **more):
    """Returns a random model of transformers, with weights far enough from 0 that differences show."""
    torch.manual_seed(3)
    names = DISTILLED if family == "DistilBert" else NAMES
    sizes = dict(zip(names, SIZES[size])) | ({"embedding_size": 8} if family == "Albert" else {})
    labels = {} if head == "ForQuestionAnswering" or "id2label" in more else {"num_labels": 3}
    config = getattr(transformers, f"{family}Config")(vocab_size=VOCABULARY, **sizes, **labels, **more)
    model = getattr(transformers, f"{family}{head}")._from_config(config, attn_implementation="eager")
    for name, weights in model.named_parameters():
        torch.nn.init.normal_(weights, mean=1.0 if "orm.weight" in name else 0.0, std=0.2)
    return model.eval()


def inputs(family, seed=0):
    """Returns (ours, theirs): the same padded batch, with segments where the family has them."""
    random = np.random.default_rng(seed)
    tokens = random.integers(5, VOCABULARY, (3, LENGTH)).astype("int32")
    mask = np.arange(LENGTH) < np.array([[LENGTH], [7], [1]])
    tokens[~mask] = 1 if family == "Roberta" else 0
    ours = {"tokens": tokens, "mask": mask}
    theirs = {"input_ids": torch.tensor(tokens).long(), "attention_mask": torch.tensor(mask).long()}
    if family in ("Bert", "Albert"):
        ours["segments"] = random.integers(0, 2, tokens.shape).astype("int32")
        theirs["token_type_ids"] = torch.tensor(ours["segments"]).long()
    return ours, theirs


def largest_difference(ours, theirs, mask=None):
    difference = np.abs(np.array(ours) - theirs.detach().numpy())
    return (difference if mask is None else difference[mask]).max()


def answers(model, theirs):
    with torch.no_grad():
        return model(**theirs, output_attentions=True, output_hidden_states=True)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("family", FAMILIES)
def test_states_and_attention_equal_those_of_transformers(family, size, tmp_path):
    model = hub_model(family, size=size)
    model.save_pretrained(tmp_path)
    ours, theirs = inputs(family)
    outputs, scores = from_pretrained(tmp_path)(ours, return_attention_scores=True)
    expected = answers(model, theirs)
    mask = ours["mask"]
    assert largest_difference(outputs["states"], expected.last_hidden_state, mask) < TOLERANCE
    if family != "DistilBert":
        assert largest_difference(outputs["pooled"], expected.pooler_output) < TOLERANCE
    assert len(scores) == len(expected.attentions) == SIZES[size][1]
    for number, attention in enumerate(expected.attentions, 1):
        queries = np.broadcast_to(mask[:, None, :], attention.shape[:3])  # rows of padding are not compared
        assert largest_difference(scores[f"encoder/{number}"], attention, queries) < TOLERANCE


@pytest.mark.parametrize("head", HEADS[1:])
@pytest.mark.parametrize("family", FAMILIES)
def test_logits_of_every_head_equal_those_of_transformers(family, head, tmp_path):
    model = hub_model(family, head)
    model.save_pretrained(tmp_path)
    ours, theirs = inputs(family)
    logits = np.array(from_pretrained(tmp_path)(ours)["logits"])
    expected = answers(model, theirs)
    if head == "ForQuestionAnswering":
        expected = torch.stack([expected.start_logits, expected.end_logits], -1)
    else:
        expected = expected.logits
    mask = None if head == "ForSequenceClassification" else ours["mask"]
    assert largest_difference(logits, expected, mask) < TOLERANCE


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("family", FAMILIES)
def test_transformers_loads_what_we_write(family, head, tmp_path):
    model = hub_model(family, head)
    model.save_pretrained(tmp_path / "theirs")
    to_pretrained(from_pretrained(tmp_path / "theirs"), tmp_path / "ours")
    again, loading = getattr(transformers, f"{family}{head}").from_pretrained(
        tmp_path / "ours", output_loading_info=True, attn_implementation="eager"
    )
    assert not loading["missing_keys"] and not loading["unexpected_keys"] and not loading["mismatched_keys"]
    theirs = inputs(family)[1]
    with torch.no_grad():
        for one, other in zip(model(**theirs).to_tuple(), again.eval()(**theirs).to_tuple()):
            assert torch.equal(one, other)


@pytest.mark.parametrize("family, pairs", [("Bert", "seq_relationship_logits"), ("Albert", "sop_logits")])
def test_a_model_of_pretraining_equals_that_of_transformers(family, pairs, tmp_path):
    model = hub_model(family, "ForPreTraining", id2label={0: "follows", 1: "changed"})
    model.save_pretrained(tmp_path / "theirs")
    ours, theirs = inputs(family)
    read = from_pretrained(tmp_path / "theirs")
    outputs, expected = read(ours), answers(model, theirs)
    assert largest_difference(outputs["logits"], expected.prediction_logits, ours["mask"]) < TOLERANCE
    assert largest_difference(outputs["pair_logits"], getattr(expected, pairs)) < TOLERANCE
    to_pretrained(read, tmp_path / "ours")
    kind = getattr(transformers, f"{family}ForPreTraining")
    again, loading = kind.from_pretrained(tmp_path / "ours", output_loading_info=True, attn_implementation="eager")
    assert not loading["missing_keys"] and not loading["unexpected_keys"] and not loading["mismatched_keys"]
    for one, other in zip(expected.to_tuple()[:2], answers(again.eval(), theirs).to_tuple()[:2]):
        assert torch.equal(one, other)


def test_a_model_of_pretraining_without_its_pairs_predicts_hidden_tokens(tmp_path, capsys):
    changed(tmp_path, lambda tensors: tensors.update({"cls.seq_relationship.bias": np.ones(2, "float32")}))
    (path := tmp_path / "config.json").write_text(
        json.dumps(json.loads(path.read_text()) | {"architectures": ["BertForPreTraining"]})
    )
    assert set(from_pretrained(tmp_path)(inputs("Bert")[0])) == {"states", "logits"}
    assert "not used: cls.seq_relationship.bias" in capsys.readouterr().out


def test_activations_of_config_json_are_used(tmp_path):
    model = hub_model("Albert", hidden_act="gelu_new")
    model.save_pretrained(tmp_path)
    ours, theirs = inputs("Albert")
    read = from_pretrained(tmp_path)
    assert read.options["activation"] == "gelu_tanh"
    assert largest_difference(read(ours)["states"], answers(model, theirs).last_hidden_state, ours["mask"]) < TOLERANCE


def test_labels_are_read_and_written(tmp_path):
    labels = {0: "bad", 1: "fair", 2: "good"}
    model = hub_model("Bert", "ForSequenceClassification", id2label=labels, label2id={v: k for k, v in labels.items()})
    model.save_pretrained(tmp_path / "theirs")
    read = from_pretrained(tmp_path / "theirs")
    assert read.labels == ["bad", "fair", "good"]
    to_pretrained(read, tmp_path / "ours")
    assert transformers.AutoConfig.from_pretrained(tmp_path / "ours").id2label == labels


def test_shards_are_read(tmp_path):
    model = hub_model("Bert", size="wide")
    model.save_pretrained(tmp_path, max_shard_size="50KB")
    assert len(list(tmp_path.glob("model-*.safetensors"))) > 1
    ours, theirs = inputs("Bert")
    states = from_pretrained(tmp_path)(ours)["states"]
    assert largest_difference(states, answers(model, theirs).last_hidden_state, ours["mask"]) < TOLERANCE


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_read_as_float32(dtype, tmp_path):
    model = hub_model("Bert").to(getattr(torch, dtype))
    model.save_pretrained(tmp_path)
    read = from_pretrained(tmp_path)
    assert read.embeddings.token_embedding.embeddings.dtype == "float32"
    expected = model.embeddings.word_embeddings.weight.detach().float().numpy()
    assert np.array_equal(np.array(read.embeddings.token_embedding.embeddings), expected)


def test_names_of_the_first_checkpoints_are_read(tmp_path):
    from safetensors.numpy import load_file, save_file

    hub_model("Bert").save_pretrained(tmp_path)
    path = tmp_path / "model.safetensors"
    ends = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
    tensors = load_file(path)
    renamed = {}
    for name, tensor in tensors.items():
        end = next((end for end in ends if name.endswith(end)), None)
        renamed[name.removesuffix(end) + ends[end] if end else name] = tensor
    assert set(renamed) != set(tensors)
    before = from_pretrained(tmp_path)(inputs("Bert")[0])["states"]
    save_file(renamed, path)
    assert np.array_equal(before, from_pretrained(tmp_path)(inputs("Bert")[0])["states"])


def changed(folder, change):
    """Writes a random BERT whose tensors `change` has changed."""
    from safetensors.numpy import load_file, save_file

    hub_model("Bert", "ForMaskedLM").save_pretrained(folder)
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")


def test_tensors_without_a_use_are_printed_by_name(tmp_path, capsys):
    changed(tmp_path, lambda tensors: tensors.update({"cls.seq_relationship.weight": np.ones((2, 16), "float32")}))
    from_pretrained(tmp_path)
    assert capsys.readouterr().out == f"{tmp_path}: not used: cls.seq_relationship.weight\n"


def test_missing_tensors_are_named(tmp_path):
    changed(tmp_path, lambda tensors: tensors.pop("bert.encoder.layer.0.output.dense.bias"))
    with pytest.raises(UserError, match=r"expected encoder\.layer\.0\.output\.dense\.bias; received a checkpoint"):
        from_pretrained(tmp_path)


def test_a_clash_of_shapes_names_the_tensor(tmp_path):
    name = "bert.encoder.layer.0.output.dense.weight"
    changed(tmp_path, lambda tensors: tensors.update({name: np.ascontiguousarray(tensors[name].T)}))
    with pytest.raises(UserError, match=r"layer\.0\.output\.dense\.weight of shape \(16, 32\), received \(32, 16\)"):
        from_pretrained(tmp_path)


def test_a_pickle_alone_is_refused_with_the_command_that_converts_it(tmp_path):
    hub_model("Bert").save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").rename(tmp_path / "pytorch_model.bin")
    with pytest.raises(UserError, match="a pickle, which can run code when it is read.*save_pretrained"):
        from_pretrained(tmp_path)


def test_a_cut_off_file_is_named(tmp_path):
    hub_model("Bert").save_pretrained(tmp_path)
    path = tmp_path / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UserError, match="model.safetensors: expected a whole safetensors file"):
        from_pretrained(tmp_path)


def test_shards_outside_the_folder_are_refused(tmp_path):
    hub_model("Bert").save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").rename(tmp_path.parent / f"{tmp_path.name}.safetensors")
    index = {"weight_map": {"embeddings.word_embeddings.weight": f"../{tmp_path.name}.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(UserError, match="expected names of files in the folder"):
        from_pretrained(tmp_path)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"model_type": "llama"}, "expected a model_type of albert, bert, .*; received llama"),
        ({"position_embedding_type": "relative_key"}, "expected position_embedding_type absolute, received relative"),
        ({"is_decoder": True}, "expected is_decoder False, received True"),
        ({"hidden_act": "mish"}, "expected the activation gelu or relu or gelu_new or silu or swish, received mish"),
        ({"architectures": ["BertForMultipleChoice"]}, "received BertForMultipleChoice"),
    ],
)
def test_settings_that_no_model_of_ours_has_are_refused(settings, message, tmp_path):
    hub_model("Bert").save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))
    with pytest.raises(UserError, match=message):
        from_pretrained(tmp_path)


@pytest.mark.parametrize("content", [None, "{", "\xff"])
def test_a_folder_without_readable_settings_is_refused(content, tmp_path):
    if content is not None:
        (tmp_path / "config.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(UserError, match="config.json"):
        from_pretrained(tmp_path)


@pytest.mark.parametrize("option, value, right", [("pooling", "mean", "'first'"), ("hidden_activation", "tanh", None)])
def test_a_classifier_that_transformers_computes_otherwise_is_not_written(option, value, right, tmp_path):
    encoder = BertEncoder(20, num_layers=1, num_heads=1, hidden_dim=4, intermediate_dim=4)
    model = SequenceClassifier(encoder, ["good", "bad"], **{option: value})
    model({"tokens": np.ones((1, 2), "int32")})
    message = f"expected {option}={right}, as BertForSequenceClassification has; received '{value}'"
    with pytest.raises(UserError, match=message):
        to_pretrained(model, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_model_of_no_family_is_not_written(tmp_path):
    encoder = BertEncoder(20, num_layers=1, num_heads=1, hidden_dim=4, intermediate_dim=4)
    with pytest.raises(UserError, match="received SentenceEncoder"):
        to_pretrained(SentenceEncoder(encoder), tmp_path / "new")
    assert not (tmp_path / "new").exists()
