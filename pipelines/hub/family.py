"""What a family of checkpoints says of itself: names of settings, names of tensors, heads."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.hub.tables import Row

ACTIVATIONS = {"gelu": "gelu", "relu": "relu", "gelu_new": "gelu_tanh"}
"""Hugging Face's names of activations, and Keras's."""

NEEDS = {"position_embedding_type": "absolute", "is_decoder": False, "add_cross_attention": False}
"""Settings of every encoder that only have one value here."""


class Head(NamedTuple):
    """A model on top of an encoder.

    Args:
        model: Name of our class, in `attention_zoo.pipelines.models`.
        rows: The rows of the head's own weights.
        options: Function of the settings of config.json to options of the class. Defaults to none.
        ignored: Names of tensors that the checkpoint has twice, such as tied weights. Defaults to none.
    """

    model: str
    rows: list[Row]
    options: Callable[[Mapping[str, Any]], dict[str, Any]] = lambda config: {}
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True)
class Family:
    """A family of encoders.

    Args:
        model_type: "model_type" of config.json, such as "bert".
        classes: What the names of transformers' classes begin with, such as "Bert" of "BertForMaskedLM".
        encoder: Name of our class, in `attention_zoo.pipelines.models`.
        options: Dict of our names of options to theirs in config.json.
        rows: Function of the encoder's options to its rows; names are without the prefix `{model_type}.`.
        heads: Dict of the ends of transformers' classes, such as "MaskedLM", to heads.
        needs: Settings of config.json that only have one value here. Defaults to none.
        fixed: Options that config.json does not say. Defaults to none.
        ignored: Names of tensors of the encoder that are not weights. Defaults to that of BERT's positions.
    """

    model_type: str
    classes: str
    encoder: str
    options: Mapping[str, str]
    rows: Callable[[Mapping[str, Any]], list[Row]]
    heads: Mapping[str, Head]
    needs: Mapping[str, Any] = field(default_factory=dict)
    fixed: Mapping[str, Any] = field(default_factory=dict)
    ignored: tuple[str, ...] = ("embeddings.position_ids",)

    @property
    def prefix(self) -> str:
        """What the names of the encoder's tensors begin with under a head."""
        return f"{self.model_type}."

    def read_options(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the options of our encoder that a config.json says.

        Raises:
            UserError: The settings need something that the model does not have.
        """
        for name, needed in (NEEDS | dict(self.needs)).items():
            if config.get(name, needed) != needed:
                raise UserError(f"config.json: expected {name} {needed}, received {config[name]}")
        found = {ours: config[theirs] for ours, theirs in self.options.items() if config.get(theirs) is not None}
        activation = found.get("activation", "gelu")
        if activation not in ACTIVATIONS:
            raise UserError(f"config.json: expected the activation {' or '.join(ACTIVATIONS)}, received {activation}")
        return {**found, "activation": ACTIVATIONS[activation], **self.fixed}

    def write_config(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the settings of config.json for options of our encoder; the inverse of `read_options`."""
        theirs = {ours: name for name, ours in ACTIVATIONS.items()}
        written = {name: options[ours] for ours, name in self.options.items()}
        activation = self.options["activation"]
        return written | {"model_type": self.model_type, activation: theirs[written[activation]]}
