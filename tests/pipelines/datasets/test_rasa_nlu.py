"""nlu.yml as people write it: every kind of mark and table, and faults that are named with file and line."""

import pytest

from attention_zoo.pipelines.datasets.dirt import Dirt
from attention_zoo.pipelines.datasets.rasa_nlu import parse_example, read_nlu
from attention_zoo.pipelines.datasets.utterances import Utterances
from attention_zoo.pipelines.engine.errors import UserError

WILD = r"""
version: "3.1"  # Rasa's
nlu:
# a comment of YAML
- intent: book_flight
  examples: |
    - fly from [Berlin]{"entity": "city", "role": "departure"} to [NYC]{"entity": "city", "value": "New York"}
    # a comment in a block
    - to [San Francisco](city:SF), please
    - no entity: just a [bracket] and a (parenthesis)

    - [Genève](city) 👍🏽 [morgen](time)
- intent: chitchat/ask_name
  examples:
  - text: |
      - what's your name?
    metadata: {sentiment: neutral}
  - who are you
- synonym: New York
  examples: |
    - NYC
    - Big Apple
- lookup: airline
  examples: |
    - Air (France)
    - KLM
- regex: flight_number
  examples: |
    - [A-Z]{2}\d{3,4}
rules: []
"""


def read(tmp_path, text):
    (path := tmp_path / "nlu.yml").write_text(text, encoding="utf-8")
    dirt, found = Dirt(), Utterances()
    return read_nlu(path, dirt, found), dirt, found


def test_a_file_of_the_wild_is_read_whole(tmp_path):
    rows, dirt, found = read(tmp_path, WILD)
    assert not dirt.faults
    assert [row.text for row in rows] == [
        "fly from Berlin to NYC",
        "to San Francisco, please",
        "no entity: just a [bracket] and a (parenthesis)",
        "Genève 👍🏽 morgen",
        "what's your name?",
        "who are you",
    ]
    assert [row.intent for row in rows] == ["book_flight"] * 4 + ["chitchat/ask_name"] * 2
    entities = [(row.text[e.start : e.end], e.type, e.value) for row in rows for e in row.entities]
    assert entities == [
        ("Berlin", "city:departure", "Berlin"),
        ("NYC", "city", "New York"),
        ("San Francisco", "city", "SF"),
        ("Genève", "city", "Genève"),
        ("morgen", "time", "morgen"),
    ]
    assert found.synonyms == {"nyc": "New York", "big apple": "New York"}
    assert found.patterns == {"airline": r"(?:Air)|(?:\(France\))|(?:KLM)", "flight_number": r"(?:[A-Z]{2}\d{3,4})"}


FAULTY = """nlu:
- intent: greet
  examples: |
    - good [morning](time
    - hello
    without a hyphen
    - [there]{"entity: "x"}
    - [there]()
    - [there]{"role": "x"}
    - the [lamp(thing)
- story: none
"""


def test_faults_are_named_with_file_and_line(tmp_path):
    rows, dirt, _ = read(tmp_path, FAULTY)
    assert [row.text for row in rows] == ["hello"]
    lines = [line for line in dirt.lines() if line.startswith("  ")]
    assert [line.split(": ")[0].rsplit(" ", 1)[1] for line in lines] == ["6", "4", "7", "8", "9", "10", "11"]
    assert all(f"{tmp_path / 'nlu.yml'}, line " in line for line in lines)


@pytest.mark.parametrize(
    "text, said", [("nlu: [", "line 1"), ("rules: []", "expected a list `nlu`"), ("", "expected a list")]
)
def test_what_is_no_training_data_is_refused(tmp_path, text, said):
    with pytest.raises(UserError, match=said):
        read(tmp_path, text)


def test_an_example_that_is_not_utf8_is_skipped_and_named(tmp_path):
    text = b"nlu:\n- intent: greet\n  examples: |\n    - caf\xe9\n    - hello\n"
    (path := tmp_path / "nlu.yml").write_bytes(text)
    rows = read_nlu(path, dirt := Dirt(), Utterances())
    assert [row.text for row in rows] == ["hello"]
    assert dirt.lines() == ["1 with text that is not UTF-8:", f"  {path}, line 4: caf\ufffd"]


def test_entities_that_stand_together_and_a_list_of_entities():
    text, entities = parse_example('[a](x)[b](y)[c][{"entity": "z"}, {"entity": "w"}]')
    assert text == "abc" and [(e["start"], e["end"], e["entity"]) for e in entities] == [
        (0, 1, "x"),
        (1, 2, "y"),
        (2, 3, "z"),
    ]
