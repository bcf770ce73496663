"""The Vision Transformer's checkpoints: how Hugging Face names their settings and tensors."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.hub.family import Family, Head
from attention_zoo.pipelines.hub.heads import labels_of
from attention_zoo.pipelines.hub.tables import FLAT, SAME, Hook, Row, block_rows, dense_rows, norm_rows

OPTIONS = {
    "image_size": "image_size",
    "patch_size": "patch_size",
    "num_layers": "num_hidden_layers",
    "num_heads": "num_attention_heads",
    "hidden_dim": "hidden_size",
    "intermediate_dim": "intermediate_size",
    "dropout": "hidden_dropout_prob",
    "attention_dropout": "attention_probs_dropout_prob",
    "activation": "hidden_act",
    "layer_norm_epsilon": "layer_norm_eps",
}
DEFAULTS = {
    "image_size": 224,
    "patch_size": 16,
    "num_channels": 3,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "hidden_size": 768,
    "intermediate_size": 3072,
    "layer_norm_eps": 1e-12,
}
"""Settings that a config.json can leave out, where `VisionTransformer` has no default or another one."""
NEEDS = {"qkv_bias": True, "pooler_act": "tanh"}
"""Settings that only have one value here."""
BLOCK = {
    "query": "attention.attention.query",
    "key": "attention.attention.key",
    "value": "attention.attention.value",
    "attention_output": "attention.output.dense",
    "self_attention_norm": "layernorm_before",
    "feed_forward_norm": "layernorm_after",
    "feed_forward_in": "intermediate.dense",
    "feed_forward_out": "output.dense",
}
IN_A_BATCH = Hook(lambda tensor, shape: tensor.reshape(shape), lambda weight: weight[None])
"""The same axes behind one of length 1, which PyTorch's parameter has for the batch."""


class ViTFamily(Family):
    """The Vision Transformer's: it is built on an image, and has a head itself."""

    def read_options(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the options of the `VisionTransformer` that a config.json says, without a head.

        Raises:
            UserError: The settings need something that the model does not have.

        Example:

        >>> found = VIT.read_options({"hidden_size": 192, "image_size": [224, 160]})
        >>> found["hidden_dim"], found["image_size"], found["layer_norm_epsilon"], found["num_classes"]
        (192, (224, 160), 1e-12, None)
        """
        config = with_defaults(config)
        width = config["hidden_size"]
        if (config.get("pooler_output_size") or width) != width:
            received = config["pooler_output_size"]
            raise UserError(
                f"config.json: expected pooler_output_size {width}, that of hidden_size; received {received}"
            )
        found = super().read_options(config)
        sizes = {name: size_of(found[name]) for name in ("image_size", "patch_size")}
        if any(side % patch for side, patch in zip(sizes["image_size"], sizes["patch_size"])):
            expected = f"image_size to be a multiple of patch_size, {config['patch_size']}"
            raise UserError(f"config.json: expected {expected}; received {config['image_size']}")
        return found | sizes | {"num_classes": None}

    def write_config(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the settings of config.json for options of our model; the inverse of `read_options`."""
        sizes = {}
        for name in ("image_size", "patch_size"):
            height, width = size_of(options[name])
            sizes[name] = height if height == width else [height, width]
        return super().write_config(options) | sizes | {"num_channels": options["num_channels"]}

    def example(self, config: Mapping[str, Any]) -> Any:
        """Returns an image of zeros, of the size and the channels that a config.json says."""
        config = with_defaults(config)
        return np.zeros((1, *size_of(config["image_size"]), config["num_channels"]), "float32")


def with_defaults(config: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the settings of a config.json, with defaults for those that it does not say."""
    return DEFAULTS | {name: value for name, value in config.items() if value is not None}


def size_of(size: Any) -> tuple[int, int]:
    """Returns (height, width) of a size that may be one number.

    Example:

    >>> size_of(224), size_of([224, 160])
    ((224, 224), (224, 160))
    """
    height, width = size if isinstance(size, list | tuple) else (size, size)
    return height, width


def of_patches(height: int, width: int) -> Hook:
    """Returns the hook of a convolution (D, C, P, Q), for a kernel (P * Q * C, D)."""

    def read(tensor: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        return tensor.transpose(2, 3, 1, 0).reshape(shape)

    def write(weight: np.ndarray) -> np.ndarray:
        return weight.reshape(height, width, -1, weight.shape[-1]).transpose(3, 2, 0, 1)

    return Hook(read, write)


def rows(options: Mapping[str, Any]) -> list[Row]:
    """Returns the rows of a `VisionTransformer` with these options, without those of a head."""
    projection = "embeddings.patch_embeddings.projection"
    found = [
        Row("embedding/projection/kernel", f"{projection}.weight", of_patches(*size_of(options["patch_size"]))),
        Row("embedding/projection/bias", f"{projection}.bias", FLAT),
        Row("embedding/positions", "embeddings.position_embeddings", IN_A_BATCH),
        Row("embedding/class_token", "embeddings.cls_token", SAME),
    ]
    if options["distilled"]:
        found.append(Row("embedding/distillation_token", "embeddings.distillation_token", SAME))
    for number in range(options["num_layers"]):
        found += block_rows(f"block_{number}", f"encoder.layer.{number}", BLOCK)
    found += norm_rows("norm", "layernorm")
    return found + (dense_rows("pooler", "pooler.dense") if options["pooler"] else [])


def image_classifier(found: list[Row], distillation_head: bool = False) -> Head:
    """Returns the head of classes that end with "ForImageClassification".

    Args:
        found: The rows of its weights.
        distillation_head: Whether it reads the distillation token, too. Defaults to `False`.
    """

    def options(config: Mapping[str, Any]) -> dict[str, Any]:
        labels = labels_of(config)
        head = {"num_classes": len(labels), "labels": labels, "distillation_head": distillation_head}
        return head | {"pooler": False}  # which the head does not read

    def fits(options: Mapping[str, Any]) -> bool:
        return options["num_classes"] is not None and options["distillation_head"] == distillation_head

    return Head("", found, options, fits=fits)


VIT = ViTFamily(
    "vit",
    "vit.",
    "ViT",
    "VisionTransformer",
    OPTIONS,
    rows,
    {"ImageClassification": image_classifier(dense_rows("head", "classifier"))},
    needs=NEEDS,
    fixed={"pooling": "token", "distilled": False},
    ignored=(),
)
