"""Questions are read from files in SQuAD's form and from datasets; faults are counted, and contexts are split whole."""

import json

import numpy as np
import pytest
import tensorflow_datasets as tfds

from attention_zoo.pipelines.datasets.dirt import Dirt
from attention_zoo.pipelines.datasets.questions import read_questions
from attention_zoo.pipelines.datasets.squad_files import Question, read_squad
from attention_zoo.pipelines.engine.errors import UserError

CONTEXT = "👍 né à Rome, Ann went to Oslo."


def row(question="Where?", text="Oslo", start=25, **others):
    return {"question": question, "answers": [{"text": text, "answer_start": start}], **others}


def written(path, *rows, context=CONTEXT):
    path.write_text(
        json.dumps({"version": "v2.0", "data": [{"paragraphs": [{"context": context, "qas": list(rows)}]}]})
    )
    return str(path)


def many(path, count=60):
    """A file of texts with two questions each."""
    paragraphs = [
        {"context": f"Number {n} is here.", "qas": [row("What?", f"{n}", 7), row("Where?", "here", 11 + len(f"{n}"))]}
        for n in range(count)
    ]
    path.write_text(json.dumps({"data": [{"paragraphs": paragraphs}]}))
    return str(path)


def test_places_of_answers_are_code_points(tmp_path):
    dirt = Dirt()
    found = read_squad(written(tmp_path / "a.json", row(), row("Who?", " Ann ", 12)), dirt)
    assert found == [Question("Where?", CONTEXT, ("Oslo",), 25), Question("Who?", CONTEXT, ("Ann",), 13)]
    assert not len(dirt)


def test_each_fault_is_named_with_its_place_and_the_others_are_read(tmp_path):
    bad = [
        row(start=26),
        row(start=-4),
        row(text=" ", start=1),
        row("  "),
        row(start="25"),
        {"question": "Where?"},
        {"answers": []},
        "no object",
        row("\ud800?"),
    ]
    dirt = Dirt()
    found = read_squad(written(tmp_path / "a.json", *bad, row()), dirt)
    assert len(found) == 1 and len(dirt) == len(bad)
    lines = "\n".join(dirt.lines())
    assert f"{tmp_path}/a.json, article 1, paragraph 1, question 1: Where?" in lines
    for kind in (
        "2 with an answer that does not stand at its answer_start",
        "1 with an empty answer",
        "2 with no `que",
    ):
        assert kind in lines


@pytest.mark.parametrize(
    "content, said",
    [
        ("{", "broken JSON"),
        ("[]", "no list `data`"),
        ('{"data": [{}]}', "article 1"),
        ('{"data": [{"paragraphs": [{"qas": [{"question": "a", "answers": []}]}]}]}', "no `context`"),
    ],
)
def test_a_broken_file_is_a_fault_among_others(tmp_path, capsys, content, said):
    (tmp_path / "bad.json").write_text(content)
    files = [str(tmp_path / "bad.json"), many(tmp_path / "good.json")]
    assert sum(map(len, read_questions("", files).values())) == 120
    assert said in capsys.readouterr().out
    with pytest.raises(UserError, match="--data.strict: expected no faults, received 1"):
        read_questions("", files, strict=True)


def test_questions_without_an_answer_are_left_out_and_counted(tmp_path, capsys):
    first = written(tmp_path / "a.json", row(), row(is_impossible=True), {"question": "Why?", "answers": []})
    found = read_questions("", [many(tmp_path / "b.json"), first])
    assert sum(map(len, found.values())) == 121
    assert "left out 2 questions that the text does not answer" in capsys.readouterr().out
    with pytest.raises(UserError, match="--data.test: expected questions with answers .* received none for test"):
        read_questions("", [many(tmp_path / "b.json")], test=[written(tmp_path / "c.json", row(is_impossible=True))])


def test_no_text_is_in_two_splits(tmp_path):
    found = read_questions("", [many(tmp_path / "a.json")])
    texts = [{one.context for one in split.rows} for split in found.values()]
    assert all(texts) and sum(map(len, texts)) == len(set.union(*texts)) == 60
    dev = read_questions("", [many(tmp_path / "a.json")], dev=[many(tmp_path / "dev.json", 3)])
    assert len(dev["validation"]) == 6 and "dev.json SHA-256" in dev["train"].version
    assert [len(one) for one in read_questions("", [many(tmp_path / "a.json")], limit=20).values()] == [20, 2, 2]


class Squad(tfds.core.GeneratorBasedBuilder):
    """A dataset with the features and the splits of TFDS's `squad`."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        answers = tfds.features.Sequence({"text": tfds.features.Text(), "answer_start": np.int32})
        texts = {name: tfds.features.Text() for name in ("question", "context")}
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(texts | {"answers": answers}))

    def _split_generators(self, dl_manager):
        return {split: self._generate_examples(split, count) for split, count in (("train", 80), ("validation", 12))}

    def _generate_examples(self, split, count):
        for number in range(count):
            context = f"né {split} {number // 2}"
            answers = [{"text": split, "answer_start": 3 + (number == 0)}]
            yield number, {"question": "Which?", "context": context, "answers": answers}


def test_a_dataset_without_a_test_split_gives_its_validation_split(monkeypatch, tmp_path, capsys):
    builder = Squad(data_dir=tmp_path)
    builder.download_and_prepare()
    monkeypatch.setattr(tfds, "builder", lambda name: builder)
    found = read_questions("squad")
    assert {one.answers for one in found["test"].rows} == {("validation",)} and len(found["test"]) == 11
    texts = [{one.context for one in split.rows} for split in found.values()]
    assert all(texts) and sum(map(len, texts)) == len(set.union(*texts)) == 46
    assert "skipped 2 with an answer that does not stand" in capsys.readouterr().out
    assert len(read_questions("squad", limit=10)["train"]) == 10


def test_a_dataset_without_questions_is_refused():
    with tfds.testing.mock_data(num_examples=2), pytest.raises(UserError, match="the features question, context and"):
        read_questions("imdb_reviews")
