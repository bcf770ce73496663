"""Sentences whose words are tagged, from any TFDS dataset of them or from a user's files in CoNLL's format."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import tensorflow_datasets as tfds

from attention_zoo.pipelines.datasets.conll_files import Sentence, read_conll
from attention_zoo.pipelines.datasets.dirt import Dirt
from attention_zoo.pipelines.datasets.held_out import part_of
from attention_zoo.pipelines.datasets.tfds import SPLITS, check_splits, examples_of, limit_of, prepared
from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.storage.files import digest
from attention_zoo.pipelines.engine.text.tags import spans_of, tags_of


@dataclass
class TaggedSentences:
    """One split.

    Args:
        words: The words of each sentence.
        tags: Their tags in BIO2.
        version: Name and version of the TFDS dataset, or the digests of the files.
    """

    words: list[list[str]]
    tags: list[list[str]]
    version: str = ""

    def __len__(self) -> int:
        return len(self.words)

    def texts(self) -> list[str]:
        """Returns the sentences, their words joined by spaces."""
        return [" ".join(words) for words in self.words]


def read_tagged(
    dataset: str,
    files: Sequence[str] = (),
    dev: Sequence[str] = (),
    test: Sequence[str] = (),
    limit: int = 0,
    strict: bool = False,
) -> dict[str, TaggedSentences]:
    """Reads all splits of tagged sentences.

    Args:
        dataset: Name of a TFDS dataset with a sequence of strings "tokens" and a sequence of class labels that are
            tags, such as conll2003_english, conll2003 or wikiann/en.
        files: Files in CoNLL's format, see `read_conll`, that stand in for the dataset.
        dev: Files of the validation split; where there are none, a tenth of `files` is taken, by content, or the
            validation split of the dataset.
        test: Files of the test split, likewise.
        limit: Takes so many training sentences at most, and a tenth as many of each other split; 0 takes all.
        strict: Whether faults in the files are an error; otherwise the sentences that have them are skipped.

    Returns:
        A dict of "train", "validation" and "test" to `TaggedSentences`.

    Raises:
        UserError: There is no such dataset, or it is not one of tagged sentences; a file cannot be read, or files have
            faults and `strict` is true; a split is empty, or no word has an entity tag.
    """
    own, version = _read_files(files, dev, test, strict)
    if files:
        found = {split: TaggedSentences(*_columns(sentences), version) for split, sentences in own.items()}
    else:
        found = _read_dataset(dataset)
        version = ", ".join(filter(None, (found["train"].version, version)))
        own = {split: TaggedSentences(*_columns(sentences)) for split, sentences in own.items()}
        found = {split: replace(own.get(split, found[split]), version=version) for split in SPLITS}
    setting = "--data.files" if files else "--data.dataset"
    for split, one in found.items():
        if not len(one):
            raise UserError(f"{setting}: expected sentences for every split, received none for {split}")
    if not any(tag != "O" for tags in found["train"].tags for tag in tags):
        raise UserError(f"{setting}: expected words that are tagged as entities in the training split, received none")
    if not limit:
        return found
    counts = {split: limit_of(split, limit) for split in SPLITS}
    return {
        split: TaggedSentences(one.words[: counts[split]], one.tags[: counts[split]], one.version)
        for split, one in found.items()
    }


def _read_files(
    files: Sequence[str], dev: Sequence[str], test: Sequence[str], strict: bool
) -> tuple[dict[str, list[Sentence]], str]:
    """Returns the sentences of the splits that a user gave files for, all of them if `files` are given; and version."""
    dirt, found = Dirt(strict), {}
    for split, option, paths in (("train", "files", files), ("validation", "dev", dev), ("test", "test", test)):
        for path in paths:
            try:
                sentences, scheme = read_conll(path, dirt)
            except UserError as error:
                raise UserError(f"--data.{option}: {error}") from None
            print(f"{path}: {len(sentences):,} sentences in {scheme}")
            found[split] = found.get(split, []) + sentences
    dirt.report()
    for number, split in enumerate(("test", "validation")):
        if files and split not in found:
            found[split] = [one for one in found["train"] if _part_of(one) == number]
            found["train"] = [one for one in found["train"] if _part_of(one) != number]
    version = ", ".join(f"{path} SHA-256 {digest(path)}" for path in (*files, *dev, *test)) + dirt.version()
    return found, version


def _columns(sentences: Sequence[Sentence]) -> tuple[list[list[str]], list[list[str]]]:
    return [words for words, _ in sentences], [tags for _, tags in sentences]


def _part_of(sentence: Sentence) -> int:
    """Returns a number from 0 to 9 by the words of a sentence, so that all copies of it are in one split."""
    content = "\n".join(sentence[0]).encode()
    return part_of(content, 10)


def _read_dataset(dataset: str) -> dict[str, TaggedSentences]:
    builder = prepared(dataset)
    check_splits(builder, dataset)
    key, names = _tag_feature(builder, dataset)
    found = {}
    for split in SPLITS:
        rows = tfds.as_numpy(examples_of(builder, split))
        pairs = [([token.decode() for token in row["tokens"]], [names[tag] for tag in row[key]]) for row in rows]
        bio = [(words, tags_of(spans_of(tags), len(words))) for words, tags in pairs if words]
        found[split] = TaggedSentences(*_columns(bio), f"{builder.info.full_name}")
    return found


def _tag_feature(builder: tfds.core.DatasetBuilder, dataset: str) -> tuple[str, list[str]]:
    """Returns the feature whose classes are entity tags, and their names."""
    features: Any = builder.info.features
    for key, feature in features.items():
        names = getattr(getattr(feature, "feature", None), "names", None) or []
        if "tokens" in features and "O" in names and any(name.startswith(("B-", "I-")) for name in names):
            if key in ("ner", "tags", "ner_tags"):
                return key, list(names)
    raise UserError(
        f"--data.dataset: expected a dataset with tokens and entity tags, such as conll2003_english; "
        f"received {dataset} with {', '.join(features)}"
    )
