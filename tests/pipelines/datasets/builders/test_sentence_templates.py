"""Sentences drawn from templates: every construct, and errors that say what is wrong."""

import random

import pytest

from attention_zoo.pipelines.datasets.builders.sentence_templates import Sampler, Slot

VALUES = {"area": ["kitchen", "living room"], "state": ["[switched ]on"], "half": ["half"]}
RULES = {"the": "(the|my)", "in": "[in] <the>", "circle": "a <circle>"}


def sampler():
    return Sampler(RULES, lambda name, rng: (rng.choice(VALUES[name]), "on" if name == "state" else None))


def sentences(template, draws=200):
    return {sampler().draw(template, random.Random(seed))[0] for seed in range(draws)}


@pytest.mark.parametrize(
    "template, expected",
    [
        ("turn (on|off) it", {"turn on it", "turn off it"}),
        ("stop [the|my] timer", {"stop timer", "stop the timer", "stop my timer"}),
        ("lamp[s]", {"lamp", "lamps"}),
        ("[[all ]of] it", {"it", "of it", "all of it"}),
        ("(now;please) stop", {"now please stop", "please now stop"}),
        ("<in> {area}", {f"{a}{b} {c}" for a in ("in ", "") for b in ("the", "my") for c in VALUES["area"]}),
        (r"what\[ever", {"what[ever"}),
        ("{area}", set(VALUES["area"])),
        ("", {""}),
    ],
)
def test_all_sentences_of_a_template_are_drawn(template, expected):
    assert sentences(template) == expected


def test_slots_are_found_where_they_stand_with_their_values():
    for seed in range(20):
        text, slots = sampler().draw("is  [ the ]{area}light {state:what}?", random.Random(seed))
        assert "  " not in text
        assert [(slot.name, slot.value) for slot in slots] == [
            ("area", text[slots[0].start : slots[0].end]),
            ("what", "on"),
        ]
        assert text[slots[1].start : slots[1].end] in ("on", "switched on")
    assert sampler().draw("{half:minutes}", random.Random(1)) == ("half", [Slot(0, 4, "minutes", "half")])


@pytest.mark.parametrize("template", ["turn (on", "turn on)", "a [b", "{area", "<the", "(a]", "<no_rule>", "<circle>"])
def test_a_faulty_template_is_an_error_that_names_it(template):
    with pytest.raises(ValueError, match="template: expected"):
        sampler().draw(template, random.Random(0))
