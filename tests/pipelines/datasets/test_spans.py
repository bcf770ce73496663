"""Offsets are those of the stored, normalised text."""

import unicodedata

from attention_zoo.pipelines.datasets.spans import Spanned, align, fill, join, match_roles, normalize, whole


def texts(spanned):
    return [(role, spanned.text[start:end]) for role, start, end in spanned.spans]


def test_white_space_of_all_kinds_becomes_one_plain_space():
    assert normalize("\u00a01\u202f250,00 \t\u00a0€\n") == "1 250,00 €"


def test_normalisation_is_nfkc():
    assert normalize("ﬁve km² e\u0301") == "five km2 é"


def test_offsets_count_the_normalised_text_not_the_raw_one():
    spanned = join([("fraction", "½"), (None, "\u00a0\u00a0"), ("unit", " km\u00b2 "), (None, "end")])
    assert spanned.text == "1⁄2 km2 end"
    assert texts(spanned) == [("fraction", "1⁄2"), ("unit", "km2")]


def test_offsets_count_code_points_not_bytes_or_utf16():
    assert join([(None, "𝔸𐍈é "), ("name", "日本")]).spans == (("name", 4, 6),)


def test_spans_never_hold_white_space_at_their_ends():
    spanned = join([("a", " x "), ("b", " y "), ("c", " ")])
    assert spanned.text == "x y" and texts(spanned) == [("a", "x"), ("b", "y")]


def test_a_mark_of_direction_has_no_span():
    assert join([("unit", "\u200f"), ("number", "5")]).spans == (("number", 1, 2),)


def test_parts_that_normalisation_merges_become_one_span():
    spanned = join([("letter", "e"), ("accent", "\u0301")])
    assert spanned == Spanned("é", (("", 0, 1),))
    assert unicodedata.is_normalized("NFKC", spanned.text)


def test_a_filled_pattern_shifts_the_spans_of_its_values():
    inner = join([("day", "14"), (None, " "), ("month", "juillet")])
    outer = fill("le '{'{0} – {1}", {0: whole("x"), 1: inner}, "joint")
    assert outer.text == "le {x – 14 juillet"
    assert ("month", "juillet") in texts(outer) and ("joint", "–") in texts(outer)


def test_roles_of_one_side_are_dropped_and_without_common_ones_all_is_aligned():
    left, right = join([("a", "1"), ("b", "2")]), join([("b", "zwei"), ("c", "drei")])
    assert [texts(side) for side in match_roles(left, right)] == [[("b", "2")], [("b", "zwei")]]
    assert [side.spans for side in match_roles(left, whole("xyz"))] == [(("", 0, 2),), (("", 0, 3),)]


def test_align_pairs_every_span_of_a_role_with_every_span_of_that_role():
    source = Spanned("ab", (("u", 0, 1), ("n", 1, 2)))
    target = Spanned("xyz", (("u", 0, 1), ("n", 1, 2), ("u", 2, 3)))
    assert align(source, target) == {
        "source_start": [0, 0, 1],
        "source_end": [1, 1, 2],
        "target_start": [0, 2, 1],
        "target_end": [1, 3, 2],
    }
    assert align(whole("a"), Spanned("b")) == {name: [] for name in align(source, target)}
