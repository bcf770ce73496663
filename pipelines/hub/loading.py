"""Chooses what a folder's model can do, and makes it ready to be exported."""

from pathlib import Path
from typing import Any

from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.hub.abilities.answer import Answer
from attention_zoo.pipelines.hub.abilities.classify import Classify
from attention_zoo.pipelines.hub.abilities.classify_images import ClassifyImages
from attention_zoo.pipelines.hub.abilities.embed import Embed
from attention_zoo.pipelines.hub.abilities.entities import Entities
from attention_zoo.pipelines.hub.abilities.fill_mask import FillMask
from attention_zoo.pipelines.hub.abilities.generate import Generate
from attention_zoo.pipelines.hub.abilities.translate import Translate
from attention_zoo.pipelines.hub.pretrained import from_pretrained

ABILITIES = {
    "MaskedLanguageModel": FillMask,
    "PretrainingModel": FillMask,
    "SequenceClassifier": Classify,
    "TokenClassifier": Entities,
    "AnswerFinder": Answer,
    "GPT2Decoder": Generate,
    "MarianTranslator": Translate,
    "VisionTransformer": ClassifyImages,
}
"""What a model with a head does if nobody asks for something else; all encoders of text can embed."""


def load_ability(folder: Path | str, name: str | None = None) -> Any:
    """Returns an `Ability` of the model in a folder of the Hugging Face Hub.

    Args:
        folder: As in `from_pretrained`; it has a tokeniser, or preprocessor_config.json for images.
        name: An ability, such as "embed", "translate" or "classify_images". Defaults to `None`: what the model's
            head is for, or else "embed".

    Raises:
        UserError: The folder cannot be read, has no tokeniser that is known here, or its model or its tokeniser cannot
            do that.
    """
    folder = Path(folder)
    model: Any = from_pretrained(folder)
    own = ABILITIES.get(type(model).__name__, Embed)
    offered = {ability.name: ability for ability in ([own, Embed] if own.can_embed else [own])}
    if name not in (None, *offered):
        raise UserError(f"--task: expected {' or '.join(offered)}, received {name}")
    return offered[name or own.name].of_folder(folder, model)
