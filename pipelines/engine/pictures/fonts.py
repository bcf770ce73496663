"""Fonts for any text, and texts with their invisible characters made visible."""

import unicodedata
from collections.abc import Collection, Iterable

INVISIBLE = ("Cc", "Cf", "Co", "Cs", "Zl", "Zp")  # Unicode categories: controls, formats, private use, line separators

CJK = {"CJK", "HIRAGANA", "KATAKANA", "HANGUL", "IDEOGRAPHIC", "FULLWIDTH"}  # first words of Unicode names
SHOWN = 5  # characters that a message lists


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


def missing_font(texts: Iterable[str]) -> str:
    """Returns a line that names the characters that pictures cannot show, and the package to install, or `""`.

    Args:
        texts: The texts.

    Example:

    >>> missing_font(["red cat", "œuf"])
    ''
    """
    characters = {character for text in texts for character in text if not character.isascii()}
    missing = sorted(fonts_for("".join(characters))[1]) if characters else []
    if not missing:
        return ""
    names = {unicodedata.name(character, "").split()[0] for character in missing if unicodedata.name(character, "")}
    package = "fonts-noto-cjk" if names & CJK else "fonts-noto"
    shown = " ".join(missing[:SHOWN]) + (" ..." if len(missing) > SHOWN else "")
    return (
        f"no font of this system shows {len(missing):,} of the characters ({shown}): pictures will have □ for them; "
        f"install one first, such as the package {package}"
    )
