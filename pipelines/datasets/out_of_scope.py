"""Texts that have nothing to do with the sentences of a task, to see whether a model notices."""

from collections.abc import Sequence
from pathlib import Path

import tensorflow_datasets as tfds

from attention_zoo.pipelines.datasets.tfds import examples_of, prepared
from attention_zoo.pipelines.engine.errors import UserError

LONGEST = 200  # characters; a longer text is cut at a space


def read_out_of_scope(sources: Sequence[str], count: int) -> dict[str, list[str]]:
    """Reads texts for the dev and the test split, the same number of each source.

    Args:
        sources: TFDS datasets with the splits validation and test, and the name of their feature if it is not "text",
            such as "bible_translation/en-fr:source"; or text files with a text a line, of which each second one is for
            test.
        count: Texts of a source in a split at most.

    Returns:
        A dict of "validation" and "test" to lists of texts.

    Raises:
        UserError: A dataset has no such feature, or a file cannot be read.
    """
    texts: dict[str, list[str]] = {"validation": [], "test": []}
    for source in sources:
        if source.endswith(".txt"):
            if not Path(source).is_file():
                raise UserError(f"--data.out_of_scope: expected a file, received {source}, which is none")
            lines = [line for line in Path(source).read_text(encoding="utf-8", errors="replace").split("\n") if line]
            for start, split in enumerate(texts):
                texts[split] += lines[start::2][:count]
            continue
        name, _, feature = source.partition(":")
        builder, feature = prepared(name, "--data.out_of_scope"), feature or "text"
        if feature not in builder.info.features:  # pyright: ignore[reportOperatorIssue]
            raise UserError(f"--data.out_of_scope: expected a feature of {name}, received {feature}")
        for split, found in texts.items():
            rows = tfds.as_numpy(examples_of(builder, split))
            every = [row[feature].decode() for row in rows]  # pyright: ignore[reportGeneralTypeIssues]
            found += every[:: max(1, len(every) // count)][:count]  # from the whole of it
    return {split: [_cut(text) for text in found] for split, found in texts.items()}


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[:LONGEST].rpartition(" ")[0] or text[:LONGEST]
