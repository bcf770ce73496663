"""Sentence pairs in memory, from any TFDS translation dataset or from a user's files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import tensorflow as tf
import tensorflow_datasets as tfds

from attention_zoo.pipelines.datasets.dirt import Dirt
from attention_zoo.pipelines.datasets.parallel_files import read_pairs_file, read_parallel_files, split_pairs
from attention_zoo.pipelines.datasets.tfds import SPLITS, check_splits, examples_of, limit_of, prepared
from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.storage.files import digest

LOCALISED = {"cldr_phrases": "target", "dates": "source"}  # datasets of one locale each, and the side that is in it


@dataclass
class Examples:
    """One split.

    Args:
        source: The sentences to translate from.
        target: Their translations.
        target_language: Code of the language, such as "fr"; None if it is not known.
        alignment: The gold spans of each pair; None where the data has none.
        version: Name and version of the TFDS dataset, or the digests of the files.
    """

    source: list[str]
    target: list[str]
    target_language: str | None = None
    alignment: list[list[tuple[int, int, int, int]]] | None = None
    version: str = ""

    def __len__(self) -> int:
        return len(self.source)


def read_parallel(
    dataset: str,
    locale: str = "",
    reverse: bool = False,
    files: Sequence[str] = (),
    max_words: int = 0,
    limit: int = 0,
    strict: bool = False,
    dev: Sequence[str] = (),
    test: Sequence[str] = (),
) -> dict[str, Examples]:
    """Reads all splits of a parallel text.

    Args:
        dataset: Name of a TFDS dataset whose `supervised_keys` name the source and the target text.
        locale: Config of `cldr_phrases` and `dates`; other datasets have theirs in the name.
        reverse: Swaps source and target of a dataset without gold alignment.
        files: Two files with a sentence a line, or one of tab-separated pairs, that stand in for the dataset.
        max_words: Leaves out pairs with more words on either side; 0 keeps all.
        limit: Takes so many training pairs at most, and a tenth as many of each other split; 0 takes all.
        strict: Whether faults in the files are an error; otherwise the lines that have them are skipped and reported.
        dev: Files of the validation split, as `files`; where there are none, a part of the other pairs is taken.
        test: Files of the test split.

    Returns:
        A dict of "train", "validation" and "test" to `Examples`.

    Raises:
        UserError: There is no such dataset, it lacks a split, is not one of sentence pairs, or has none that is short
            enough; a file cannot be read, or the files have faults and `strict` is true.
    """
    named = {"validation": ("--data.dev", dev), "test": ("--data.test", test), "train": ("--data.files", files)}
    dirt = Dirt(strict)
    own = {split: read_own(*options, reverse, dirt) for split, options in named.items() if options[1]}
    dirt.report()
    version = ", ".join(f"{path} SHA-256 {digest(path)}" for path in (*files, *dev, *test))
    if files:
        if test and (known := sum(pair[0] in {source for source, _ in own["train"]} for pair in own["test"])):
            print(f"{known:,} of {len(own['test']):,} test sentences are in the training text, too")
        own = split_pairs(own.pop("train"), own) | own
    found = {
        split: Examples([source for source, _ in pairs], [target for _, target in pairs], version=version)
        for split, pairs in own.items()
    }
    if not files:
        read = read_dataset(dataset, locale, reverse, max_words, limit)
        version = ", ".join(filter(None, (read["train"].version, version)))
        found = {split: replace(found.get(split, read[split]), version=version) for split in SPLITS}
    return {split: shortened(found[split], split, max_words, limit) for split in SPLITS}


def read_own(option: str, files: Sequence[str], reverse: bool, dirt: Dirt) -> list[tuple[str, str]]:
    """Reads the pairs of a user's two files, or one; errors begin with the option that names them."""
    if len(files) > 2:
        raise UserError(
            f"{option}: expected two files, source and target, or one of tab-separated pairs; "
            f"received {len(files)}: {' '.join(files)}"
        )
    try:
        pairs = read_parallel_files(files[0], files[1], dirt) if len(files) == 2 else read_pairs_file(files[0], dirt)
    except UserError as error:
        raise UserError(f"{option}: {error}") from None
    if not pairs and option != "--data.files":  # these are counted when they are split
        raise UserError(f"{option}: expected sentence pairs in {' '.join(files)}, received none")
    return [(target, source) for source, target in pairs] if reverse else pairs


