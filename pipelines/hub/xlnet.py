"""XLNet's checkpoints: how Hugging Face names their settings and tensors."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.hub.family import Family, Head
from attention_zoo.pipelines.hub.heads import answers, classifier, tagger
from attention_zoo.pipelines.hub.tables import SAME, Hook, Row, dense_rows, norm_rows

OPTIONS = {
    "vocabulary_size": "vocab_size",
    "num_layers": "n_layer",
    "num_heads": "n_head",
    "hidden_dim": "d_model",
    "intermediate_dim": "d_inner",
    "dropout": "dropout",
    "attention_dropout": "dropout",
    "activation": "ff_activation",
    "layer_norm_epsilon": "layer_norm_eps",
    "pad_token": "pad_token_id",
    "memory_length": "mem_len",
    "reuse_length": "reuse_len",
    "clamp_length": "clamp_len",
    "text_token": "summary_type",
}
SUMMARY = {"summary_type": ("last", "first"), "summary_use_proj": (True,), "summary_activation": ("tanh",)}
"""Settings of the layer before the classes of a text, the first of which is the default, and what they can be here."""
NEEDS = {"attn_type": "bi", "bi_data": False, "same_length": False, "tie_word_embeddings": True, "untie_r": True}
"""Settings that only have one value here."""

ATTENTION = {
    "query/kernel": "q",
    "key/kernel": "k",
    "value/kernel": "v",
    "position/kernel": "r",
    "content_bias": "r_w_bias",
    "position_bias": "r_r_bias",
    "segment_bias": "r_s_bias",
    "segment_embedding": "seg_embed",
}
OUT_OF_HEADS = Hook(
    lambda tensor, shape: np.moveaxis(tensor, 0, -1).reshape(shape), lambda weight: np.moveaxis(weight, -1, 0)
)
"""(out, H, d), for a kernel (H, d, out)."""


class XLNetFamily(Family):
    """XLNet's: lengths that are not there are `None` for us, and -1 or `None` for them."""

    def read_options(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the options of the `XLNetEncoder` that a config.json says, without the head that predicts tokens.

        A "mem_len" of `None` or 0, with which transformers keeps all tokens, gives a `memory_length` of 0: none.

        Raises:
            UserError: The settings need something that the model does not have.

        Example:

        >>> found = XLNET.read_options({"d_model": 768, "clamp_len": -1, "mem_len": None, "dropout": 0.1})
        >>> found["hidden_dim"], found["clamp_length"], found["memory_length"], found["attention_dropout"]
        (768, None, 0, 0.1)
        """
        found = super().read_options(config)
        heads, width = config.get("n_head", 16), config.get("d_model", 1024)
        if (config.get("d_head") or width // heads) * heads != width:
            expected = f"d_head d_model / n_head, {width / heads}"
            raise UserError(f"config.json: expected {expected}; received {config['d_head']}")
        clamp, reuse = found.get("clamp_length", -1), found.get("reuse_length", 0)
        return found | {
            "output_bias": False,
            "memory_length": found.get("memory_length", 0),
            "clamp_length": clamp if clamp > 0 else None,
            "reuse_length": reuse if reuse > 0 else None,
            "text_token": "first" if found.get("text_token") == "first" else "last",
        }

    def write_config(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the settings of config.json for options of our model; the inverse of `read_options`."""
        if options["dropout"] != options["attention_dropout"]:
            shares = f"{options['dropout']} and {options['attention_dropout']}"
            expected = "dropout and attention_dropout to be equal, as config.json"
            raise UserError(f"model: expected {expected}; received {shares}")
        changed = {
            "clamp_len": options["clamp_length"] or -1,
            "d_head": options["hidden_dim"] // options["num_heads"],
        }
        return super().write_config(options) | changed


def rows(options: Mapping[str, Any]) -> list[Row]:
    """Returns the rows of an `XLNetEncoder` with these options."""
    found = [Row("tokens/embeddings", "word_embedding.weight", SAME), Row("target_embedding", "mask_emb", SAME)]
    for number in range(options["num_layers"]):
        path, name = f"encoder_{number}", f"layer.{number}"
        attention = f"{path}/self_attention"
        found += [Row(f"{attention}/{ours}", f"{name}.rel_attn.{theirs}", SAME) for ours, theirs in ATTENTION.items()]
        found.append(Row(f"{attention}/attention_output/kernel", f"{name}.rel_attn.o", OUT_OF_HEADS))
        found += norm_rows(f"{path}/self_attention_norm", f"{name}.rel_attn.layer_norm")
        found += dense_rows(f"{path}/feed_forward_in", f"{name}.ff.layer_1")
        found += dense_rows(f"{path}/feed_forward_out", f"{name}.ff.layer_2")
        found += norm_rows(f"{path}/feed_forward_norm", f"{name}.ff.layer_norm")
    return found


def summary_classifier() -> Head:
    """Returns the head of `XLNetForSequenceClassification`, which refuses what `SUMMARY` does not have."""
    head = classifier(
        dense_rows("hidden", "sequence_summary.summary") + dense_rows("classes", "logits_proj"),
        "tanh",
        "summary_last_dropout",
    )

    def options(config: Mapping[str, Any]) -> dict[str, Any]:
        for name, known in SUMMARY.items():
            if (received := config.get(name, known[0])) not in known:
                raise UserError(f"config.json: expected {name} {' or '.join(map(str, known))}, received {received}")
        return head.options(config)

    return Head(head.model, head.rows, options, fixed=head.fixed)


XLNET = XLNetFamily(
    "xlnet",
    "transformer.",
    "XLNet",
    "XLNetEncoder",
    OPTIONS,
    rows,
    {
        "LMHeadModel": Head(
            "",
            [Row("bias", "lm_loss.bias", SAME)],
            lambda config: {"output_bias": True},
            ignored=("lm_loss.weight",),  # the embeddings once more
            infix="",
        ),
        "SequenceClassification": summary_classifier(),
        "TokenClassification": tagger(),
        "QuestionAnsweringSimple": answers(),
    },
    needs=NEEDS,
    ignored=(),
    poolers=(),
)
