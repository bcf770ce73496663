"""Sentence templates as Home Assistant writes them, and sentences drawn from them at random.

A template is text with alternatives `(on|off)`, optional parts `[the]`, permutations `(in the kitchen;the light)`,
slots `{list}` or `{list:slot}`, and expansion rules `<rule>`.
"""

import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_TOKEN = re.compile(r"\\.|[()\[\]|;]|\{[^{}]*\}|<[^<>]*>|[^()\[\]|;{}<>\\]+")
_CLOSING = {"(": ")", "[": "]"}
DEEPEST = 40  # expansion rules within one another; more is a circle


@dataclass(frozen=True)
class Slot:
    """A part of a sentence that fills a slot.

    Args:
        start: Place of its first code point.
        end: Place after its last one.
        name: Name of the slot.
        value: What the text stands for, such as "on" for "switched on"; the text itself where nothing else is known.
    """

    start: int
    end: int
    name: str
    value: str


def parse(template: str) -> tuple[str, Any]:
    """Parses a template to nested pairs: ("text", str), ("slot", str), ("rule", str), ("sequence", list of pairs),
    ("choice", list of pairs) and ("permutation", list of pairs).

    Raises:
        ValueError: A bracket is missing.

    Example:

    >>> parse("turn [the] {name}")
    ('sequence', [('text', 'turn '), ('choice', [('text', 'the'), ('text', '')]), ('text', ' '), ('slot', 'name')])
    """
    tokens = _TOKEN.findall(template)
    if "".join(tokens) != template:
        raise ValueError(f"template: expected matching brackets, received {template!r}")
    node, end = _parse_group(tokens, 0, "", template)
    if end != len(tokens):
        raise ValueError(f"template: expected matching brackets, received {template!r}")
    return node


def _parse_group(tokens: Sequence[str], place: int, closing: str, template: str) -> tuple[tuple[str, Any], int]:
    """Parses up to `closing`. Returns the group and the place after it."""
    parts, separator = [[]], ""
    while place < len(tokens) and tokens[place] not in (")", "]"):
        token = tokens[place]
        place += 1
        if token in _CLOSING:
            node, place = _parse_group(tokens, place, _CLOSING[token], template)
            parts[-1].append(node if token == "(" else _optional(node))
        elif token in ("|", ";"):
            separator = token
            parts.append([])
        elif token[0] in "{<":
            parts[-1].append(("slot" if token[0] == "{" else "rule", token[1:-1].strip()))
        else:
            parts[-1].append(("text", token[1:] if token[0] == "\\" else token))
    if closing:
        if place == len(tokens) or tokens[place] != closing:
            raise ValueError(f"template: expected matching brackets, received {template!r}")
        place += 1
    nodes = [_sequence(part) for part in parts]
    if len(nodes) == 1:
        return nodes[0], place
    return ("choice" if separator == "|" else "permutation", nodes), place


def _sequence(nodes: list[tuple[str, Any]]) -> tuple[str, Any]:
    return ("text", "") if not nodes else nodes[0] if len(nodes) == 1 else ("sequence", nodes)


def _optional(node: tuple[str, Any]) -> tuple[str, Any]:
    kind, content = node
    return ("choice", [*(content if kind == "choice" else [node]), ("text", "")])


class Sampler:
    """Draws sentences from templates.

    Args:
        rules: Templates by the name of the expansion rule.
        values: Function of the name of a list and a `random.Random` to (text, value). The text is a template.

    Example:

    >>> values = lambda name, rng: (rng.choice(["lamp", "desk lamp"]), None)
    >>> Sampler({"the": "(the|my)"}, values).draw("turn on [<the>] {device:name}", random.Random(1))
    ('turn on the desk lamp', [Slot(start=12, end=21, name='name', value='desk lamp')])
    """

    def __init__(self, rules: Mapping[str, str], values: Callable[[str, random.Random], tuple[str, str | None]]):
        self.rules = rules
        self.values = values
        self.parsed: dict[str, tuple[str, Any]] = {}

    def draw(self, template: str, rng: random.Random) -> tuple[str, list[Slot]]:
        """Draws one sentence.

        Args:
            template: The template.
            rng: Source of all choices.

        Returns:
            (sentence, slots), the slots in the order of their places. Several spaces become one.

        Raises:
            ValueError: A bracket or a rule is missing, or rules form a circle.
        """
        text, slots = "", []
        for part, name, value in self._expand(self._parse(template), rng, 0):
            part = re.sub(r"\s+", " ", part)
            if part.startswith(" ") and (not text or text.endswith(" ")):
                part = part[1:]
            if name and part.strip():
                start = len(text) + len(part) - len(part.lstrip())
                shown = part.strip()
                slots.append(Slot(start, start + len(shown), name, shown if value is None else value))
            text += part
        return text.rstrip(), slots

    def _parse(self, template: str) -> tuple[str, Any]:
        if template not in self.parsed:
            self.parsed[template] = parse(template)
        return self.parsed[template]

    def _expand(
        self, node: tuple[str, Any], rng: random.Random, depth: int
    ) -> list[tuple[str, str | None, str | None]]:
        """Returns the parts of a drawn sentence: (text, name of the slot or None, value or None)."""
        kind, content = node
        if depth > DEEPEST:
            raise ValueError(f"template: expected rules without circles, received {content!r}")
        if kind == "text":
            return [(content, None, None)]
        if kind == "choice":
            return self._expand(rng.choice(content), rng, depth + 1)
        if kind == "sequence":
            return [part for one in content for part in self._expand(one, rng, depth + 1)]
        if kind == "permutation":
            parts = [self._expand(one, rng, depth + 1) for one in rng.sample(content, len(content))]
            return [part for one in parts for part in [*one, (" ", None, None)]][:-1]
        if kind == "rule":
            if content not in self.rules:
                raise ValueError(f"template: expected one of the rules, received <{content}>")
            return self._expand(self._parse(self.rules[content]), rng, depth + 1)
        source, _, slot = content.partition(":")
        chosen, value = self.values(source, rng)
        text = "".join(part for part, _, _ in self._expand(self._parse(chosen), rng, depth + 1))
        return [(text, slot or source, value)]
