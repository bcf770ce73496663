"""Reads a folder of the Hugging Face Hub into one of our models, and writes one."""

import json
from collections.abc import Container, Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.storage.files import atomic_write
from attention_zoo.pipelines.engine.storage.weights import variables_by_path
from attention_zoo.pipelines.hub.family import Family, Head
from attention_zoo.pipelines.hub.folder import SINGLE, Tensors, read_json
from attention_zoo.pipelines.hub.google_checkpoints import hub_folder
from attention_zoo.pipelines.hub.tables import Row, read_weights, write_weights
from attention_zoo.pipelines.hub.tokenizers import text_reader_of

if TYPE_CHECKING:
    import keras

FAMILIES = (
    "albert",
    "distilbert",
    "bert",
    "roberta",
    "gpt2",
    "marian",
    "xlnet",
    "vit",
    "deit",
)  # of two that have one class, the more special one comes first
PRETRAINING, WITHOUT_PAIRS = "PreTraining", "MaskedLM"  # heads of a whole checkpoint, and of one without a part


def family_of(model_type: str) -> Family:
    """Returns the family of a "model_type".

    Raises:
        UserError: There is none.

    Example:

    >>> family_of("bert").prefix
    'bert.'
    """
    if model_type not in FAMILIES:
        raise UserError(f"config.json: expected a model_type of {', '.join(sorted(FAMILIES))}; received {model_type}")
    return getattr(import_module(f"attention_zoo.pipelines.hub.{model_type}"), model_type.upper())


def from_pretrained(folder: Path | str) -> "keras.Model":
    """Returns the model that a folder of the Hugging Face Hub holds, with its weights.

    The first of "architectures" in config.json says which head it has. Names of tensors that the model does not have
    are printed. No code of the folder is run, and no pickle is read.

    Args:
        folder: Has config.json and model.safetensors, or shards with model.safetensors.index.json. One of Google's own
            BERT or ALBERT, with bert_config.json or albert_config.json and a checkpoint of TensorFlow 1, is read too.

    Returns:
        An encoder, such as `BertEncoder`, or one with a head, such as `MaskedLanguageModel`, whose `encoder` it is.
        `GPT2Decoder`, `MarianTranslator`, `XLNetEncoder` and `VisionTransformer` have their heads themselves. The
        model's `tokenizer` is a `TextReader`, a function of strings `(B,)` to its inputs, or `None` if the folder has
        none that is known here.

    Raises:
        UserError: The folder lacks a file or is of no known family, a tensor is missing or has another shape.
    """
    with hub_folder(Path(folder)) as read:
        return _read(read, folder)


def _read(folder: Path, name: Path | str) -> "keras.Model":
    """Returns what `from_pretrained` does for a folder as the Hub has it, which messages call by a name."""
    config = read_json(folder / "config.json")
    family = family_of(config.get("model_type"))
    tensors = Tensors(folder, family.prefix)
    head = head_of(family, config, tensors)
    options = family.read_options(config) | (head.options(config) if head and not head.model else {})
    if family.poolers:
        options = {"pooler": any(name in tensors for name in family.poolers)} | options
    encoder = our_class(family.encoder)(**options, name="encoder")
    model = our_class(head.model)(encoder, **head.options(config), **head.fixed) if head and head.model else encoder
    model(family.example(config))  # builds it
    unexpected = read_weights(model, tensors, rows_of(family, head, encoder.options))
    known = (*family.ignored, *(head.ignored if head else ()))
    if left := [name for name in unexpected if not name.endswith(known)]:
        print(f"{name}: not used: {', '.join(left)}")
    model.tokenizer = text_reader_of(folder, family.model_type, encoder)
    return model


