"""Code shared by all readers of TensorFlow Datasets: prepared builders, the names of the splits, and limits."""

import io
import sys
from collections.abc import Iterable
from contextlib import nullcontext, redirect_stdout
from pathlib import Path
from typing import Any

import tensorflow_datasets

from attention_zoo.pipelines.datasets.builders.base import DefaultDatasetBuilder
from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.run.options import suggest
from attention_zoo.pipelines.engine.stages import bar_shown, stage
from attention_zoo.pipelines.engine.storage.files import locked
from attention_zoo.pipelines.engine.untuned import untuned

SPLITS = ("train", "validation", "test")
OPTIONS = {  # that name a user's folder of a split; "" is a folder that is to be split
    "": "--data.folder",
    "train": "--data.folder",
    "validation": "--data.dev",
    "test": "--data.test",
}
FILE_OPTIONS = OPTIONS | {"train": "--data.files"}  # of tasks that read files
TINY = 100  # examples of a test split; the error of a share is then 5 percent points and more


def describe_split(split: str, count: int, things: str) -> str:
    """Returns the line that says how large a split is, and that scores on a tiny test split vary.

    Example:

    >>> describe_split("test", 15, "sentence pairs")
    'test: 15 sentence pairs; scores on so few vary by chance'
    """
    few = "; scores on so few vary by chance" if split == "test" and count < TINY else ""
    return f"{split}: {count:,} {things}{few}"


def prepared(name: str, configuration_setting: str = "--data.dataset") -> tensorflow_datasets.core.DatasetBuilder:
    """Returns a TFDS builder whose data is on the disk.

    Of two processes that ask at once, one prepares the data and the other waits. Preparing a default dataset prints
    one line.

    Args:
        name: Name of the dataset, with its configuration, such as "wmt14_translate/de-en".
        configuration_setting: The setting that an error about the configuration names. Defaults to "--data.dataset".

    Raises:
        UserError: TFDS knows no such dataset, or the dataset has no such configuration.
    """
    base, _, configuration = name.partition("/")
    try:
        builder = tensorflow_datasets.builder(name)
    except ValueError as error:
        known = tensorflow_datasets.list_builders(with_community_datasets=False)
        if base not in known:
            raise UserError(
                f"--data.dataset: expected a dataset of TFDS, received {base}{suggest(base, known)}"
            ) from None
        raise UserError(
            f"{configuration_setting}: {base} has no configuration {configuration or 'by default'}"
        ) from error
    directory = str(builder.data_path)
    in_a_bucket = "://" in directory  # where there are no locks
    with nullcontext() if in_a_bucket else locked(Path(directory).parent / ".lock", wait=True):
        builder = tensorflow_datasets.builder(name)  # one made before another process was done has no splits
        ours = isinstance(builder, DefaultDatasetBuilder)
        if ours and not builder.is_prepared():
            print(f"preparing {name}: {builder.PREPARATION}", flush=True)
        if ours:  # TFDS would print, and show in a bar, that it downloads a dataset of unknown size
            tensorflow_datasets.disable_progress_bar()
            with stage(f"preparing {name}", sys.stdout), redirect_stdout(io.StringIO()):
                builder.download_and_prepare()
        else:
            with bar_shown() if sys.stderr.isatty() else stage(f"downloading and preparing {name}"):
                builder.download_and_prepare()
    return builder


def examples_of(
    builder: tensorflow_datasets.core.DatasetBuilder,
    split: str,
    decoders: tensorflow_datasets.decode.PartialDecoding | dict[str, Any] | None = None,
) -> Any:
    """Returns the examples of a split as a `tf.data.Dataset`, in the order in which they are stored.

    Args:
        builder: Builder that `prepared` returned.
        split: Name of the split, or a part of it, such as "train[:80%]".
        decoders: As in TFDS. Defaults to `None`.

    Raises:
        ValueError: The dataset has no such split.
    """
    return untuned(builder.as_dataset(split=split, decoders=decoders))


def check_splits(builder: tensorflow_datasets.core.DatasetBuilder, name: str, splits: Iterable[str] = SPLITS) -> None:
    """Checks that a dataset has the splits that will be read.

    Args:
        builder: Builder that `prepared` returned.
        name: Name of the dataset in the message.
        splits: Names of the splits. Defaults to `SPLITS`.

    Raises:
        UserError: A split is missing.
    """
    known = builder.info.splits or splits  # TFDS's mocked data names no splits
    for split in splits:
        if split not in known:
            raise UserError(f"--data.dataset: {name} has no split {split}; it has {', '.join(known)}")


def limit_of(split: str, limit: int) -> int:
    """Returns how many examples of a split to take: all of `limit` for training, a tenth of it for other splits.

    Example:

    >>> limit_of("train", 200), limit_of("test", 200), limit_of("validation", 3)
    (200, 20, 1)
    """
    return limit if split == "train" else max(1, limit // 10)