def read_dataset(dataset: str, locale: str, reverse: bool, max_words: int, limit: int) -> dict[str, Examples]:
    """Reads the splits of a TFDS dataset, see `read_parallel`."""
    name = f"{dataset}/{locale}" if dataset in LOCALISED else dataset
    builder = prepared(name, "--data.locale" if dataset in LOCALISED else "--data.dataset")
    keys = builder.info.supervised_keys
    if not keys or len(keys) != 2:
        raise UserError(
            f"--data.dataset: expected a dataset of sentence pairs; received {name} with supervised keys {keys}"
        )
    check_splits(builder, name)
    if reverse and "alignment" in builder.info.features:
        raise UserError(f"--data.reverse: expected a dataset without gold alignment, received {name}")
    keys = keys[::-1] if reverse else keys
    language = language_of(dataset, locale, keys[1])  # pyright: ignore[reportArgumentType]
    return {
        split: read_split(builder, split, keys, language, max_words, limit)  # pyright: ignore[reportArgumentType]
        for split in SPLITS
    }


def language_of(dataset: str, locale: str, key: str) -> str | None:
    """Returns the language of one side of a dataset, or None where it has none.

    Example:

    >>> language_of("bible_translation/en-fr", "", "target"), language_of("wmt14_translate/de-en", "", "de")
    ('fr', 'de')
    """
    if dataset in LOCALISED:
        return locale if LOCALISED[dataset] == key else None
    return dataset.rpartition("/")[2].split("-")[key == "target"] if key in ("source", "target") else key


def read_split(
    builder: tfds.core.DatasetBuilder,
    split: str,
    keys: tuple[str, str],
    language: str | None,
    max_words: int,
    limit: int,
) -> Examples:
    """Returns the `Examples` of one split, in the order in which they are stored."""
    gold = "alignment" in builder.info.features
    aligned = gold and split != "train"  # training does not use the gold alignment, and is read faster without
    decoders = tfds.decode.PartialDecoding({key: True for key in keys}) if gold and not aligned else None
    data = examples_of(builder, split, decoders=decoders)
    if limit and split == "train" and not max_words:
        data = data.take(limit)
    source, target, alignment = [], [], []
    for batch in data.ragged_batch(4096) if aligned else data.batch(4096):
        source += [text.decode() for text in batch[keys[0]].numpy()]
        target += [text.decode() for text in batch[keys[1]].numpy()]
        if aligned:
            alignment += spans_of(batch["alignment"])
    examples = Examples(source, target, language, alignment if aligned else None, builder.info.full_name)
    return shortened(examples, split, max_words, limit)


def shortened(examples: Examples, split: str, max_words: int, limit: int) -> Examples:
    """Returns the examples without long pairs, up to the limit."""
    rows = range(len(examples))
    if max_words:
        rows = [i for i in rows if max(len(examples.source[i].split()), len(examples.target[i].split())) <= max_words]
    if limit:
        rows = rows[: limit_of(split, limit)]
    if not rows:
        raise UserError(f"--data.max_words: no pair of the {split} split has at most {max_words} words on both sides")
    source, target = ([texts[i] for i in rows] for texts in (examples.source, examples.target))
    alignment = examples.alignment and [examples.alignment[i] for i in rows]
    return Examples(source, target, examples.target_language, alignment, examples.version)


def spans_of(alignment: Mapping[str, tf.RaggedTensor]) -> list[list[tuple[int, int, int, int]]]:
    """Returns, for each pair of a batch, its gold alignment: (source start, source end, target start, target end)."""
    names = ("source_start", "source_end", "target_start", "target_end")
    columns = [alignment[name].to_list() for name in names]
    return [list(zip(*row)) for row in zip(*columns)]
