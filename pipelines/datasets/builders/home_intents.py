"""Commands for a smart home: sentences drawn from the templates of Home Assistant in any of its 65 languages.

The split is by template: of the templates of each intent, ordered by a hash, the first fifth is for test and the next
tenth for validation. A test sentence is therefore worded in a way that training did not show; values of slots are the
same. A sentence that several templates give is kept in one split only, in the first of train, validation and test.
"""

import hashlib
import json
import random
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from etils import epath

from attention_zoo.pipelines.datasets.builders.base import DefaultDatasetBuilder
from attention_zoo.pipelines.datasets.builders.home_values import values_of
from attention_zoo.pipelines.datasets.builders.packages import fetch_wheel
from attention_zoo.pipelines.datasets.builders.sentence_templates import Sampler, Slot

WHEEL = {
    "requirement": "home-assistant-intents==2026.10.27",
    "filename": "home_assistant_intents-2026.10.27-py3-none-any.whl",
    "sha256": "256eb1e4fc6e6f4943d0ba4e089c9639d74d0e9d62ccddeb7148bc168de55e40",
}
LANGUAGES = (
    *("af", "ar", "bg", "bn", "ca", "cs", "cy", "da", "de", "de-CH", "el", "en", "es", "et", "eu", "fa", "fi"),
    *("fr", "ga", "gl", "gu", "he", "hi", "hr", "hu", "hy", "id", "is", "it", "ja", "ka", "kn", "ko", "kw"),
    *("lb", "lt", "lv", "ml", "mn", "ms", "nb", "ne", "nl", "pa", "pl", "pt", "pt-BR", "ro", "ru", "sk", "sl"),
    *("sr", "sr-Latn", "sv", "sw", "ta", "te", "th", "tr", "uk", "ur", "vi", "zh-CN", "zh-HK", "zh-TW"),
)
SENTENCES = {"train": 40, "validation": 20, "test": 20}  # of a template at most
TRIES = 4  # draws for a sentence, since many are the same

_DESCRIPTION = """\
Commands and questions to a smart home with their intent and their slots, drawn from the sentence templates of Home
Assistant. A fifth of the templates of each intent is for test, a tenth for validation, the others for training."""

_CITATION = """\
@misc{homeassistant_intents,
  title = {Intents for Home Assistant}, author = {{Home Assistant community}},
  howpublished = {\\url{https://github.com/home-assistant/intents}}
}"""


class HomeIntents(DefaultDatasetBuilder):
    """`tfds.load("home_intents/en")`: {"text", "intent", "template", "entities": {"start", "end", "entity", "value"}}.

    Places are counted in code points. The first use downloads a wheel of 0.8 MB, and raises `UserError` if that fails.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "home-assistant-intents 2026.10.27."}
    PREPARATION = "a download of 0.8 MB, then half a minute"
    BUILDER_CONFIGS = [tfds.core.BuilderConfig(name=language) for language in LANGUAGES]

    def _info(self) -> tfds.core.DatasetInfo:
        entity = {"start": np.int32, "end": np.int32, "entity": tfds.features.Text(), "value": tfds.features.Text()}
        features = {
            "text": tfds.features.Text(),
            "intent": tfds.features.Text(),
            "template": tfds.features.Text(),
            "entities": tfds.features.Sequence(entity),
        }
        return tfds.core.DatasetInfo(
            builder=self,
            description=_DESCRIPTION,
            features=tfds.features.FeaturesDict(features),
            supervised_keys=("text", "intent"),
            homepage="https://github.com/home-assistant/intents",
            citation=_CITATION,
            license="Apache-2.0",
        )

    def _split_generators(
        self, dl_manager: tfds.download.DownloadManager
    ) -> dict[str, Iterator[tuple[str, dict[str, Any]]]]:
        wheel = fetch_wheel(**WHEEL, folder=epath.Path(dl_manager.download_dir) / "packages")
        rows = draw_sentences(read_grammar(wheel, self.builder_config.name), self.builder_config.name)
        return {split: self._generate_examples(rows[split]) for split in SENTENCES}

    def _generate_examples(self, rows: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
        for row in rows:
            yield row["text"], row


def read_grammar(wheel: str | Path, language: str) -> dict[str, Any]:
    """Reads the intents, lists and expansion rules of a language from the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return json.loads(archive.read(f"home_assistant_intents/data/{language}.json"))


def split_templates(intents: dict[str, Any]) -> dict[str, list[tuple[str, str]]]:
    """Splits the templates of each intent as the module's docstring describes.

    Returns:
        A dict of "train", "validation" and "test" to lists of (intent, template).

    Example:

    >>> data = {"Stop": {"data": [{"sentences": [f"stop {number}" for number in range(10)]}]}}
    >>> {split: len(templates) for split, templates in split_templates(data).items()}
    {'train': 7, 'validation': 1, 'test': 2}
    """
    splits: dict[str, list[tuple[str, str]]] = {"train": [], "validation": [], "test": []}
    for intent, content in intents.items():
        templates = sorted({template for block in content["data"] for template in block["sentences"]}, key=_hash)
        test, validation = (len(templates) + 2) // 5, (len(templates) + 5) // 10  # rounded
        for number, template in enumerate(templates):
            split = "test" if number < test else "validation" if number < test + validation else "train"
            splits[split].append((intent, template))
    return splits


def draw_sentences(grammar: dict[str, Any], language: str) -> dict[str, list[dict[str, Any]]]:
    """Draws the sentences of all splits; the same grammar gives the same ones.

    Args:
        grammar: As `read_grammar` returns it.
        language: Code of the language.

    Returns:
        A dict of "train", "validation" and "test" to lists of examples.
    """
    lists, own = grammar["lists"], values_of(language)
    sampler = Sampler(grammar["expansion_rules"], lambda name, rng: _value(name, lists, own, rng))
    seen, splits = set(), {}
    for split, templates in split_templates(grammar["intents"]).items():
        splits[split] = []
        for intent, template in templates:
            rng, drawn = random.Random(_hash(f"{intent} {template}")), 0
            for _ in range(TRIES * SENTENCES[split]):
                text, slots = sampler.draw(template, rng)
                if text in seen or not text:
                    continue
                seen.add(text)
                splits[split].append(_example(text, intent, template, slots))
                drawn += 1
                if drawn == SENTENCES[split]:
                    break
    return splits


def _example(text: str, intent: str, template: str, slots: list[Slot]) -> dict[str, Any]:
    entities = [{"start": s.start, "end": s.end, "entity": s.name, "value": s.value} for s in slots]
    return {"text": text, "intent": intent, "template": template, "entities": entities}


def _value(name: str, lists: dict[str, Any], own: dict[str, list[str]], rng: random.Random) -> tuple[str, str | None]:
    """Draws a value of a list: (text, what it stands for or None)."""
    known = lists.get(name, {})
    if "range" in known:
        bounds = known["range"]
        return str(rng.randrange(bounds["from"], bounds["to"] + 1, bounds.get("step", 1))), None
    if "values" in known:
        value = rng.choice(known["values"])
        out = value["out"]
        return value["in"], str(out[0] if isinstance(out, list) else out)
    return rng.choice(own[name]), None


def _hash(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
