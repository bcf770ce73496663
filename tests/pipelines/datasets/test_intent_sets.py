"""Own sentences with intents and entities: formats, faults with file and line, and the split."""

import json

import pytest

from attention_zoo.pipelines.datasets.intent_sets import read_utterances
from attention_zoo.pipelines.engine.errors import UserError


def write(path, rows):
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows), encoding="utf-8")
    return str(path)


def many(count=30):
    return [{"text": f"{verb} number {n}", "intent": verb} for verb in ("call", "stop") for n in range(count)]


def test_jsonl_keeps_entities_and_names_faults_by_line(tmp_path, capsys):
    entity = {"start": 5, "end": 9, "entity": "who", "value": "Anna Meier", "role": "callee"}
    rows = [
        {"text": "call Anna", "intent": "call", "entities": [entity]},
        "{",
        {"text": " ", "intent": "call"},
        {"text": "x", "intent": "call", "entities": [entity]},
        '["a list"]',
        *many(),
    ]
    found = read_utterances("", [write(tmp_path / "own.jsonl", rows)])
    every = {row.text: row for split in found.splits.values() for row in split}
    assert len(every) == 61 and every["call Anna"].entities[0].type == "who:callee"
    printed = capsys.readouterr().out
    for line in (2, 3, 4, 5):
        assert f"own.jsonl, line {line}" in printed
    assert found.version.endswith(", without 4 faults")
    with pytest.raises(UserError, match=r"--data.strict: expected no faults, received 4"):
        read_utterances("", [str(tmp_path / "own.jsonl")], strict=True)


def test_csv_with_and_without_a_heading(tmp_path, capsys):
    rows = ["text,intent", '"please, stop",stop', "too,many,columns", *(f"go {n},go" for n in range(20))]
    found = read_utterances("", [write(tmp_path / "own.csv", rows)])
    texts = {row.text: row.intent for split in found.splits.values() for row in split}
    assert texts["please, stop"] == "stop" and len(texts) == 21
    assert "own.csv, line 3" in capsys.readouterr().out


def test_each_intent_is_in_every_split_and_no_sentence_in_two(tmp_path, capsys):
    rows = [*many(), {"text": "CALL  number 3", "intent": "call"}]
    splits = read_utterances("", [write(tmp_path / "own.jsonl", rows)]).splits
    texts = [row.text.lower() for split in splits.values() for row in split]
    assert len(texts) == len(set(texts)) == 60 and "dropped 1 sentence that occurs again" in capsys.readouterr().out
    for split, count in (("train", 24), ("validation", 3), ("test", 3)):
        assert [sum(row.intent == intent for row in splits[split]) for intent in ("call", "stop")] == [count] * 2


def test_splits_of_ones_own_take_the_place_of_a_part(tmp_path):
    test = write(tmp_path / "test.jsonl", [{"text": "hang up", "intent": "stop"}])
    splits = read_utterances("", [write(tmp_path / "own.jsonl", many())], test=[test]).splits
    assert [row.text for row in splits["test"]] == ["hang up"] and len(splits["train"]) == 54


@pytest.mark.parametrize(
    "name, said",
    [("gone.jsonl", "expected a text file"), ("own.txt", "expected files that end in"), ("one.csv", "received none")],
)
def test_files_that_cannot_be_used_are_refused_by_flag(tmp_path, name, said):
    if name != "gone.jsonl":
        write(tmp_path / name, ["stop,stop"])
    with pytest.raises(UserError, match=f"^--data.files: .*{said}"):
        read_utterances("", [str(tmp_path / name)])


def test_bytes_that_are_not_utf8_and_files_of_a_split_are_named(tmp_path, capsys):
    (bad := tmp_path / "bad.csv").write_bytes(b"hello,greet\ncaf\xe9,greet\nhi,greet\nhey,greet\nbye,end\n")
    read_utterances("", [str(bad)])
    assert f"{bad}, line 2: caf\ufffd" in capsys.readouterr().out
    (broken := tmp_path / "dev.yml").write_text("nlu: [")
    with pytest.raises(UserError, match="^--data.dev: expected YAML in .*dev.yml, line 1"):
        read_utterances("", [str(bad)], dev=[str(broken)])
    broken.write_text("nlu: []", encoding="utf-16")
    with pytest.raises(UserError, match="^--data.test: expected a text file in UTF-8"):
        read_utterances("", [str(bad)], test=[str(broken)])
