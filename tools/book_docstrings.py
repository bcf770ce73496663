"""An extension of Griffe: the examples of docstrings become code on the pages of the book."""

import re

import griffe

EXAMPLE = re.compile(r"^>>> .*?(?=\n\s*\n(?!\s*>>>)|\Z)", re.DOTALL | re.MULTILINE)
HEADING = re.compile(r"^Examples?:(.*)$", re.MULTILINE)
CALL = re.compile(r"^Call arguments:$", re.MULTILINE)


class Examples(griffe.Extension):
    """Puts fences around doctests, which Markdown would take for quotations and links."""

    def on_object(self, *, obj, **_):
        """Griffe's hook on everything that it reads."""
        if obj.docstring is not None:
            obj.docstring.value = fenced(obj.docstring.value)


def fenced(docstring):
    """Returns a docstring with its doctests in fences, and with titles that Griffe knows.

    The arguments of a layer's call become a section, and "Example:" stands in bold letters. A doctest ends at an empty
    line that no other prompt follows.
    """
    docstring = CALL.sub("Other Args: Call arguments", docstring)
    docstring = HEADING.sub(lambda heading: f"**Example**{heading[1] and ':' + heading[1]}", docstring)
    return EXAMPLE.sub(lambda example: f"```pycon\n{example[0]}\n```", docstring)
