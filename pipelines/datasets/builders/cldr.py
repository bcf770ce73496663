"""Dates, times, amounts and names as one locale writes them, with the span of every field.

The patterns, names and plural rules are CLDR's (https://cldr.unicode.org, Unicode licence), read through Babel. Each
method gives the normalised text of the Babel function it names, together with the roles of its parts.
"""

import datetime
import re

import babel
from babel import dates, numbers, units

from attention_zoo.pipelines.datasets.spans import Spanned, fill, join, normalize, whole

Moment = datetime.date | datetime.time  # inside of LocaleText, `datetime` is a method

# The roles of CLDR's pattern letters (UTS 35, part 4). Other letters, such as the era's G, have no role.
ROLES = {
    letter: role
    for role, letters in [
        ("year", "yYuU"),
        ("month", "ML"),
        ("day", "d"),
        ("weekday", "Eec"),
        ("hour", "hHkK"),
        ("minute", "m"),
        ("second", "s"),
        ("period", "abB"),
    ]
    for letter in letters
}

# A number as CLDR writes it, after normalisation. A digit after a letter belongs to the unit ("m3"), except in prices
# ("SEK18.00").
PRICE = re.compile(r"\d(?:[\d .,'’٫٬]*\d)?")
NUMBER = re.compile(rf"(?<!\w){PRICE.pattern}")


class LocaleText:
    """Renders pieces of text in one locale.

    A name that the locale lacks is None. For other missing data Babel's fallback is used.

    Args:
        locale: A Babel locale identifier, such as "fr" or "pt_BR".

    Raises:
        ValueError: Babel has no data for the locale.

    Example:

    >>> LocaleText("fr").date(datetime.date(1952, 7, 14), "long")
    Spanned(text='14 juillet 1952', spans=(('day', 0, 2), ('month', 3, 10), ('year', 11, 15)))
    """

    def __init__(self, locale: str):
        try:
            self.locale = babel.Locale.parse(locale)
        except (ValueError, babel.UnknownLocaleError) as error:
            raise ValueError(f"locale: expected a locale that Babel has data for, received {locale!r}") from error
        self._tokens = {}

    def date(self, value: datetime.date, style: str) -> Spanned:
        """`babel.dates.format_date`: style "full", "long", "medium" or "short", or a skeleton such as "yMMMM"."""
        return self._fields(value, style, "date_formats")

    def time(self, value: datetime.time, style: str) -> Spanned:
        """`babel.dates.format_time`: style "medium" (with seconds) or "short"."""
        return self._fields(value, style, "time_formats")

    def datetime(self, value: datetime.datetime, style: str) -> Spanned:
        """Returns a date of length `style` and a short time, joined by the locale's pattern for that length."""
        parts = {0: self.time(value.time(), "short"), 1: self.date(value.date(), style)}
        return fill(str(self.locale.datetime_formats[style]), parts)

    def relative(self, count: int, unit: str) -> Spanned:
        """`babel.dates.format_timedelta` with a direction: "in 3 hours", for a negative count "3 hours ago".

        The word for the unit is the one that `amount` writes, or a word with the same stem ("vor 3 Tagen", "3 Tage").
        The remaining words are the direction. If no word for the unit is recognised, they have both roles.
        """
        seconds = {name: length for name, length in dates.TIMEDELTA_UNITS}[unit]
        # With this threshold Babel does not turn 14 days into two weeks.
        text = normalize(
            dates.format_timedelta(
                datetime.timedelta(seconds=count * seconds),
                unit,
                threshold=float("inf"),
                add_direction=True,
                locale=self.locale,
            )
        )
        counted = self.amount(abs(count), f"duration-{unit}")
        words = [counted.text[start:end] for role, start, end in counted.spans if role == "unit"] if counted else []
        number = re.search(r"(?<!\w)\d+", text)
        if not number or len(words) != 1:
            return whole(text)
        before, after = text[: number.start()], text[number.end() :]
        parts = [("number", number.group())]
        for fragment, side in ((before, 0), (after, 1)):
            found = _find_unit(words[0], fragment, alone=not (before.strip() and after.strip()))
            if found:
                other = after if side == 0 else before
                pieces = [
                    ("direction", fragment[: found[0]]),
                    ("unit", fragment[found[0] : found[1]]),
                    ("direction", fragment[found[1] :]),
                ]
                parts = (
                    pieces + parts + [("direction", other)] if side == 0 else [("direction", other)] + parts + pieces
                )
                return join(parts)
        spanned = join([("unit", before), *parts, ("unit", after)])
        rest = [("direction", start, end) for role, start, end in spanned.spans if role == "unit"]
        return Spanned(spanned.text, (*spanned.spans, *rest))

    def amount(self, count: float, unit: str, length: str = "long") -> Spanned | None:
        """`babel.units.format_unit`: "1,5 heure"; None for a unit that the locale does not name."""
        for each in (
            length,
            "short",
        ):  # CLDR's root locale has an alias from long to short units, which Babel does not read
            try:
                text = units.format_unit(count, unit, each, locale=self.locale)
            except units.UnknownUnitError:
                return None
            if not text.endswith(f" {unit}"):  # Babel writes the code of a unit for which it has no pattern
                return _number_and_unit(text)
        return None

    def currency(self, count: float, code: str, style: str) -> Spanned | None:
        """`babel.numbers.format_currency`: style "standard" ("12,00 €") or "name" ("12,00 euros")."""
        if numbers.get_currency_name(code, locale=self.locale) == code:
            return None
        return _number_and_unit(numbers.format_currency(count, code, locale=self.locale, format_type=style), PRICE)

    def percent(self, count: int) -> Spanned:
        """`babel.numbers.format_percent` of a whole number of percent."""
        return _number_and_unit(numbers.format_percent(count / 100, locale=self.locale))

    def name(self, kind: str, code: str) -> Spanned | None:
        """Returns the name of a territory or language (kind "territories" or "languages"), or None if there is none."""
        name = getattr(self.locale, kind).get(code)
        return whole(name) if name else None

    def listed(self, items: list[Spanned], style: str) -> Spanned:
        """`babel.lists.format_list`: style "standard" (and), "or", or "comma" (commas only).

        The roles of an item get its number ("0.day"). The words between items have the roles "link1", "link2", ...
        """
        patterns = self.locale.list_patterns["or" if style == "or" else "standard"]
        result = items[0].under("0.")
        for i, item in enumerate(items[1:], 1):
            joint = "start" if i == 1 else "middle"
            if style != "comma" and i == len(items) - 1:
                joint = "2" if len(items) == 2 else "end"
            result = fill(patterns[joint], {0: result, 1: item.under(f"{i}.")}, f"link{i}")
        return result

    def interval(self, first: Spanned, last: Spanned) -> Spanned:
        """Returns two pieces in CLDR's fallback pattern for intervals, "{0} – {1}"; roles as in `listed`."""
        return fill(self.locale.interval_formats[None], {0: first.under("0."), 1: last.under("1.")}, "link1")

    def _fields(self, value: Moment, style: str, formats: str) -> Spanned:
        if (formats, style) not in self._tokens:  # Babel's look-up of a pattern is slow
            known = getattr(self.locale, formats)
            pattern = known[style] if style in known else self.locale.datetime_skeletons[style]
            self._tokens[formats, style] = dates.tokenize_pattern(pattern.pattern)
        return fields(value, self._tokens[formats, style], self.locale)


