"""Labelled texts in memory, from any TFDS text classification set or from a user's files."""

import hashlib
from collections.abc import Container, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tensorflow_datasets as tfds

from attention_zoo.pipelines.datasets.dirt import Dirt
from attention_zoo.pipelines.datasets.text_files import fault_of_number, read_labelled
from attention_zoo.pipelines.datasets.tfds import FILE_OPTIONS, SPLITS, examples_of, limit_of, prepared
from attention_zoo.pipelines.engine.errors import UserError

HIDDEN = ("glue", "super_glue")  # datasets of TFDS whose test labels are not published
HELD_OUT, MOST_HELD_OUT = 10, 10_000  # a tenth of the texts for validation and again for test, at most so many
NUMBER = ["number"]  # the one name of labels that are numbers
LEARNS_NUMBERS = "`attention-zoo train text_classification --data.labels numbers` learns numbers"
Labels = Literal["classes", "numbers"]


@dataclass(frozen=True)
class LabelledTexts:
    """One split.

    Args:
        texts: The texts.
        labels: int64 `(N,)`, the places of their classes in `names`; or float32 `(N,)`, what they are labelled with.
        names: Names of the classes; `NUMBER` where the labels are numbers.
        version: Name and version of the TFDS dataset, or a digest of the texts.
        spans: For each text the parts that decide its class, int64 `(M, 2)`, offsets in bytes of their beginnings and
            ends; `None` if they are not known.
        seconds: The second text of each, where the examples are pairs of texts; else `None`.
    """

    texts: list[str]
    labels: np.ndarray
    names: list[str]
    version: str
    spans: list[np.ndarray] | None = None
    seconds: list[str] | None = None

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: Sequence[int] | np.ndarray) -> "LabelledTexts":
        """Returns the texts of these rows."""
        texts, seconds, spans = (column and [column[row] for row in rows] for column in self._columns())
        return replace(self, texts=texts, labels=self.labels[rows], spans=spans, seconds=seconds)

    def _columns(self) -> tuple[Any, ...]:
        return self.texts, self.seconds, self.spans


def read_labelled_texts(
    dataset: str,
    files: str = "",
    dev: str = "",
    test: str = "",
    columns: Sequence[str] = ("text", "label"),
    limit: int = 0,
    strict: bool = False,
    pairs: bool = False,
    labels: Labels = "classes",
) -> dict[str, LabelledTexts]:
    """Reads the three splits of a set of labelled texts.

    Args:
        dataset: Name of a TFDS dataset with a text and a class label, or a number. Where it has no validation or no
            test split, or its test labels are not published, the last tenth of its training split takes the place, or
            of what is left of it.
        files: A user's texts that stand in for the dataset: a file or folder as in `read_labelled`, or a folder of
            such folders by the names of splits. They are split by content, and a text that occurs again is dropped.
        dev: A user's texts of the validation split. Defaults to `""`: a part of the others.
        test: A user's texts of the test split.
        columns: Names of the columns of the text and of the label in a user's files.
        limit: Takes so many training texts at most, and a tenth as many of each other split; 0 takes all.
        strict: Whether faults in the data are an error; otherwise they are skipped and reported.
        pairs: Whether the dataset may have two texts, as those of GLUE. Defaults to `False`.
        labels: "classes", or "numbers", as those of glue/stsb. Defaults to `"classes"`.

    Returns:
        A dict of "train", "validation" and "test" to `LabelledTexts`. Texts of different classes are mixed.

    Raises:
        UserError: The dataset is not one of texts with such labels, the files hold fewer than two classes, a class has
            no training text, or the data has faults and `strict` is true.
    """
    dirt = Dirt(strict)
    paths = own_paths(files, dev, test)
    numbers = labels == "numbers"
    own = {split: read_labelled(path, columns, dirt, FILE_OPTIONS[split], numbers) for split, path in paths.items()}
    sets = {} if files else read_dataset(dataset, dirt, pairs, labels)
    dirt.report()
    if files:
        own = split_texts(own.pop("train"), own) | own
    if own:
        classes = sorted({label for _, label in own.get("train", ())})
        names = sets["train"].names if sets else NUMBER if numbers else classes
        sets |= in_memory(own, names, sets["train"].version if sets else "")
    taken = {}
    for split, one in sets.items():
        if not len(one):
            raise UserError(f"{FILE_OPTIONS[split]}: expected texts for every split, received none for {split}")
        count = min(len(one), limit_of(split, limit)) if limit else len(one)
        taken[split] = one.take(np.arange(count))
    return taken