def to_pretrained(model: "keras.Model", folder: Path | str) -> None:
    """Writes a model as a folder that transformers loads: config.json and model.safetensors.

    Args:
        model: A model that `from_pretrained` can return, however it was made.
        folder: Created if it does not exist.

    Raises:
        UserError: The model is of no known family, or transformers' class computes something else, such as a
            `SequenceClassifier` whose pooling is "mean".
    """
    from safetensors.numpy import save

    folder = Path(folder)
    encoder: Any = getattr(model, "encoder", model)
    family = next((family for family in map(family_of, FAMILIES) if encodes(family, encoder)), None)
    end = end_of(family, model) if family else None
    if family is None or end is None:
        raise UserError(f"model: expected one of {', '.join(sorted(FAMILIES))}; received {type(model).__name__}")
    head = family.heads.get(end)
    name = f"{family.classes}{head.infix if head else ''}{end}"
    for option, value in head.fixed.items() if head else ():
        if getattr(model, option) != value:
            raise UserError(f"model: expected {option}={value!r}, as {name} has; received {getattr(model, option)!r}")
    config = family.write_config(encoder.options) | {"architectures": [name]}
    if labels := getattr(model, "labels", None):
        config |= {"id2label": dict(enumerate(labels)), "label2id": {name: n for n, name in enumerate(labels)}}
    root = name_of_encoder(model, encoder) if head and head.model else ""
    tensors = write_weights(model, rows_of(family, head, encoder.options, family.prefix if head else "", root))
    atomic_write(folder / SINGLE, save(tensors, metadata={"format": "pt"}))
    atomic_write(folder / "config.json", json.dumps(config, indent=2))


def our_class(name: str) -> Any:
    """Returns a class of `attention_zoo.pipelines.models`."""
    return getattr(import_module("attention_zoo.pipelines.models"), name)


def encodes(family: Family, encoder: "keras.Model") -> bool:
    """Returns whether an encoder can be written as a checkpoint of a family."""
    if type(encoder).__name__ != family.encoder:
        return False
    return all(encoder.options[name] == value for name, value in family.fixed.items())


def end_of(family: Family, model: Any) -> str | None:
    """Returns the end of the name of transformers' class for a model, such as "MaskedLM"; `None` if there is none."""
    if hasattr(model, "encoder"):
        return next((end for end, head in family.heads.items() if head.model == type(model).__name__), None)
    for end, head in family.heads.items():
        own = head.fits or (lambda options, head=head: options | head.options({}) == options)
        if not head.model and own(model.options):
            return end
    return "Model"


def head_of(family: Family, config: Mapping[str, Any], tensors: Container[str]) -> Head | None:
    """Returns the head that a config.json names, or `None` for an encoder alone.

    A checkpoint of pretraining that has not all tensors of the classifier of pairs is one of hidden tokens.

    Raises:
        UserError: The family has no such head.
    """
    name = (config.get("architectures") or [f"{family.classes}Model"])[0]
    end = name.removeprefix(family.classes).removeprefix("For")
    if end == "Model":
        return None
    if end not in family.heads:
        expected = ", ".join(f"{family.classes}{head.infix}{e}" for e, head in family.heads.items())
        raise UserError(f"config.json: expected architectures of {family.classes}Model, {expected}; received {name}")
    head = family.heads[end]
    if end == PRETRAINING and any(row.name not in tensors for row in head.rows if row.path.startswith("pair_classes")):
        return family.heads[WITHOUT_PAIRS]
    return head


def name_of_encoder(model: "keras.Model", encoder: "keras.Model") -> str:
    """Returns what the paths of an encoder's weights begin with in a model: users name their layers as they like."""
    first = encoder.variables[0]
    return next(path.split("/")[0] for path, variable in variables_by_path(model).items() if variable is first)


def rows_of(
    family: Family, head: Head | None, options: Mapping[str, Any], prefix: str = "", root: str = "encoder"
) -> list[Row]:
    """Returns the rows of an encoder and its head.

    Args:
        family: Of the encoder.
        head: Its head, or `None`.
        options: Of the encoder.
        prefix: What the names of the encoder's tensors begin with. Defaults to "".
        root: Name of the encoder, where the head is a model around it. Defaults to "encoder".
    """
    rows = family.rows(options)
    if head is None:
        return rows
    ours = f"{root}/" if head.model else ""
    return [Row(f"{ours}{path}", f"{prefix}{name}", hook) for path, name, hook in rows] + head.rows
