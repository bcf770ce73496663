"""Fonts for any text, and texts with their invisible characters made visible."""

import unicodedata

INVISIBLE = ("Cc", "Cf", "Co", "Cs", "Zl", "Zp")  # Unicode categories: controls, formats, private use, line separators


def readable(text, missing=()):
    """Returns a text with control characters by number, and a box for what no font has."""
    shown = []
    for character in text.replace("▁", "_"):  # SentencePiece's mark is a heavy bar in print
        if character in missing:
            shown.append("□")
        elif unicodedata.category(character) in INVISIBLE:
            shown.append(f"<{ord(character):04X}>")
        else:
            shown.append(character)
    return "".join(shown)


def width(text):
    """Returns how many columns a text takes; Chinese, Japanese and Korean characters take two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def fonts_for(text):
    """Finds fonts of this system that together show a text.

    Returns:
        The names of font families, the first one for all it has; and the characters that none of them has.
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
            found = {c for c in missing if ord(c) in font.get_charmap()}
        except (RuntimeError, OSError):  # not a font that FreeType reads
            continue
        if found:
            font_manager.fontManager.addfont(path)
            families.append(font.family_name)
            missing -= found
    return families, missing
