"""GPT-2's checkpoints: how Hugging Face names their settings and tensors."""

from collections.abc import Mapping
from typing import Any

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.hub.family import Family, Head
from attention_zoo.pipelines.hub.tables import CONV1D, CONV1D_FROM_HEADS, FLAT, SAME, Row, dense_rows, norm_rows, part

OPTIONS = {
    "vocabulary_size": "vocab_size",
    "num_layers": "n_layer",
    "num_heads": "n_head",
    "hidden_dim": "n_embd",
    "intermediate_dim": "n_inner",
    "max_length": "n_positions",
    "dropout": "resid_pdrop",
    "attention_dropout": "attn_pdrop",
    "activation": "activation_function",
    "layer_norm_epsilon": "layer_norm_epsilon",
}
NEEDS = {
    "scale_attn_weights": True,
    "scale_attn_by_inverse_layer_idx": False,
    "tie_word_embeddings": True,
}
"""Settings that only have one value here."""


class GPT2Family(Family):
    """GPT-2's: the inner width is 4 times the model's if config.json does not say it."""

    def read_options(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the options of the `GPT2Decoder` that a config.json says.

        Raises:
            UserError: The settings need something that the model does not have.

        Example:

        >>> found = GPT2.read_options({"n_embd": 768, "n_inner": None, "activation_function": "gelu_new"})
        >>> found["hidden_dim"], found["intermediate_dim"], found["activation"]
        (768, 3072, 'gelu_tanh')
        """
        found = super().read_options(config)
        residual, embedding = config.get("resid_pdrop", 0.1), config.get("embd_pdrop", 0.1)
        if residual != embedding:
            raise UserError(f"config.json: expected embd_pdrop {residual}, that of resid_pdrop; received {embedding}")
        if "hidden_dim" in found:
            found.setdefault("intermediate_dim", 4 * found["hidden_dim"])
        return found

    def write_config(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the settings of config.json for options of our model; the inverse of `read_options`."""
        return super().write_config(options) | {"embd_pdrop": options["dropout"]}


def rows(options: Mapping[str, Any]) -> list[Row]:
    """Returns the rows of a `GPT2Decoder` with these options."""
    found = [Row("tokens/embeddings", "wte.weight", SAME), Row("positions/embeddings", "wpe.weight", SAME)]
    for number in range(options["num_layers"]):
        path, name = f"decoder_{number}", f"h.{number}"
        attention = f"{path}/self_attention"
        for place, ours in enumerate(("query", "key", "value")):
            found.append(Row(f"{attention}/{ours}/kernel", f"{name}.attn.c_attn.weight", part(place, 3, CONV1D)))
            found.append(Row(f"{attention}/{ours}/bias", f"{name}.attn.c_attn.bias", part(place, 3, FLAT)))
        found += dense_rows(f"{attention}/attention_output", f"{name}.attn.c_proj", CONV1D_FROM_HEADS)
        found += norm_rows(f"{path}/self_attention_norm", f"{name}.ln_1")
        found += norm_rows(f"{path}/feed_forward_norm", f"{name}.ln_2")
        found += dense_rows(f"{path}/feed_forward_in", f"{name}.mlp.c_fc", CONV1D)
        found += dense_rows(f"{path}/feed_forward_out", f"{name}.mlp.c_proj", CONV1D)
    return found + norm_rows("norm", "ln_f")


GPT2 = GPT2Family(
    "gpt2",
    "transformer.",
    "GPT2",
    "GPT2Decoder",
    OPTIONS,
    rows,
    {"LMHeadModel": Head("", [], ignored=("lm_head.weight",), infix="")},  # the embeddings once more
    needs=NEEDS,
    ignored=("attn.bias", "attn.masked_bias"),  # causal masks
    poolers=(),
    activation="gelu_new",
)
