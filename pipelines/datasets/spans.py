"""Text with known parts: which characters are the day, which the month, which the name.

A `Spanned` text is built by joining parts, so every offset is exact and nothing has to be searched for afterwards.
Offsets count Unicode code points of the final text, which is NFKC-normalised and has its white space folded: CLDR
writes U+00A0 and U+202F where people type a space.
"""

import functools
import re
import unicodedata
from collections.abc import Iterable
from typing import NamedTuple

Span = tuple[str, int, int]  # role, start, end


class Spanned(NamedTuple):
    """A normalised text and the spans of its parts. Each span has a role; several spans may have the same role."""

    text: str
    spans: tuple[Span, ...] = ()

    def roles(self) -> set[str]:
        """Returns the names of the roles that occur."""
        return {role for role, _, _ in self.spans}

    def under(self, prefix: str) -> "Spanned":
        """Returns the same text with `prefix` before each role, to tell two dates in one sentence apart."""
        return Spanned(self.text, tuple((prefix + role, start, end) for role, start, end in self.spans))


def normalize(text: str) -> str:
    """Applies NFKC, replaces every run of white space by one plain space, and strips the ends.

    Example:

    >>> normalize(" 1\\u202f250,00\\u00a0€ ")
    '1 250,00 €'
    """
    return " ".join(unicodedata.normalize("NFKC", text).split())


def whole(text: str) -> Spanned:
    """Returns all of `text` as one span of the role "", for text whose parts are not known."""
    text = normalize(text)
    return Spanned(text, (("", 0, len(text)),))


def join(parts: Iterable[tuple[str | None, str | Spanned]]) -> Spanned:
    """Joins (role, text) parts.

    A part of role None gets no span. A part that is `Spanned` keeps its spans. If normalisation changes characters
    across the border of two parts (a combining mark at the start of a part), the result is one whole span.

    Example:

    >>> join([("day", "14"), (None, "\\u00a0de "), ("month", "julio")])
    Spanned(text='14 de julio', spans=(('day', 0, 2), ('month', 6, 11)))
    """
    text, raw, spans = "", "", []
    for role, part in parts:
        raw += part.text if isinstance(part, Spanned) else part
        if isinstance(part, Spanned):
            start = len(text)
            text += part.text
            spans += [(name, start + first, start + last) for name, first, last in part.spans] if start else part.spans
            continue
        folded, visible = _fold(part)
        if not text or text[-1] == " ":
            folded = folded.lstrip()
        if role is not None and visible:
            start = len(text) + folded.index(visible)
            spans.append((role, start, start + len(visible)))
        text += folded
    text = text.rstrip()
    return Spanned(text, tuple(spans)) if text == normalize(raw) else whole(raw)


@functools.lru_cache(100_000)
def _fold(part: str) -> tuple[str, str]:
    """Returns `part` with its white space folded but not stripped, and its visible text.

    The visible text of spaces and of marks of direction is "".
    """
    folded = re.sub(r"\s+", " ", unicodedata.normalize("NFKC", part))
    return folded, folded.strip() if any(unicodedata.category(char) not in ("Cf", "Zs") for char in folded) else ""


@functools.cache
def _placeholders(pattern: str) -> list[str]:
    return re.split(r"\{(\d)\}", pattern.replace("'", ""))


def fill(pattern: str, values: dict[int, Spanned], role: str | None = None) -> Spanned:
    """Puts `values` into a CLDR pattern such as "{0}, and {1}"; the words of the pattern get `role`.

    Example:

    >>> fill("{0} et {1}", {0: whole("deux"), 1: whole("trois")}, "and").spans
    (('', 0, 4), ('and', 5, 7), ('', 8, 13))
    """
    pieces = enumerate(_placeholders(pattern))
    return join((None, values[int(piece)]) if i % 2 else (role, piece) for i, piece in pieces if piece)


def match_roles(source: Spanned, target: Spanned) -> tuple[Spanned, Spanned]:
    """Keeps the roles that both texts have. If they have none in common, each becomes one whole span.

    Example:

    >>> source = join([("hour", "3"), (None, ":"), ("minute", "45")])
    >>> [spanned.spans for spanned in match_roles(source, join([("hour", "15"), (None, " h")]))]
    [(('hour', 0, 1),), (('hour', 0, 2),)]
    """
    common = source.roles() & target.roles()
    if not common:
        return whole(source.text), whole(target.text)
    kept = [Spanned(text, tuple(span for span in spans if span[0] in common)) for text, spans in (source, target)]
    return kept[0], kept[1]


def align(source: Spanned, target: Spanned) -> dict[str, list[int]]:
    """Pairs each span of `source` with each span of `target` in the same role, in the source's order.

    Example:

    >>> align(join([("n", "3"), ("unit", " km")]), join([("unit", "km"), ("n", " 3")]))
    {'source_start': [0, 2], 'source_end': [1, 4], 'target_start': [3, 0], 'target_end': [4, 2]}
    """
    pairs = [
        (start, end, first, last)
        for role, start, end in source.spans
        for name, first, last in target.spans
        if name == role
    ]
    names = ("source_start", "source_end", "target_start", "target_end")
    return {name: [pair[column] for pair in pairs] for column, name in enumerate(names)}
