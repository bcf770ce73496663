"""XLNet's checkpoints: outputs equal those of transformers, and settings that the model lacks are refused."""

import numpy as np
import pytest
import tensorflow as tf
from known_encoders import write_xlnet

from attention_zoo.pipelines.__main__ import main
from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.hub import from_pretrained, to_pretrained
from attention_zoo.pipelines.hub.loading import load_ability
from attention_zoo.pipelines.hub.xlnet import XLNET
from attention_zoo.pipelines.models import AnswerFinder, SequenceClassifier, TokenClassifier

THEIRS = {  # width, layers, heads, inner width
    "one_layer": (16, 1, 2, 32),
    "deep": (24, 4, 3, 40),
    "wide": (64, 2, 8, 128),
}


WORDS = "ann went to rome .".split()
HEADS = {
    "classify": lambda encoder: SequenceClassifier(encoder, ["bad", "good"], "tanh"),
    "entities": lambda encoder: TokenClassifier(encoder, ["O", "B-LOC", "I-LOC"]),
    "answer": AnswerFinder,
}


def both(folder, size, head="XLNetLMHeadModel", **settings):
    """Returns (ours, theirs): a random model of transformers, and ours of the folder that it writes."""
    transformers = pytest.importorskip("transformers", reason="the extra `backends` has transformers")
    torch = pytest.importorskip("torch", reason="the extra `backends` has PyTorch")
    torch.manual_seed(3)
    names = ("d_model", "n_layer", "n_head", "d_inner")
    config = transformers.XLNetConfig(vocab_size=60, **dict(zip(names, THEIRS[size])), **settings)
    theirs = getattr(transformers, head)._from_config(config, attn_implementation="eager")
    for name, weights in theirs.named_parameters():
        torch.nn.init.normal_(weights, mean=float("layer_norm.weight" in name), std=0.2)
    theirs.save_pretrained(folder)
    return from_pretrained(folder), theirs.eval()


def answers(theirs, inputs, **options):
    import torch

    with torch.no_grad():
        return theirs(
            **{name: torch.tensor(value) for name, value in inputs.items()}, output_attentions=True, **options
        )


def check(differences):
    print(f"largest difference: {max(np.max(difference) for difference in differences):.1e}")
    assert max(np.max(difference) for difference in differences) < 1e-4


@pytest.mark.backends
@pytest.mark.parametrize("clamp_len", [-1, 3])
@pytest.mark.parametrize("size", THEIRS)
def test_content_equals_transformers_with_left_padding_and_segments(size, clamp_len, tmp_path, capsys):
    model, theirs = both(tmp_path, size, "XLNetModel", clamp_len=clamp_len)
    assert "not used" not in capsys.readouterr().out
    random = np.random.default_rng(0)
    tokens, segments = random.integers(6, 60, (3, 9)), random.integers(0, 3, (3, 9))
    mask = (np.arange(9) < np.array([[9], [4], [1]]))[:, ::-1].copy()
    inputs = {"tokens": tokens, "mask": mask, "segments": segments}
    outputs, scores = model(inputs, return_attention_scores=True)
    expected = answers(
        theirs,
        {"input_ids": tokens, "attention_mask": mask.astype("float32"), "token_type_ids": segments},
        output_hidden_states=True,
    )
    found = [np.abs(outputs["states"] - expected.last_hidden_state.numpy())[mask]]
    for number, attention in enumerate(expected.attentions, 1):
        found.append(np.abs(scores[f"encoder/{number}"] - attention.numpy()).swapaxes(1, 2)[mask])
    check(found)


