"""What a family of checkpoints says of itself: names of settings, names of tensors, heads."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.hub.tables import Row

ACTIVATIONS = {"gelu": "gelu", "relu": "relu", "gelu_new": "gelu_tanh", "silu": "silu", "swish": "silu"}
"""Hugging Face's names of activations, and Keras's."""

NEEDS = {"position_embedding_type": "absolute", "is_decoder": False, "add_cross_attention": False}
"""Settings of every encoder that only have one value here."""


class Head(NamedTuple):
    """A model on top of an encoder.

    Args:
        model: Name of our class, in `attention_zoo.pipelines.models`; "" if the encoder itself has the head.
        rows: The rows of the head's own weights.
        options: Function of the settings of config.json to options of the class. Defaults to none.
        ignored: Names of tensors that the checkpoint has twice, such as tied weights. Defaults to none.
        fits: Where the encoder itself has the head: function of its options to whether it does. Defaults to `None`: its
            options are those that `options` says whatever the settings are.
        infix: What stands before the end in the names of transformers' classes. Defaults to "For".
        fixed: Options of our class that transformers' class always has, and config.json does not say. Defaults to none.
    """

    model: str
    rows: list[Row]
    options: Callable[[Mapping[str, Any]], dict[str, Any]] = lambda config: {}
    ignored: tuple[str, ...] = ()
    fits: Callable[[Mapping[str, Any]], bool] | None = None
    infix: str = "For"
    fixed: Mapping[str, Any] = {}


@dataclass(frozen=True)
class Family:
    """A family of encoders.

    Args:
        model_type: "model_type" of config.json, such as "bert".
        prefix: What the names of the encoder's tensors begin with under a head, such as "bert.".
        classes: What the names of transformers' classes begin with, such as "Bert" of "BertForMaskedLM".
        encoder: Name of our class, in `attention_zoo.pipelines.models`.
        options: Dict of our names of options to theirs in config.json.
        rows: Function of the encoder's options to its rows; names are without the prefix.
        heads: Dict of the ends of transformers' classes, such as "MaskedLM", to heads.
        needs: Settings of config.json that only have one value here. Defaults to none.
        fixed: Options that config.json does not say. Defaults to none.
        ignored: Ends of names of tensors that are not weights. Defaults to that of BERT's positions.
        poolers: Names of tensors of which an encoder with a pooler has one; none if the class has no `pooler`. Defaults
            to BERT's and ALBERT's.
        activation: Their default of the activation. Defaults to "gelu".
    """

    model_type: str
    prefix: str
    classes: str
    encoder: str
    options: Mapping[str, str]
    rows: Callable[[Mapping[str, Any]], list[Row]]
    heads: Mapping[str, Head]
    needs: Mapping[str, Any] = field(default_factory=dict)
    fixed: Mapping[str, Any] = field(default_factory=dict)
    ignored: tuple[str, ...] = ("embeddings.position_ids",)
    poolers: tuple[str, ...] = ("pooler.weight", "pooler.dense.weight")
    activation: str = "gelu"

    def read_options(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the options of our encoder that a config.json says.

        Raises:
            UserError: The settings need something that the model does not have.
        """
        return {**read_options(config, self.options, NEEDS | dict(self.needs), self.activation), **self.fixed}

    def example(self, config: Mapping[str, Any]) -> Any:
        """Returns inputs that build the model of a config.json."""
        return {"tokens": np.ones((1, 2), "int32")}

    def write_config(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the settings of config.json for options of our encoder; the inverse of `read_options`."""
        return write_options(options, self.options) | {"model_type": self.model_type}


def read_options(
    config: Mapping[str, Any], names: Mapping[str, str], needs: Mapping[str, Any], activation: str = "gelu"
) -> dict[str, Any]:
    """Returns the options of one of our models that a config.json says.

    Args:
        config: The settings.
        names: Dict of our names of options to theirs; "activation" is one of them.
        needs: Settings that only have one value here, which is theirs by default.
        activation: Their default of the activation. Defaults to "gelu".

    Raises:
        UserError: The settings need something that the model does not have.

    Example:

    >>> names = {"hidden_dim": "hidden_size", "activation": "hidden_act"}
    >>> read_options({"hidden_size": 8, "hidden_act": "gelu_new"}, names, needs={"is_decoder": False})
    {'hidden_dim': 8, 'activation': 'gelu_tanh'}
    """
    for name, needed in needs.items():
        if config.get(name, needed) != needed:
            raise UserError(f"config.json: expected {name} {needed}, received {config[name]}")
    found = {ours: config[theirs] for ours, theirs in names.items() if config.get(theirs) is not None}
    activation = found.get("activation", activation)
    if activation not in ACTIVATIONS:
        raise UserError(f"config.json: expected the activation {' or '.join(ACTIVATIONS)}, received {activation}")
    return {**found, "activation": ACTIVATIONS[activation]}


def write_options(options: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Returns the settings of config.json for options of one of our models; the inverse of `read_options`.

    Example:

    >>> write_options({"activation": "gelu_tanh"}, {"activation": "hidden_act"})
    {'hidden_act': 'gelu_new'}
    """
    activations = {ours: theirs for theirs, ours in ACTIVATIONS.items()}
    written = {theirs: options[ours] for ours, theirs in names.items()}
    return written | {names["activation"]: activations[options["activation"]]}