def few_a_class(texts: LabelledTexts, count: int, seed: int) -> LabelledTexts:
    """Returns `count` texts of each class, drawn by a seed; all of a class that has fewer.

    Example:

    >>> texts = LabelledTexts(list("abcdef"), np.array([0, 0, 0, 0, 1, 1]), ["one", "two"], "letters")
    >>> sorted(few_a_class(texts, 2, seed=1).labels.tolist())
    [0, 0, 1, 1]
    """
    order = np.random.default_rng(seed).permutation(len(texts))
    kept = [order[texts.labels[order] == label][:count] for label in range(len(texts.names))]
    return texts.take(np.sort(np.concatenate(kept)))


def own_paths(files: str, dev: str, test: str) -> dict[str, Path]:
    """Returns the file or folder of a user's texts by split. FILES/train/CLASS makes FILES a folder of splits."""
    paths = {"train": Path(files)} if files else {}
    if files and any(path.is_dir() for path in Path(files, "train").glob("*")):
        paths = {split: Path(files, split) for split in SPLITS if Path(files, split).is_dir()}
    return paths | {split: Path(path) for split, path in (("validation", dev), ("test", test)) if path}


def split_texts(pairs: Sequence[tuple[str, str]], given: Container[str] = ()) -> dict[str, list[tuple[str, str]]]:
    """Drops texts that occur again, and splits the others: a tenth each for validation and test.

    A hash of the text decides, white space apart, not its place in the file.

    Args:
        pairs: (text, label) pairs.
        given: Splits that the user gave files of; they get no text here.

    Raises:
        UserError: There are fewer different texts than splits.

    Example:

    >>> splits = split_texts([(f"text {i}", "a") for i in range(100)] + [("text  1", "a")])
    dropped 1 text that occurs again
    >>> {name: len(pairs) for name, pairs in splits.items()}
    {'train': 80, 'validation': 10, 'test': 10}
    """
    distinct = {}
    for text, label in pairs:
        distinct.setdefault(hashlib.blake2b(" ".join(text.split()).encode(), digest_size=16).digest(), (text, label))
    if dropped := len(pairs) - len(distinct):
        print(f"dropped {dropped:,} text{'s' * (dropped > 1)} that occur{'s' * (dropped == 1)} again")
    held = [split for split in ("test", "validation") if split not in given]
    if len(distinct) < 1 + len(held):
        raise UserError(f"--data.files: expected at least {1 + len(held)} different texts, received {len(distinct)}")
    ordered = [distinct[key] for key in sorted(distinct)]
    share = max(1, min(MOST_HELD_OUT, len(ordered) // HELD_OUT))
    parts = {split: ordered[number * share : (number + 1) * share] for number, split in enumerate(held)}
    parts["train"] = ordered[len(held) * share :]
    return {split: parts[split] for split in SPLITS if split in parts}


def in_memory(
    own: dict[str, list[tuple[str, str]]], names: Sequence[str], version: str = ""
) -> dict[str, LabelledTexts]:
    """Returns a user's texts by split, with the classes `names`, or with numbers where they are `NUMBER`."""
    if names != NUMBER:
        check_classes(names, {label for pairs in own.values() for _, label in pairs})
    numbers = {name: number for number, name in enumerate(names)}
    content = "\0".join(f"{split}\0{label}\0{text}" for split, pairs in own.items() for text, label in pairs)
    version = ", ".join(filter(None, (version, f"texts SHA-256 {hashlib.sha256(content.encode()).hexdigest()}")))
    sets = {}
    for split, pairs in own.items():
        order = np.random.default_rng(0).permutation(len(pairs))  # files are often sorted by class
        found = [pairs[row][1] for row in order]
        labels = np.array(found, "float32") if names == NUMBER else np.array([numbers[one] for one in found], "int64")
        sets[split] = LabelledTexts([pairs[row][0] for row in order], labels, list(names), version)
    return sets


def check_classes(names: Sequence[str], labels: Set[str]) -> None:
    """Checks that there are at least two classes, and that no label of any split is another one.

    Raises:
        UserError: There are fewer, or one is.
    """
    if len(names) < 2:
        raise UserError(f"--data.files: expected texts of at least two classes, received {', '.join(names) or 'none'}")
    if new := sorted(labels - set(names)):
        hint = "" if any(fault_of_number(label) for label in labels) else f" ({LEARNS_NUMBERS})"
        raise UserError(
            f"--data.files, --data.dev, --data.test: expected texts of the classes {', '.join(names)}, which have "
            f"training texts; received texts of {', '.join(new)}{hint}"
        )


def read_dataset(dataset: str, dirt: Dirt, pairs: bool = False, labels: Labels = "classes") -> dict[str, LabelledTexts]:
    """Reads the splits of a TFDS dataset, see `read_labelled_texts`."""
    builder = prepared(dataset)
    keys = keys_of(builder, pairs, labels)
    known = builder.info.splits or SPLITS  # TFDS's mocked data names no splits
    known = [split for split in known if split != "test" or builder.name not in HIDDEN]
    if "train" not in known:
        raise UserError(f"--data.dataset: expected a dataset with a split train; {dataset} has {', '.join(known)}")
    missing = [split for split in ("validation", "test") if split not in known]
    cuts = [100 - 10 * number for number in range(len(missing) + 1)]  # of the training split, in percent
    ranges = {split: f"train[{cuts[number + 1]}%:{cuts[number]}%]" for number, split in enumerate(missing)}
    ranges["train"] = f"train[:{cuts[-1]}%]" if missing else "train"
    return {split: read_tfds(builder, ranges.get(split, split), keys, dirt) for split in SPLITS}


def keys_of(
    builder: tfds.core.DatasetBuilder, pairs: bool = False, labels: Labels = "classes"
) -> tuple[list[str], str]:
    """Returns the features of a dataset that are the text, or both texts, and the label.

    They are its supervised keys, or the only ones of their kind. A number is a float; among supervised keys it may be
    an integer, such as stars.

    Raises:
        UserError: The dataset has no such features. The message says so if it has labels of the other kind.
    """
    features: Any = builder.info.features
    keys: Any = builder.info.supervised_keys or ()
    texts = [name for name, feature in features.items() if isinstance(feature, tfds.features.Text)]
    scalars = {name: feature.np_dtype for name, feature in features.items() if feature.shape == ()}
    classes = [name for name in scalars if isinstance(features[name], tfds.features.ClassLabel)]
    numbers = [name for name, dtype in scalars.items() if np.issubdtype(dtype, np.floating) or name in keys]
    numbers = [name for name in numbers if name not in (*texts, *classes)]

    def found(kind: list[str]) -> tuple[list[str], str] | None:
        if len(keys) == 2 and keys[0] in texts and keys[1] in kind:
            return [keys[0]], keys[1]
        if not keys and len(texts) in ((1, 2) if pairs else (1,)) and len(kind) == 1:
            return texts, kind[0]
        return None

    wanted, other = (numbers, classes) if labels == "numbers" else (classes, numbers)
    if (found_keys := found(wanted)) is not None:
        return found_keys
    name = builder.info.full_name
    if labels == "numbers" and found(other):
        raise UserError(f"--data.labels: expected classes, which the labels of {name} are; received numbers")
    if found(other):
        raise UserError(f"--data.dataset: expected texts with class labels, received {name}; {LEARNS_NUMBERS}")
    raise UserError(
        f"--data.dataset: expected a dataset of texts with {'numbers' if labels == 'numbers' else 'class labels'}; "
        f"received {name} with the features {', '.join(features)} and the supervised keys {keys or None}"
    )


def read_tfds(builder: tfds.core.DatasetBuilder, split: str, keys: tuple[list[str], str], dirt: Dirt) -> LabelledTexts:
    """Returns one split of a TFDS dataset, without the examples that have no text or no label."""
    text_keys, label_key = keys
    features: Any = builder.info.features
    is_class, known = isinstance(features[label_key], tfds.features.ClassLabel), "spans" in features
    names = list(features[label_key].names) if is_class else NUMBER
    rows, labels, spans = [], [], []
    for number, row in enumerate(examples_of(builder, split).as_numpy_iterator()):
        texts = [row[key].decode("utf-8", "replace") for key in text_keys]
        empty = not all(text.strip() for text in texts)
        labelled = 0 <= row[label_key] < len(names) if is_class else np.isfinite(row[label_key])
        if empty or not labelled:
            fault = "no text" if empty else "no class" if is_class else "no finite number"
            dirt.add(fault, f"{builder.name} {split}, example {number}")
            continue
        rows.append(texts)
        labels.append(row[label_key])
        spans += [row["spans"]] if known else []
    version = f"{builder.info.full_name} {split}"
    seconds = [texts[1] for texts in rows] if len(text_keys) > 1 else None
    labels = np.array(labels, "int64" if is_class else "float32")
    return LabelledTexts([texts[0] for texts in rows], labels, names, version, spans if known else None, seconds)