@pytest.mark.backends
@pytest.mark.parametrize("segmented", [False, True])
@pytest.mark.parametrize("size", THEIRS)
def test_predictions_equal_transformers_with_orders_targets_and_memory(size, segmented, tmp_path):
    model, theirs = both(tmp_path, size, mem_len=7)
    random = np.random.default_rng(0)
    first, tokens, segments = (random.integers(low, high, (3, 9)) for low, high in ((6, 60), (6, 60), (0, 2)))
    order = np.argsort(random.normal(size=(3, 9)))
    allowed = order[:, None, :] < order[:, :, None]  # True = may attend
    # Theirs gives a target that sees nothing the mean of all tokens; behind a memory there is none such.
    targets = np.array([[0, 4], [8, 3], [5, 6]])
    before = model({"tokens": first})
    expected = answers(theirs, {"input_ids": first}, use_mems=True)
    found = [np.abs(np.swapaxes(before["memory"], 0, 1)[number] - mems.numpy().swapaxes(0, 1)) for number, mems in
             enumerate(expected.mems)]  # fmt: skip
    memory = {name: before[name] for name in ("memory", "memory_mask")}
    inputs = {"tokens": tokens, "permutation_mask": allowed, "targets": targets} | memory
    more = {"token_type_ids": segments} if segmented else {}
    outputs, scores = model(inputs | ({"segments": segments} if segmented else {}), return_attention_scores=True)
    mapping = np.eye(9, dtype="float32")[targets]
    expected = answers(
        theirs,
        {"input_ids": tokens, "perm_mask": 1.0 - allowed.astype("float32"), "target_mapping": mapping} | more,
        mems=expected.mems,
        use_mems=True,
        output_hidden_states=True,
    )
    content, predicted = expected.hidden_states[-2:]  # of the last layer
    found.append(np.abs(outputs["logits"] - expected.logits.numpy()))
    found.append(np.abs(outputs["states"] - content.numpy()))
    found.append(np.abs(outputs["target_states"] - predicted.numpy()))
    for number, (of_content, of_targets) in enumerate(expected.attentions, 1):
        found.append(np.abs(scores[f"encoder/{number}"] - of_content.numpy()))
        rows = np.take_along_axis(of_targets.numpy(), targets[:, None, :, None], axis=2)
        found.append(np.abs(scores[f"encoder/{number}/query"] - rows))
    for number, mems in enumerate(expected.mems):
        found.append(np.abs(np.array(outputs["memory"])[:, number] - mems.numpy().swapaxes(0, 1)))
    check(found)