def fields(value: Moment, tokens: list, locale: babel.Locale) -> Spanned:
    """Formats a date or time by the tokens of a pattern (`babel.dates.tokenize_pattern`), each field with its span.

    Letters that follow a field without a space belong to it: "1952年" is the year.
    """
    format_field = dates.DateTimeFormat(value, locale)
    parts, before = [], None
    for kind, token in tokens:
        if kind == "field":
            before = ROLES.get(token[0])
            parts.append((before, format_field[token[0] * token[1]]))
            continue
        suffix = re.match(r"[^\W\d_]*", token).group() if before else ""
        if suffix:
            parts[-1] = (before, parts[-1][1] + suffix)
        parts.append((None, token[len(suffix) :]))
        before = None
    return join(parts)


def _number_and_unit(text: str, number: re.Pattern[str] = NUMBER) -> Spanned:
    text = normalize(text)
    found = number.findall(text)
    if len(found) != 1:
        return whole(text)
    before, after = text.split(found[0], 1)
    return join([("unit", before), ("number", found[0]), ("unit", after)])


def _find_unit(unit: str, fragment: str, alone: bool) -> tuple[int, int] | None:
    """Returns (start, end) of `unit` in `fragment`, or None. `alone`: the direction must be in the same fragment."""
    found = re.search(rf"(?<!\w){re.escape(unit)}", fragment)
    if found:
        start, end = found.span()
        word = re.match(r"\w*", fragment[end:]).end() + end
        # "3 Tage" becomes "in 3 Tagen", but "3 時間" becomes "3 時間前": an ending that is the direction is not
        # part of the unit.
        if not alone or (fragment[:start] + fragment[word:]).strip():
            end = word
        return start, end
    for match in re.finditer(r"\w+", fragment):
        stem = max(3, round(0.6 * len(unit)))
        if len(unit) >= stem and match.group().startswith(unit[:stem]):
            return match.span()
    return None
