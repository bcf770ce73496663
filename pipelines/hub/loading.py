"""Chooses what a folder's model can do, and makes it ready to be exported."""

from pathlib import Path
from typing import Any

import tensorflow as tf

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.hub.abilities.answer import Answer
from attention_zoo.pipelines.hub.abilities.classify import Classify
from attention_zoo.pipelines.hub.abilities.classify_images import ClassifyImages
from attention_zoo.pipelines.hub.abilities.embed import Embed
from attention_zoo.pipelines.hub.abilities.entities import Entities
from attention_zoo.pipelines.hub.abilities.fill_mask import FillMask
from attention_zoo.pipelines.hub.abilities.generate import Generate
from attention_zoo.pipelines.hub.folder import read_json, read_optional_json
from attention_zoo.pipelines.hub.image_reader import image_reader_of
from attention_zoo.pipelines.hub.pretrained import from_pretrained
from attention_zoo.pipelines.hub.tokenizers import FILES, LAYOUTS

ABILITIES = {
    "MaskedLanguageModel": FillMask,
    "SequenceClassifier": Classify,
    "TokenClassifier": Entities,
    "AnswerFinder": Answer,
    "GPT2Decoder": Generate,
    "VisionTransformer": ClassifyImages,
}
"""What a model with a head does if nobody asks for something else; all encoders of text can embed."""
POOLING = {
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "first",
    "pooling_mode_max_tokens": "max",
}
"""Settings of sentence-transformers' 1_Pooling/config.json, and `SentenceEncoder`'s names."""


def load_ability(folder: Path | str, name: str | None = None) -> Any:
    """Returns an `Ability` of the model in a folder of the Hugging Face Hub.

    Args:
        folder: As in `from_pretrained`; it has a tokeniser, or preprocessor_config.json for images.
        name: An ability, such as "embed", "fill_mask" or "classify_images". Defaults to `None`: what the model's
            head is for, or else "embed".

    Raises:
        UserError: The folder cannot be read, has no tokeniser that is known here, or its model or its tokeniser cannot
            do that.
    """
    folder = Path(folder)
    model: Any = from_pretrained(folder)
    own = ABILITIES.get(type(model).__name__, Embed)
    if own is not ClassifyImages and model.tokenizer is None:
        expected = f"{', '.join(FILES)} of {', '.join(LAYOUTS)}"
        raise UserError(f"{folder}: expected a tokeniser, one of {expected}; received none")
    offered = {ability.name: ability for ability in ([own] if own in (Generate, ClassifyImages) else [own, Embed])}
    if name not in (None, *offered):
        raise UserError(f"--task: expected {' or '.join(offered)}, received {name}")
    if own is ClassifyImages:
        return classifier_of_images(folder, model)
    ability, reader = offered[name or own.name], model.tokenizer
    if ability is Embed:
        model = sentence_encoder(folder, getattr(model, "encoder", model))
        model(reader(tf.constant([""])))  # builds it
    if ability is Generate:
        return Generate(model, reader, read_optional_json(folder / "generation_config.json"))
    return ability(model, reader)


def classifier_of_images(folder: Path, model: Any) -> ClassifyImages:
    """Returns the ability of a `VisionTransformer` that a folder holds.

    Raises:
        UserError: The model has no head or does not read colors, or its preprocessor_config.json is missing or asks for
            something that is not done here.
    """
    config = read_json(folder / "config.json")
    if model.labels is None:
        received = ", ".join(config.get("architectures") or ["none"])
        raise UserError(
            f"config.json: expected architectures that end with ForImageClassification, received {received}"
        )
    if model.options["num_channels"] != 3:
        raise UserError(f"config.json: expected num_channels 3, received {model.options['num_channels']}")
    return ClassifyImages(model, image_reader_of(folder, config["model_type"], model.embedding.image_size))


def sentence_encoder(folder: Path, encoder: Any) -> Any:
    """Returns the `SentenceEncoder` that a folder describes as sentence-transformers does.

    modules.json lists the steps after the encoder. A folder without it gets the mean of the states, normalised.

    Raises:
        UserError: A step is of a kind that is not known here.
    """
    from attention_zoo.pipelines.models import SentenceEncoder

    modules = read_optional_json(folder / "modules.json")
    if modules is None:
        return SentenceEncoder(encoder)
    kinds = {module["type"].rpartition(".")[2]: module for module in modules}
    unknown = sorted(set(kinds) - {"Transformer", "Pooling", "Normalize"})
    pooling = Path(kinds.get("Pooling", {}).get("path", "1_Pooling")).name  # in the folder, whatever the file says
    settings = read_optional_json(folder / pooling / "config.json") or {}
    chosen = [name for name, value in settings.items() if name.startswith("pooling_mode_") and value is True]
    if unknown or len(chosen) != 1 or chosen[0] not in POOLING:
        expected = f"Transformer, Pooling by one of {', '.join(POOLING)}, and Normalize"
        raise UserError(f"{folder}/modules.json: expected {expected}; received {', '.join(unknown + chosen)}")
    return SentenceEncoder(encoder, POOLING[chosen[0]], normalize="Normalize" in kinds)