@pytest.mark.backends
@pytest.mark.parametrize("head", ["XLNetLMHeadModel", "XLNetModel"])
def test_transformers_loads_what_we_write_with_equal_outputs(head, tmp_path):
    import torch
    import transformers

    model, theirs = both(tmp_path / "theirs", "deep", head, clamp_len=3, mem_len=7)
    to_pretrained(model, tmp_path / "ours")
    again, report = getattr(transformers, head).from_pretrained(tmp_path / "ours", output_loading_info=True)
    assert not any(report[name] for name in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    tokens = torch.tensor(np.random.default_rng(0).integers(6, 60, (2, 9)))
    with torch.no_grad():
        np.testing.assert_array_equal(again(tokens)[0].numpy(), theirs(tokens)[0].numpy())
    assert (again.config.clamp_len, again.config.mem_len) == (3, 7)


@pytest.mark.backends
@pytest.mark.parametrize("head", ["SequenceClassification", "TokenClassification", "QuestionAnsweringSimple"])
def test_logits_of_heads_equal_transformers_both_ways(head, tmp_path, capsys):
    import torch
    import transformers

    labels = {} if head == "QuestionAnsweringSimple" else {"num_labels": 3}
    model, theirs = both(tmp_path / "theirs", "deep", f"XLNetFor{head}", **labels)
    assert "not used" not in capsys.readouterr().out
    random = np.random.default_rng(0)
    tokens, segments = random.integers(6, 60, (3, 9)), random.integers(0, 3, (3, 9))
    mask = (np.arange(9) < np.array([[9], [4], [1]]))[:, ::-1].copy()  # theirs reads the last column
    inputs = {"input_ids": tokens, "attention_mask": mask.astype("float32"), "token_type_ids": segments}
    logits = np.array(model({"tokens": tokens, "mask": mask, "segments": segments})["logits"])
    expected = answers(theirs, inputs)
    by_token = head != "SequenceClassification"
    names = ("start_logits", "end_logits") if head == "QuestionAnsweringSimple" else ("logits",)
    found = [getattr(expected, name).numpy() for name in names]
    found = found[0] if len(found) == 1 else np.stack(found, axis=-1)
    check([np.abs(logits - found)[mask] if by_token else np.abs(logits - found)])
    if not by_token:  # padding at the right, as our tokenisers have it
        rows = {"tokens": tokens, "mask": mask, "segments": segments}
        right = {name: np.stack([np.roll(row, m.sum(), 0) for row, m in zip(rows[name], mask)]) for name in rows}
        check([np.abs(np.array(model(right)["logits"]) - found)])
    to_pretrained(model, tmp_path / "ours")
    kind = getattr(transformers, f"XLNetFor{head}")
    again, report = kind.from_pretrained(tmp_path / "ours", output_loading_info=True)
    assert not any(report[name] for name in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    with torch.no_grad():
        np.testing.assert_array_equal(again(torch.tensor(tokens))[0].numpy(), theirs(torch.tensor(tokens))[0].numpy())


@pytest.mark.parametrize("sentence_pieces", [False, True], ids=["word_pieces", "sentence_pieces"])
@pytest.mark.parametrize("task", HEADS)
def test_a_head_answers_raw_text_alone_as_in_a_batch(task, sentence_pieces, tmp_path):
    folder = write_xlnet(tmp_path / "xlnet", WORDS, sentence_pieces, HEADS[task], output_bias=False)
    ability = load_ability(folder)
    assert ability.name == task and load_ability(folder, "embed").name == "embed"
    texts = [tf.constant(["Ann went to Rome. Ann went.", "Rome."])]
    texts = [tf.constant(["Who?", "Where?"]), *texts] if task == "answer" else texts
    together, alone = ability.attend(*texts), ability.attend(*(text[1:] for text in texts))
    assert not np.any(alone["error"].numpy() != b"") and alone["attention"].shape[1:3] == (2, 2)
    for name, value in alone.items():
        beside = together[name][1][tuple(map(slice, value.shape[1:]))]
        if value.dtype.is_floating:
            np.testing.assert_allclose(beside, value[0], atol=1e-5)
        else:
            np.testing.assert_array_equal(beside, value[0])


def test_an_xlnet_with_sentence_pieces_is_served(tmp_path, session_run):
    folder = write_xlnet(tmp_path / "classes", WORDS, True, HEADS["classify"], output_bias=False)
    assert main(["load", str(folder), "--task", "classify", "--directory", str(tmp_path / "saved")]) == 0
    model = from_pretrained(folder)
    texts = ["ann went", "rome"]
    answers = session_run(tmp_path / "saved" / "classify" / "1", "serving_default", {"text": texts})
    for row, text in enumerate(texts):
        shares = tf.nn.softmax(model(model.tokenizer(tf.constant([text])))["logits"])[0].numpy()
        np.testing.assert_allclose(answers["confidences"][row], np.sort(shares)[::-1], atol=1e-5)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"summary_type": "mean"}, "expected summary_type last or first, received mean"),
        ({"summary_use_proj": False}, "expected summary_use_proj True, received False"),
        ({"summary_activation": None}, "expected summary_activation tanh, received None"),
    ],
)
def test_a_summary_that_the_classifier_does_not_have_is_refused(settings, message):
    with pytest.raises(UserError, match=message):
        XLNET.heads["SequenceClassification"].options(settings)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"attn_type": "uni"}, "expected attn_type bi, received uni"),
        ({"bi_data": True}, "expected bi_data False, received True"),
        ({"d_head": 3}, "expected d_head d_model / n_head, 4.0; received 3"),
        ({"ff_activation": "mish"}, "expected the activation gelu or relu or gelu_new or silu or swish, received mish"),
    ],
)
def test_settings_that_the_model_does_not_have_are_refused(settings, message):
    with pytest.raises(UserError, match=message):
        XLNET.read_options({"d_model": 8, "n_head": 2} | settings)
