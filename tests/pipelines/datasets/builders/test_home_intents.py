"""Commands for a smart home, drawn from a small grammar: split by template, the same every time."""

from attention_zoo.pipelines.datasets.builders.home_intents import (
    LANGUAGES,
    SENTENCES,
    HomeIntents,
    draw_sentences,
    split_templates,
)
from attention_zoo.pipelines.datasets.builders.home_values import values_of

GRAMMAR = {
    "intents": {
        "TurnOn": {
            "data": [{"sentences": [f"{verb} [<the>] {{name}}" for verb in "start begin light run use".split()]}]
        },
        "Dim": {"data": [{"sentences": ["dim {name} to {level:brightness}", "{state} {name}", "stop {area}"]}]},
        "Rare": {"data": [{"sentences": ["say {message}", "start [<the>] {name}"]}]},
    },
    "lists": {
        "level": {"range": {"from": 0, "to": 100, "step": 10}},
        "state": {"values": [{"in": "(dark|night)[er]", "out": ["off", "no"]}]},
        "message": {"wildcard": True},
    },
    "expansion_rules": {"the": "(the|my)"},
}


def test_no_template_and_no_sentence_is_in_two_splits():
    splits = draw_sentences(GRAMMAR, "en")
    for part in ("template", "text"):
        groups = [
            {(row["intent"] if part == "template" else "", row[part]) for row in rows} for rows in splits.values()
        ]
        assert sum(map(len, groups)) == len(set().union(*groups))
    assert {row["intent"] for row in splits["train"]} == set(GRAMMAR["intents"])
    assert {row["intent"] for row in splits["test"]} == {"TurnOn", "Dim"}, "an intent of two templates is not tested"
    templates = {split: len(templates) for split, templates in split_templates(GRAMMAR["intents"]).items()}
    assert templates == {"train": 7, "validation": 1, "test": 2}


def test_sentences_are_the_same_each_time_and_not_too_many():
    first, second = (draw_sentences(GRAMMAR, "de") for _ in range(2))
    assert first == second
    for split, rows in first.items():
        counts = [sum(row["template"] == one for row in rows) for one in {row["template"] for row in rows}]
        assert max(counts) <= SENTENCES[split]


def test_entities_are_the_values_that_were_drawn():
    entities = [
        (row["text"][one["start"] : one["end"]], one["entity"], one["value"])
        for rows in draw_sentences(GRAMMAR, "ko").values()
        for row in rows
        for one in row["entities"]
    ]
    texts = {name: {text for text, entity, _ in entities if entity == name} for name in ("name", "brightness", "state")}
    assert texts["name"] <= set(values_of("ko")["name"]) and texts["brightness"] <= {str(n) for n in range(0, 101, 10)}
    assert texts["state"] <= {"dark", "darker", "night", "nighter"}
    assert {value for _, entity, value in entities if entity == "state"} <= {"off"}


def test_every_language_is_a_configuration():
    assert [config.name for config in HomeIntents.BUILDER_CONFIGS] == list(LANGUAGES) and len(LANGUAGES) == 65
