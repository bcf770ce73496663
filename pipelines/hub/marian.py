"""MarianMT's checkpoints, such as OPUS-MT's: how Hugging Face names their settings and tensors."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.hub.family import Family, Head
from attention_zoo.pipelines.hub.tables import FLAT, LINEAR, LINEAR_FROM_HEADS, SAME, Hook, Row, dense_rows, norm_rows

OPTIONS = {
    "vocabulary_size": "vocab_size",
    "num_layers": "encoder_layers",
    "num_decoder_layers": "decoder_layers",
    "num_heads": "encoder_attention_heads",
    "num_decoder_heads": "decoder_attention_heads",
    "embedding_dim": "d_model",
    "intermediate_dim": "encoder_ffn_dim",
    "decoder_intermediate_dim": "decoder_ffn_dim",
    "max_length": "max_position_embeddings",
    "dropout": "dropout",
    "attention_dropout": "attention_dropout",
    "activation": "activation_function",
    "scale": "scale_embedding",
    "pad_token": "pad_token_id",
    "start_token": "decoder_start_token_id",
    "end_token": "eos_token_id",
}
NEEDS = {
    "activation_dropout": 0.0,
    "add_final_layer_norm": False,
    "normalize_before": False,
    "normalize_embedding": False,
    "share_encoder_decoder_embeddings": True,
    "static_position_embeddings": True,
    "tie_word_embeddings": True,
}
"""Settings that only have one value here."""
IDS = ("pad_token_id", "decoder_start_token_id", "eos_token_id")

PROJECTIONS = {"query": "q_proj", "key": "k_proj", "value": "v_proj", "attention_output": "out_proj"}
ATTENTIONS = {"self_attention": "self_attn", "cross_attention": "encoder_attn"}
OF_ALL_ROWS = Hook(FLAT.read, lambda weight: weight.reshape(1, -1))
"""(1, V), for a bias (V,)."""
TIED = ("embed_tokens.weight", "lm_head.weight")  # the embeddings once more
STATIC = "embed_positions.weight"  # sinusoids


class MarianFamily(Family):
    """MarianMT's: encoder and decoder share one vocabulary and its embeddings."""

    def read_options(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the options of the `MarianTranslator` that a config.json says, without the bias of the output.

        Raises:
            UserError: The settings need something that the model does not have.

        Example:

        >>> found = MARIAN.read_options({"vocab_size": 9, "d_model": 512, "activation_function": "swish"})
        >>> found["embedding_dim"], found["activation"], found["scale"]
        (512, 'silu', False)
        """
        size = config.get("vocab_size")
        if config.get("decoder_vocab_size") not in (None, size):
            expected = f"expected decoder_vocab_size {size}, that of vocab_size"
            raise UserError(f"config.json: {expected}; received {config['decoder_vocab_size']}")
        for name in IDS:
            if not isinstance(config.get(name, 0), int):
                raise UserError(f"config.json: expected {name} to be one id, received {config[name]}")
        # What MarianConfig has where a config.json is silent.
        return {"scale": False, "max_length": 1024} | super().read_options(config) | {"output_bias": False}

    def example(self, config: Mapping[str, Any]) -> Any:
        """Returns inputs that build the model of a config.json."""
        return {"source": np.ones((1, 2), "int32"), "target": np.ones((1, 2), "int32")}

    def write_config(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the settings of config.json for options of our model; the inverse of `read_options`."""
        written = super().write_config(options)
        same = {"decoder_vocab_size": options["vocabulary_size"], "forced_eos_token_id": options["end_token"]}
        return written | same | {"is_encoder_decoder": True, "share_encoder_decoder_embeddings": True}


def rows(options: Mapping[str, Any]) -> list[Row]:
    """Returns the rows of a `MarianTranslator` with these options, without the bias of the output."""
    found = [Row("embedding/tokens/embeddings", "shared.weight", SAME)]
    for part, layers in (("encoder", "num_layers"), ("decoder", "num_decoder_layers")):
        for number in range(options[layers]):
            path, name = f"{part}_{number}", f"{part}.layers.{number}"
            for ours, theirs in list(ATTENTIONS.items())[: 1 if part == "encoder" else 2]:
                for projection, projected in PROJECTIONS.items():
                    hook = LINEAR_FROM_HEADS if projection == "attention_output" else LINEAR
                    found += dense_rows(f"{path}/{ours}/{projection}", f"{name}.{theirs}.{projected}", hook)
                found += norm_rows(f"{path}/{ours}_norm", f"{name}.{theirs}_layer_norm")
            found += dense_rows(f"{path}/feed_forward_in", f"{name}.fc1")
            found += dense_rows(f"{path}/feed_forward_out", f"{name}.fc2")
            found += norm_rows(f"{path}/feed_forward_norm", f"{name}.final_layer_norm")
    return found


MARIAN = MarianFamily(
    "marian",
    "model.",
    "Marian",
    "MarianTranslator",
    OPTIONS,
    rows,
    {
        "MTModel": Head(
            "",
            [Row("bias", "final_logits_bias", OF_ALL_ROWS)],
            lambda config: {"output_bias": True},
            infix="",
        )
    },
    needs=NEEDS,
    ignored=(*TIED, STATIC),
    poolers=(),
)
