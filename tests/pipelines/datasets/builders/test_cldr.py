"""The texts of `LocaleText` equal Babel's, and its spans are the places of Babel's fields."""

import datetime

import pytest
from babel import Locale
from babel.dates import format_date, format_skeleton, format_time, format_timedelta
from babel.lists import format_list
from babel.numbers import format_currency, format_percent
from babel.units import format_unit

from attention_zoo.pipelines.datasets.builders.cldr import LocaleText
from attention_zoo.pipelines.datasets.spans import normalize

LOCALES = ["en", "fr", "de", "es", "ko", "ja", "ar", "fi", "hu", "zh", "th", "sw", "pt_BR"]
MOMENT = datetime.datetime(2022, 2, 22, 22, 2, 12)  # a text search for "2" or "22" would go wrong here


def texts(spanned):
    return [(role, spanned.text[start:end]) for role, start, end in spanned.spans]


@pytest.mark.parametrize("locale", LOCALES)
def test_texts_equal_babels(locale):
    text = LocaleText(locale)
    day, time = MOMENT.date(), MOMENT.time()
    for style in ("full", "long", "medium", "short"):
        assert text.date(day, style).text == normalize(format_date(day, style, locale))
    for skeleton in ("yMMMM", "MMMMd"):
        assert text.date(day, skeleton).text == normalize(format_skeleton(skeleton, MOMENT, locale=locale))
    for style in ("medium", "short"):
        assert text.time(time, style).text == normalize(format_time(time, style, locale=locale))
    pattern = str(Locale.parse(locale).datetime_formats["medium"]).replace("'", "")
    joined = pattern.format(format_time(time, "short", locale=locale), format_date(day, "medium", locale))
    assert text.datetime(MOMENT, "medium").text == normalize(joined)
    assert text.percent(45).text == normalize(format_percent(0.45, locale=locale))
    assert text.currency(1250.5, "EUR", "name").text == normalize(
        format_currency(1250.5, "EUR", locale=locale, format_type="name")
    )
    names = [Locale.parse(locale).territories[code] for code in ("FR", "DE", "ES", "IT")]
    for count in (2, 3, 4):
        items = [text.name("territories", code) for code in ("FR", "DE", "ES", "IT")[:count]]
        for style in ("standard", "or"):
            assert text.listed(items, style).text == normalize(format_list(names[:count], style, locale))


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("count", [1, 2, 5, 14, 21])
def test_amounts_and_relative_times_equal_babels_for_all_plurals(locale, count):
    text = LocaleText(locale)
    assert text.amount(count, "length-kilometer", "short").text == normalize(
        format_unit(count, "length-kilometer", "short", locale=locale)
    )
    for sign in (1, -1):
        delta = datetime.timedelta(days=sign * count)
        expected = format_timedelta(delta, "day", threshold=1e9, add_direction=True, locale=locale)
        assert text.relative(sign * count, "day").text == normalize(expected)


def test_date_spans_tell_equal_digits_apart():
    assert texts(LocaleText("en").date(MOMENT.date(), "full")) == [
        ("weekday", "Tuesday"),
        ("month", "February"),
        ("day", "22"),
        ("year", "2022"),
    ]
    spanned = LocaleText("en").date(MOMENT.date(), "yMd")
    assert spanned.spans == (("month", 0, 1), ("day", 2, 4), ("year", 5, 9))
    assert LocaleText("en").datetime(MOMENT, "long").spans[-3:] == (
        ("hour", 19, 21),
        ("minute", 22, 24),
        ("period", 25, 27),
    )


def test_letters_next_to_a_number_belong_to_its_field():
    assert texts(LocaleText("ja").date(MOMENT.date(), "long")) == [
        ("year", "2022年"),
        ("month", "2月"),
        ("day", "22日"),
    ]
    assert texts(LocaleText("es").date(MOMENT.date(), "long")) == [
        ("day", "22"),
        ("month", "febrero"),
        ("year", "2022"),
    ]


@pytest.mark.parametrize(
    ("locale", "count", "unit", "expected"),
    [
        ("en", -3, "hour", {"number": ["3"], "unit": ["hours"], "direction": ["ago"]}),
        ("fr", 4, "year", {"number": ["4"], "unit": ["ans"], "direction": ["dans"]}),  # "ans" is in "dans" too
        ("fr", -3, "hour", {"number": ["3"], "unit": ["heures"], "direction": ["il y a"]}),
        ("de", 3, "day", {"number": ["3"], "unit": ["Tagen"], "direction": ["in"]}),  # dative; alone it is "3 Tage"
        ("ko", 3, "hour", {"number": ["3"], "unit": ["시간"], "direction": ["후"]}),
        ("ja", -3, "hour", {"number": ["3"], "unit": ["時間"], "direction": ["前"]}),
        ("sw", 3, "hour", {"number": ["3"], "unit": ["saa"], "direction": ["baada ya"]}),
        (
            "fi",
            3,
            "hour",
            {"number": ["3"], "unit": ["tunnin päästä"], "direction": ["tunnin päästä"]},
        ),  # can't be told apart
        ("ar", -1, "month", {"": ["قبل شهر واحد"]}),  # no figure in it
    ],
)
def test_relative_times_know_their_number_unit_and_direction(locale, count, unit, expected):
    found = {}
    for role, part in texts(LocaleText(locale).relative(count, unit)):
        found.setdefault(role, []).append(part)
    assert found == expected


@pytest.mark.parametrize(
    ("locale", "code", "style", "expected"),
    [
        ("en", "EUR", "standard", [("unit", "€"), ("number", "1,250.50")]),
        ("fr", "EUR", "standard", [("number", "1 250,50"), ("unit", "€")]),
        ("en", "SEK", "standard", [("unit", "SEK"), ("number", "1,250.50")]),
        ("de", "CHF", "name", [("number", "1.250,50"), ("unit", "Schweizer Franken")]),
    ],
)
def test_prices_know_their_number(locale, code, style, expected):
    assert texts(LocaleText(locale).currency(1250.5, code, style)) == expected


def test_a_digit_in_a_unit_is_not_the_number():
    assert texts(LocaleText("fr").amount(3, "volume-cubic-meter", "short")) == [("number", "3"), ("unit", "m3")]


def test_list_items_keep_their_own_spans_under_their_number():
    english = LocaleText("en")
    listed = english.listed([english.amount(3, "length-mile"), english.name("territories", "FR")], "or")
    assert texts(listed) == [("0.number", "3"), ("0.unit", "miles"), ("link1", "or"), ("1.", "France")]


def test_names_that_a_locale_lacks_are_none():
    english = LocaleText("en")
    assert english.name("territories", "QQ") is None
    assert english.amount(3, "length-elbow") is None
    assert english.currency(3, "QQQ", "name") is None


@pytest.mark.parametrize("locale", ["xx", "not a locale", ""])
def test_an_unknown_locale_is_named(locale):
    with pytest.raises(ValueError, match=f"locale: expected .* received '{locale}'"):
        LocaleText(locale)
