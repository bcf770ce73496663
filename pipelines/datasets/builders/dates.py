"""Dates as people write them in any locale, and the same dates in ISO 8601, with the alignment known.

The formats are CLDR's: full, long and medium, and the shorter ones with a year of four digits. A date occurs once, in
a format drawn at random. No date of validation or test occurs in training in any format.
"""

import datetime
import random

import tensorflow_datasets as tfds

from attention_zoo.pipelines.datasets.builders.cldr import LocaleText
from attention_zoo.pipelines.datasets.builders.cldr_pairs import CldrPairs, locale_configs
from attention_zoo.pipelines.datasets.spans import Spanned, align

SIZES = {"train": 20_000, "validation": 1_000, "test": 1_000}
DAYS = (datetime.date(2100, 1, 1) - datetime.date(1900, 1, 1)).days

# CLDR's lengths, and skeletons: abbreviated month, with and without the weekday, and the same in figures.
STYLES = ("full", "long", "medium", "short", "yMMMd", "yMMMEd", "yMd", "yMEd")

_DESCRIPTION = """\
Dates from 1900 to 2099, written as CLDR has it in the locale that the configuration names, and the same dates as
yyyy-mm-dd. `alignment` pairs the characters of the year, the month and the day. No date of validation or test occurs
in training."""


def iso(date: datetime.date) -> Spanned:
    """Returns the date as yyyy-mm-dd, with the spans of its fields.

    Example:

    >>> iso(datetime.date(1952, 7, 14))
    Spanned(text='1952-07-14', spans=(('year', 0, 4), ('month', 5, 7), ('day', 8, 10)))
    """
    return Spanned(date.isoformat(), (("year", 0, 4), ("month", 5, 7), ("day", 8, 10)))


def styles_of(text: LocaleText) -> list[str]:
    """Returns the unambiguous formats: all four digits of the year, and numeric month and day in one order only.

    Example:

    >>> styles_of(LocaleText("en"))
    ['full', 'long', 'medium', 'yMMMd', 'yMMMEd', 'yMd', 'yMEd']
    """
    styles, order = [], None
    for style in STYLES:
        if style not in text.locale.date_formats and style not in text.locale.datetime_skeletons:
            continue
        written = text.date(datetime.date(1952, 7, 14), style)
        said = {role: written.text[start:end] for role, start, end in written.spans}
        if not {"year", "month", "day"} <= said.keys() or "1952" not in said["year"]:
            continue
        if said["month"].strip("0") == "7":
            roles = [role for role, _, _ in written.spans if role in ("month", "day")]
            order = order or roles
            if roles != order:
                continue
        styles.append(style)
    return styles


def write_dates(locale: str, sizes: dict[str, int], seed: int = 0) -> dict[str, list[dict]]:
    """Draws different dates for all splits and writes each in a format of the locale; the same ones for the same seed.

    Raises:
        ValueError: Babel lacks the locale or has no unambiguous format in it, or there are too few dates.

    Example:

    >>> splits = write_dates("en", {"train": 3, "validation": 1, "test": 1})
    >>> [len(example["target"]) for example in splits["train"]]
    [10, 10, 10]
    """
    if sum(sizes.values()) > DAYS:
        raise ValueError(f"sizes: expected at most {DAYS} dates in all, received {sizes}")
    text = LocaleText(locale)
    styles = styles_of(text)
    if not styles:
        raise ValueError(f"locale: expected one with an unambiguous format for dates, received {locale!r}")
    rng = random.Random(seed)
    days = iter(rng.sample(range(DAYS), sum(sizes.values())))
    splits = {}
    for split, size in sizes.items():
        splits[split] = []
        for _ in range(size):
            date = datetime.date(1900, 1, 1) + datetime.timedelta(next(days))
            source, target = text.date(date, rng.choice(styles)), iso(date)
            splits[split].append({"source": source.text, "target": target.text, "alignment": align(source, target)})
    return splits


class Dates(CldrPairs):
    """`tfds.load("dates/en")`: {"source", "target", "alignment"}; a configuration for each locale of Babel."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "20,000 dates for training, 1,000 each for validation and test."}
    PREPARATION = "about 20 seconds"
    DESCRIPTION = _DESCRIPTION
    BUILDER_CONFIGS = locale_configs("en", "Dates in the locale {} to ISO dates")

    def compose(self, locale: str) -> dict[str, list[dict]]:
        return write_dates(locale, SIZES)
