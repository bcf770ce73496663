"""Hooks with which MkDocs builds the book: code that is read from its module, and formulas as MathML.

A page names code instead of repeating it, so that the book always shows the code that runs:

    ```source
    layers/scores.py AdditiveScore.project_query AdditiveScore.compare
    ```

Docstrings are left out. A name that is not in the file ends the build. A browser draws MathML by itself, so that a
page needs no script for its formulas and no network.
"""

import ast
import re
from html import unescape
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = re.compile(r"^```source\n(.*?)^```$", re.DOTALL | re.MULTILINE)
FORMULA = re.compile(r'<(span|div) class="arithmatex">\\([(\[])(.*?)\\[)\]]</\1>', re.DOTALL)


def on_page_markdown(markdown, **_):
    """MkDocs' hook on the text of a page: puts the code in the place of its names."""
    return SOURCE.sub(lambda block: "\n\n".join(map(_listing, block[1].splitlines())), markdown)


def on_page_content(html, **_):
    """MkDocs' hook on the HTML of a page: puts MathML in the place of the formulas."""
    from latex2mathml.converter import convert

    def mathml(formula):
        display = "inline" if formula[2] == "(" else "block"
        return convert(unescape(formula[3]).strip(), display=display)

    return FORMULA.sub(mathml, html)


# What the theme leaves without a name.
NAMED = [
    (re.compile(r' aria-hidden="true"(\s+type="radio" name="__palette")'), r' aria-label="color scheme"\1'),
    (re.compile(r'(<div class="md-search"[^>]* role="dialog")'), r'\1 aria-label="search"'),
    (re.compile(r'(<input class="md-toggle" data-md-toggle="(\w+)")'), r'\1 aria-label="\2"'),
]


def on_post_page(output, **_):
    """MkDocs' hook on a whole page: names for screen readers."""
    for pattern, named in NAMED:
        output = pattern.sub(named, output)
    return output


def on_post_template(output_content, **_):
    """MkDocs' hook on the page for what is not found."""
    return on_post_page(output_content)


def _listing(line):
    name, *symbols = line.split()
    return f'```python title="{name}"\n{source_of(ROOT / name, symbols)}\n```'


def source_of(path, symbols):
    """Returns the code of functions, classes and methods of a module, without docstrings.

    Args:
        path: The module.
        symbols: Names such as "sinusoids" or "AdditiveScore.compare". Methods stand below the line of their class.

    Raises:
        LookupError: The module has no such name.

    Example:

    >>> print(source_of(ROOT / "layers" / "scores.py", ["DotScore.compare"]))
    class DotScore(Score):
        def compare(self, query, key):
            self._check_features(query.shape, key.shape)
            return _dot_product(query, key)
    """
    text = Path(path).read_text(encoding="utf-8")
    lines, parts, owner = text.splitlines(), [], None
    for symbol in symbols:
        found = _find(ast.parse(text), symbol.split("."))
        if not found:
            raise LookupError(f"{path} has no {symbol}")
        *outer, node = found
        if outer and outer[-1].name != owner:
            parts.append("\n".join([lines[outer[-1].lineno - 1], *_lines(node, lines)]))
        else:
            parts.append("\n".join(_lines(node, lines)))
        owner = outer[-1].name if outer else None
    return "\n\n".join(parts)


def _find(node, names):
    """The definitions on the way to a name, or an empty list."""
    for child in getattr(node, "body", []):
        if getattr(child, "name", None) == names[0]:
            rest = _find(child, names[1:]) if names[1:] else []
            return [child, *rest] if rest or not names[1:] else []
    return []


def _lines(node, lines):
    """The lines of a definition without its docstrings."""
    hidden = set()
    for inner in ast.walk(node):
        if isinstance(inner, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(inner, clean=False) is not None:
            hidden |= set(range(inner.body[0].lineno, inner.body[0].end_lineno + 1))
    numbers = [number for number in range(node.lineno, node.end_lineno + 1) if number not in hidden]
    return [lines[number - 1] for number in numbers]
