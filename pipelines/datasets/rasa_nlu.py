r"""Rasa's training data, nlu.yml, as it is written in the wild.

- `[value](entity)`, `[value](entity:synonym)`, and `[value]{"entity": ..., "role": ..., "value": ...}`; a group is read
  over.
- `examples` as a `|` block of lines that begin with a hyphen, or as a list of texts or of `text` with `metadata`.
- Tables of synonyms, lookup tables and regexes.
- Comments, of YAML and as lines of a block that begin with #.

Stories, rules and responses in the same file are read over.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from attention_zoo.pipelines.datasets.dirt import Dirt
from attention_zoo.pipelines.datasets.utf8_files import read_utf8
from attention_zoo.pipelines.datasets.utterances import NOT_UTF8, Utterance, Utterances, utterance_of
from attention_zoo.pipelines.engine.errors import UserError

_MARK = re.compile(r"\[(?P<text>[^\[\]]+)\](?:\((?P<plain>[^()]*)\)|(?P<table>\{[^{}]*\})|\[(?P<list>\{[^\[\]]*\})\])")
_LEFTOVER = re.compile(r"\[[^\[\]]*\]\s?[({]|\][({]|\[[^\[\]()]*\([^\[\]()]*\)(?![^\[]*\])")
KINDS = ("intent", "synonym", "lookup", "regex")


def parse_example(line: str) -> tuple[str, list[dict[str, Any]]]:
    """Parses the marks of a sentence.

    Args:
        line: The sentence with its marks.

    Returns:
        (text, entities), the arguments of `utterance_of`.

    Raises:
        ValueError: A mark is not complete.

    Example:

    >>> parse_example('from [Berlin]{"entity": "city", "role": "departure"} to [NYC](city:New York)')[0]
    'from Berlin to NYC'
    >>> parse_example("to [NYC](city:New York)")[1]
    [{'start': 3, 'end': 6, 'entity': 'city', 'value': 'New York'}]
    """
    text, entities, place = "", [], 0
    for mark in _MARK.finditer(line):
        text += line[place : mark.start()]
        if mark["plain"] is not None:
            name, _, value = mark["plain"].partition(":")
            tables = [{"entity": name, **({"value": value.strip()} if value.strip() else {})}]
        else:
            tables = json.loads(f"[{mark['table'] or mark['list']}]")
        known = tables[0]
        if not str(known.get("entity") or "").strip():
            raise ValueError(f"expected the name of an entity, received {mark[0]}")
        span = {"start": len(text), "end": len(text) + len(mark["text"]), "entity": str(known["entity"]).strip()}
        entities.append(span | {name: known[name] for name in ("value", "role") if known.get(name)})
        text += mark["text"]
        place = mark.end()
    rest = line[place:]
    if _LEFTOVER.search(_MARK.sub("", line)):
        raise ValueError(f"expected [value](entity) or [value]{{...}}, received {line}")
    return text + rest, entities


def read_nlu(path: str | Path, dirt: Dirt, found: Utterances) -> list[Utterance]:
    """Reads a file.

    Args:
        path: The file.
        dirt: Gets the faults: marks that are not complete, lines without a hyphen, intents without a name.
        found: Gets the synonyms, and the patterns of lookup tables and regexes.

    Returns:
        The sentences without faults.

    Raises:
        UserError: The file cannot be read, is no YAML, or has no `nlu` list.
    """
    try:
        root = yaml.compose(read_utf8(path).decode("utf-8", "replace"), Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        said = str(getattr(error, "problem", None) or error).splitlines()[0]
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise UserError(f"expected YAML in {path}{where}, received: {said}") from None
    items = _fields(root).get("nlu")
    if not isinstance(items, yaml.SequenceNode):
        raise UserError(f"expected a list `nlu` in {path}, received none")
    rows = []
    for item in items.value:
        fields = _fields(item)
        kind = next((kind for kind in KINDS if kind in fields), None)
        name = fields[kind].value if kind and isinstance(fields[kind], yaml.ScalarNode) else ""
        if not kind or not str(name).strip():
            dirt.add("an entry without a name", f"{path}, line {item.start_mark.line + 1}", f"expected one of {KINDS}")
            continue
        examples = list(_examples(path, fields.get("examples"), dirt))
        if kind == "intent":
            rows += [row for row in (_utterance(*one, str(name).strip(), dirt) for one in examples) if row]
        elif kind == "synonym":
            found.synonyms |= {text.strip().lower(): str(name).strip() for _, text in examples}
        elif examples:
            if kind == "lookup":  # patterns are compared with single words
                parts = [re.escape(word) for _, text in examples for word in text.split()]
            else:
                parts = [text for _, text in examples]
            found.patterns[str(name).strip()] = "|".join(f"(?:{part})" for part in parts)
    return rows


def _utterance(place: str, line: str, intent: str, dirt: Dirt) -> Utterance | None:
    if NOT_UTF8 in line:
        dirt.add("text that is not UTF-8", place, line)
        return None
    try:
        text, entities = parse_example(line)
        return utterance_of(text, intent, entities)
    except (ValueError, AttributeError, TypeError) as error:
        dirt.add("a bad mark", place, str(error))
        return None


def _fields(node: yaml.Node | None) -> dict[str, yaml.Node]:
    """The values of a mapping by key; none where the node is no mapping."""
    return {key.value: value for key, value in node.value} if isinstance(node, yaml.MappingNode) else {}


def _examples(path: str | Path, node: yaml.Node | None, dirt: Dirt) -> Iterator[tuple[str, str]]:
    """Yields (place, text) of the examples of an entry."""
    if isinstance(node, yaml.SequenceNode):
        for one in node.value:
            text = _fields(one).get("text", one)
            if isinstance(text, yaml.ScalarNode) and text.value.strip():
                yield f"{path}, line {text.start_mark.line + 1}", text.value.strip().removeprefix("- ").strip()
        return
    if not isinstance(node, yaml.ScalarNode):
        return
    first = node.start_mark.line + (2 if node.style in ("|", ">") else 1)  # a block begins below its |
    for number, line in enumerate(node.value.split("\n"), first):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        if not line.startswith("-"):
            dirt.add("no hyphen", f"{path}, line {number}", line)
        elif text := line[1:].strip():
            yield f"{path}, line {number}", text
