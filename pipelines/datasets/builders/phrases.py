"""Pieces of sentences, drawn at random and written in English and in another locale of CLDR.

A piece is a tuple (kind, content, style): ("amount", (3, "duration-hour"), "long") is "3 hours" and "3 heures".
"""

import datetime
import functools
import math
import random
from typing import Any

from babel.numbers import get_currency_precision

from attention_zoo.pipelines.datasets.builders.cldr import LocaleText
from attention_zoo.pipelines.datasets.spans import Spanned, align, match_roles

NUMBERS = (
    *range(1, 61),
    75,
    80,
    90,
    100,
    120,
    150,
    200,
    250,
    300,
    400,
    500,
    600,
    750,
    800,
    900,
    1000,
    1500,
    2000,
    5000,
    0.5,
    1.5,
    2.5,
    3.5,
    4.5,
    7.5,
    12.5,
)
CURRENCIES = (
    "AUD BRL CAD CHF CNY CZK DKK EGP EUR GBP HUF IDR ILS INR JPY KRW MAD MXN NOK NZD PLN RON RUB SEK SGD THB "
    "TRY UAH USD VND ZAR"
).split()
RELATIVE_UNITS = ("year", "month", "week", "day", "hour", "minute", "second")
UNITS = tuple(
    f"{kind}-{unit}"
    for kind, names in {
        "duration": "year month week day hour minute second",
        "length": "kilometer meter centimeter millimeter mile yard foot inch",
        "mass": "tonne kilogram gram milligram pound ounce",
        "volume": "liter milliliter cubic-meter gallon cup tablespoon teaspoon",
        "area": "square-kilometer square-meter hectare acre",
        "speed": "kilometer-per-hour meter-per-second mile-per-hour",
        "temperature": "celsius fahrenheit",
        "digital": "gigabyte megabyte kilobyte byte",
        "power": "kilowatt watt",
        "energy": "kilowatt-hour kilocalorie joule",
        "electric": "volt",
        "frequency": "megahertz hertz",
        "angle": "degree",
    }.items()
    for unit in names.split()
)

# Weights of the kinds of pieces.
KINDS = {
    "date": 20,
    "month": 5,
    "day": 5,
    "time": 9,
    "datetime": 8,
    "relative": 13,
    "amount": 13,
    "currency": 8,
    "percent": 3,
    "territory": 7,
    "language": 6,
    "territories": 7,
    "languages": 6,
}

# Roles of the parts of a piece's content, in order. Each name of a list is a "territory" or a "language".
ATOMS = {
    "date": ("year", "month", "day"),
    "month": ("year", "month"),
    "day": ("month", "day"),
    "time": ("hour", "minute", "second"),
    "datetime": ("year", "month", "day", "hour", "minute"),
    "relative": ("number", "relative unit"),
    "amount": ("number", "unit"),
    "currency": ("number", "currency"),
    "percent": ("percent",),
    "territory": ("territory",),
    "language": ("language",),
    "territories": ("territory",) * 3,
    "languages": ("language",) * 3,
}
# Roles that look different in each style, and are an atom in each; numbers and names look the same in all styles.
STYLED = {"month", "unit", "currency"}


