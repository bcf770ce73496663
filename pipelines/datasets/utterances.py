"""Sentences with an intent and entities."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

NOT_UTF8 = "\ufffd"  # what stands for bytes of a file that are not UTF-8


@dataclass(frozen=True)
class Entity:
    """A part of a sentence.

    Args:
        start: Place of its first code point.
        end: Place after its last one.
        entity: What it is, such as "city".
        value: What it stands for, such as "New York" for "NYC".
        role: What it does in the sentence, such as "departure". Defaults to `""`.
    """

    start: int
    end: int
    entity: str
    value: str
    role: str = ""

    @property
    def type(self) -> str:
        """The entity, and a colon and its role if it has one: what is tagged."""
        return f"{self.entity}:{self.role}" if self.role else self.entity


@dataclass(frozen=True)
class Utterance:
    """A sentence.

    Args:
        text: The sentence.
        intent: What its speaker wants.
        entities: Its entities, in the order of their places. Defaults to none.
    """

    text: str
    intent: str
    entities: tuple[Entity, ...] = ()


@dataclass
class Utterances:
    """All that was read.

    Args:
        splits: "train", "validation" and "test" to lists of `Utterance`.
        version: Name and version of the dataset, or the digests of the files.
        synonyms: Values by texts in lower case, from the data's own tables.
        patterns: Regular expressions by name, from the data's lookup tables and regexes.
    """

    splits: dict[str, list[Utterance]] = field(default_factory=dict)
    version: str = ""
    synonyms: dict[str, str] = field(default_factory=dict)
    patterns: dict[str, str] = field(default_factory=dict)


def utterance_of(text: str, intent: str, entities: Sequence[dict[str, Any]]) -> Utterance:
    """Makes an `Utterance` of a record.

    Raises:
        ValueError: An entity has no name, lies outside of the text, or overlaps with another one.

    Example:

    >>> utterance_of("to NYC", "travel", [{"start": 3, "end": 6, "entity": "city", "value": "New York"}]).entities
    (Entity(start=3, end=6, entity='city', value='New York', role=''),)
    """
    made, last = [], 0
    for one in sorted(entities, key=lambda one: one["start"]):
        start, end, name = int(one["start"]), int(one["end"]), str(one.get("entity") or "").strip()
        if not name or not last <= start < end <= len(text):
            raise ValueError(f"expected a name and a place from {last} to {len(text)}, received {name!r} {start}-{end}")
        value = one.get("value")
        made.append(
            Entity(start, end, name, text[start:end] if value is None else str(value), str(one.get("role") or ""))
        )
        last = end
    return Utterance(text, intent, tuple(made))
