"""English phrases and their translations into any locale of CLDR, with the alignment known.

A sentence has one to three pieces: dates, times, relative times, amounts, prices, names of territories and languages,
and lists of them. CLDR gives each piece in both languages, and CLDR's list patterns and interval pattern join the
pieces. So no grammar is invented, and order, agreement and script differ as they do in CLDR. Every example holds the
spans of its parts on both sides: a day, a month, a number, a unit, a name.

The key of a sentence is the multiset of the contents of its pieces (`contents`): the kind of each with its date, time,
number and unit, or name; a list counts as its names. Style ("Jul", "July"), order and the words between pieces are not
in the key. A hash of the key decides the split (`split_of`), so a tested combination is not in training in any order or
style. A sentence with a single atom ("France") is for training. Training is composed first. A sentence is taken for
validation or test only if each of its atoms (a month, a unit, a number, a name, ...; in the same style if there are
several) occurs in training. No English sentence occurs twice.
"""

import hashlib
import random
from collections.abc import Iterator

import tensorflow_datasets as tfds

from attention_zoo.pipelines.datasets.builders.cldr_pairs import CldrPairs, locale_configs
from attention_zoo.pipelines.datasets.builders.phrases import Phrases, atoms, contents, draw

SIZES = {"train": 80_000, "validation": 2_000, "test": 2_000}

# Weights of the number of pieces of a sentence, and of the ways to join two or three of them.
PIECES = {1: 10, 2: 30, 3: 60}
JOINTS = {2: {"standard": 35, "comma": 35, "or": 12, "interval": 18}, 3: {"standard": 43, "comma": 43, "or": 14}}


_DESCRIPTION = """\
English phrases and their translations by the Unicode CLDR: dates, times, relative times, amounts, prices, territories,
languages and lists of them, one to three joined by CLDR's own patterns. The configuration names the locale to
translate into. The spans of the parts (day, month, number, unit, name) are given on both sides, in code points, as
`alignment`. Validation and test hold combinations that do not occur in training, of parts that do. Babel's copy of
CLDR is used."""


def split_of(pieces: list[tuple], seed: int = 0) -> str:
    """Returns the split of a combination of pieces: one in 22 is for validation, one in 22 for test.

    Example:

    >>> july, hours = ("date", (1952, 7, 14), "long"), ("amount", (3, "duration-hour"), "long")
    >>> split_of([july, hours]) == split_of([hours, ("date", (1952, 7, 14), "full")])
    True
    """
    if len({atom for piece in pieces for atom in atoms(piece)}) == 1:
        return "train"
    key = sorted(repr(said) for piece in pieces for said in contents(piece))
    digest = hashlib.blake2b(f"{seed} {key}".encode(), digest_size=8).digest()
    return {0: "validation", 1: "test"}.get(int.from_bytes(digest, "big") % 22, "train")


def compose(locale: str, sizes: dict[str, int], seed: int = 0) -> dict[str, list[dict]]:
    """Composes the examples of every split; the same ones for the same locale, sizes, seed and CLDR.

    Args:
        locale: A Babel locale identifier.
        sizes: Number of examples of "train", "validation" and "test".
        seed: Seed of the sampling and of the splits.

    Raises:
        ValueError: Babel lacks the locale or most of its names, or training is too small to hold the atoms that the
            other splits need.

    Example:

    >>> splits = compose("fr", {"train": 600, "validation": 5, "test": 5})
    >>> {name: len(examples) for name, examples in splits.items()}
    {'train': 600, 'validation': 5, 'test': 5}
    """
    phrases = Phrases(locale)
    stream = _candidates(phrases, random.Random(seed), seed)
    splits, seen, trained = {}, set(), set()
    waiting = {"validation": [], "test": []}  # drawn while training was composed
    for split in ("train", "validation", "test"):
        examples = splits[split] = []
        old = iter(waiting.pop(split, ()))
        for _ in range(1_000 * sizes[split] + 10_000):
            if len(examples) == sizes[split]:
                break
            belongs, pieces, joint, used = next(old, None) or next(stream)
            if belongs != split:
                if belongs in waiting:
                    waiting[belongs].append((belongs, pieces, joint, used))
                continue
            if split != "train" and not used <= trained:
                continue
            example = phrases.sentence(pieces, joint)
            if example["source"] not in seen:
                seen.add(example["source"])
                examples.append(example)
                if split == "train":
                    trained |= used
        else:
            raise ValueError(f"sizes: expected enough training for {split} to take its atoms from, received {sizes}")
    return splits


def _candidates(phrases: Phrases, rng: random.Random, seed: int) -> Iterator[tuple[str, list[tuple], str, set[tuple]]]:
    """Yields (split, pieces, joint, atoms) without end."""
    while True:
        pieces = [phrases.sample(rng) for _ in range(draw(rng, PIECES))]
        joint = draw(rng, JOINTS[len(pieces)]) if len(pieces) > 1 else "standard"
        if joint == "interval" and rng.random() < 0.7:
            pieces[1] = phrases.sample(rng, pieces[0][0])
        # In English "date, time" looks like a date-time, in Korean it does not. Each text has one translation.
        if not any(first[0] == "date" and second[0] == "time" for first, second in zip(pieces, pieces[1:])):
            yield split_of(pieces, seed), pieces, joint, {atom for piece in pieces for atom in atoms(piece)}


class CldrPhrases(CldrPairs):
    """`tfds.load("cldr_phrases/fr")`: {"source", "target", "alignment"}; a configuration for each locale of Babel."""

    VERSION = tfds.core.Version("1.1.0")
    RELEASE_NOTES = {
        "1.0.0": "40,000 sentences for training, 2,000 each for validation and test.",
        "1.1.0": "80,000 sentences for training: twice over them teaches more than four times over 40,000.",
    }
    PREPARATION = "1 or 2 minutes"
    DESCRIPTION = _DESCRIPTION
    BUILDER_CONFIGS = locale_configs("fr", "English to {}")

    def compose(self, locale: str) -> dict[str, list[dict]]:
        return compose(locale, SIZES)