class Phrases:
    """Writes pieces of a sentence in English and in one locale. A piece is a tuple (kind, content, style).

    Args:
        locale: A Babel locale identifier.

    Raises:
        ValueError: Babel does not have the locale, or has too few names in it.

    Example:

    >>> source, target = Phrases("fr").say(("relative", (-3, "hour"), ""))
    >>> source.text, target.text
    ('3 hours ago', 'il y a 3 heures')
    """

    def __init__(self, locale: str):
        self.sides = LocaleText("en"), LocaleText(locale)
        self.territories = self._names("territories", taken=set())
        self.languages = self._names(
            "languages", {self.sides[0].name("territories", code).text for code in self.territories}
        )
        self.units = [unit for unit in UNITS if all(side.amount(2, unit) for side in self.sides)]
        self.currencies = [code for code in CURRENCIES if all(side.currency(2, code, "name") for side in self.sides)]
        held = {name: len(getattr(self, name)) for name in ("territories", "languages", "units", "currencies")}
        if min(held.values()) < 3:
            raise ValueError(
                f"locale: expected one with at least 3 names of each kind, received {locale!r} with {held}"
            )
        # A piece is in many sentences, and Babel is slow.
        self.say = functools.lru_cache(10_000)(self._say)

    def _names(self, kind: str, taken: set[str]) -> list[str]:
        """Returns the two-letter codes with a name on both sides and an English name that is not in `taken`.

        Nauru is a territory and a language.
        """
        names = {}
        for code in sorted(getattr(self.sides[0].locale, kind)):
            english, other = (side.name(kind, code) for side in self.sides)
            # XA, XB and ZZ are not codes of places.
            if len(code) == 2 and code.isalpha() and code not in ("XA", "XB", "ZZ") and english and other:
                if other.text != code and english.text not in taken:
                    names.setdefault(english.text, code)
        return sorted(names.values())

    def sample(self, rng: random.Random, kind: str | None = None) -> tuple:
        """Draws a piece, of `kind` if it is given."""
        kind = kind or draw(rng, KINDS)
        date = datetime.date(1900, 1, 1) + datetime.timedelta(rng.randrange(73_049))  # up to the end of 2099
        hour, minute = rng.randrange(24), rng.randrange(60)
        number = rng.choice(NUMBERS)
        match kind:
            case "date":
                return kind, (date.year, date.month, date.day), rng.choice(("full", "long", "long", "medium"))
            case "month":
                return kind, (date.year, date.month), "long"
            case "day":
                return kind, (date.month, date.day), "long"
            case "time":
                style = rng.choice(("short", "short", "short", "medium"))
                return kind, (hour, minute, rng.randrange(60)) if style == "medium" else (hour, minute), style
            case "datetime":
                return kind, (date.year, date.month, date.day, hour, minute), rng.choice(("full", "long", "medium"))
            case "relative":
                return kind, (rng.randint(1, 60) * rng.choice((1, -1)), rng.choice(RELATIVE_UNITS)), ""
            case "amount":
                return kind, (number, rng.choice(self.units)), rng.choice(("long", "long", "long", "short"))
            case "currency":
                code = rng.choice(self.currencies)  # half a yen would be rounded
                number = number if get_currency_precision(code) else math.ceil(number)
                return kind, (number, code), rng.choice(("standard", "name"))
            case "percent":
                return kind, (rng.randint(1, 100),), ""
            case "territory":
                return kind, (rng.choice(self.territories),), ""
            case "language":
                return kind, (rng.choice(self.languages),), ""
        return kind, tuple(rng.sample(getattr(self, kind), rng.choice((2, 3)))), ""

    def _say(self, piece: tuple) -> tuple[Spanned, Spanned]:
        kind, content, style = piece
        source = self._render(0, *piece)
        # "May 14, 1952" is both long and medium in English, but not in other locales; so may be "1 joule". Each text
        # has one translation.
        if kind == "amount" and style == "short" or style == "medium" and kind != "time" and content[1] == 5:
            style = "long" if source == self._render(0, kind, content, "long") else style
        target = self._render(1, kind, content, style)
        if "period" in source.roles() - target.roles():
            # "3 PM" is 15: in a day of 24 hours, the hour is aligned with both.
            hours = tuple(("period", start, end) for role, start, end in target.spans if role == "hour")
            target = Spanned(target.text, target.spans + hours)
        return match_roles(source, target)

    def _render(self, side: int, kind: str, content: tuple, style: str) -> Spanned:
        text = self.sides[side]
        match kind:
            case "date":
                return text.date(datetime.date(*content), style)
            case "month":
                return text.date(datetime.date(*content, 1), "yMMMM")
            case "day":
                return text.date(datetime.date(2000, *content), "MMMMd")
            case "time":
                return text.time(datetime.time(*content), style)
            case "datetime":
                return text.datetime(datetime.datetime(*content), style)
            case "relative":
                return text.relative(*content)
            case "amount":
                return text.amount(*content, style)
            case "currency":
                return text.currency(*content, style)
            case "percent":
                return text.percent(*content)
            case "territory":
                return text.name("territories", *content)
            case "language":
                return text.name("languages", *content)
        return text.listed([text.name(kind, code) for code in content], "standard")

    def sentence(self, pieces: list[tuple], joint: str) -> dict:
        """Returns an example: `pieces` joined by "standard" (and), "or", "comma" or "interval" (two pieces: –)."""
        sides = []
        for side, text in enumerate(self.sides):
            said = [self.say(piece)[side] for piece in pieces]
            sides.append(text.interval(*said) if joint == "interval" else text.listed(said, joint))
        source, target = sides
        return {"source": source.text, "target": target.text, "alignment": align(source, target)}


def contents(piece: tuple) -> list[tuple]:
    """Returns the (kind, content) of a piece without its style, with lists and date-times taken apart.

    Example:

    >>> contents(("languages", ("fr", "de"), ""))
    [('language', ('fr',)), ('language', ('de',))]
    """
    kind, content, _ = piece
    if kind in ("territories", "languages"):
        return [({"territories": "territory", "languages": "language"}[kind], (code,)) for code in content]
    if kind == "datetime":
        return [("date", content[:3]), ("time", content[3:])]
    return [(kind, content)]


def atoms(piece: tuple) -> set[tuple]:
    """Returns the atoms of a piece, which training must hold: month, number, unit or names, in their style if it shows.

    Example:

    >>> sorted(atoms(("month", (1952, 7), "long")))
    [('month', 7, 'long'), ('year', 1952, '')]
    """
    kind, content, style = piece
    return {(role, value, style if role in STYLED else "") for role, value in zip(ATOMS[kind], content)}


def draw(rng: random.Random, weights: dict[Any, int]) -> Any:
    """Draws a key of `weights`, with probabilities proportional to the values."""
    return rng.choices(list(weights), list(weights.values()))[0]
