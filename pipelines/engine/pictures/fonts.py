"""Fonts for any text, and texts with their invisible characters made visible."""

import unicodedata
from collections.abc import Collection

INVISIBLE = ("Cc", "Cf", "Co", "Cs", "Zl", "Zp")  # Unicode categories: controls, formats, private use, line separators


def readable(text: str, missing: Collection[str] = ()) -> str:
    """Returns a text with invisible characters as numbers, and a box for each of the `missing` characters."""
    shown = []
    for character in text.replace("▁", "_"):  # SentencePiece's mark is a heavy bar in print
        if character in missing:
            shown.append("□")
        elif unicodedata.category(character) in INVISIBLE:
            shown.append(f"<{ord(character):04X}>")
        else:
            shown.append(character)
    return "".join(shown)


def width(text: str) -> int:
    """Returns the number of columns of a text; Chinese, Japanese and Korean characters take two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def fonts_for(text: str) -> tuple[list[str], set[str]]:
    """Finds fonts of this system that together show a text.

    Args:
        text: The text.

    Returns:
        Tuple of the names of font families, in the order in which to use them, and of the characters that none has.
    """
    from matplotlib import font_manager
    from matplotlib.ft2font import FT2Font

    families = ["DejaVu Sans"]  # comes with matplotlib: Latin with all accents, Greek, Cyrillic, Arabic, Hebrew
    drawn = {c for c in text if not c.isspace() and unicodedata.category(c) not in INVISIBLE}
    missing = {c for c in drawn if ord(c) not in FT2Font(font_manager.findfont("DejaVu Sans")).get_charmap()}
    if not missing:
        return families, missing
    for path in sorted(font_manager.findSystemFonts()):
        try:
            font = FT2Font(path)
            shown = {c for c in missing if ord(c) in font.get_charmap()}
        except (RuntimeError, OSError):  # not a font that FreeType reads
            continue
        if shown:
            font_manager.fontManager.addfont(path)
            families.append(font.family_name)
            missing -= shown
    return families, missing
