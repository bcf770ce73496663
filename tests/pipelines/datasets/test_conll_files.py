"""Users' files in CoNLL's format: columns, schemes, and faults by file and line."""

import pytest

from attention_zoo.pipelines.datasets.builders.conll2003_english import sentences_of
from attention_zoo.pipelines.datasets.conll_files import read_conll
from attention_zoo.pipelines.datasets.dirt import Dirt
from attention_zoo.pipelines.datasets.tagged_sentences import read_tagged
from attention_zoo.pipelines.engine.errors import UserError

TWO = "EU B-ORG\nrejects O\n\nPeter B-PER\nBlackburn I-PER\n"
SENTENCES = [(["EU", "rejects"], ["B-ORG", "O"]), (["Peter", "Blackburn"], ["B-PER", "I-PER"])]


def read(tmp_path, content, strict=False):
    path = tmp_path / "a.conll"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    dirt = Dirt(strict)
    return *read_conll(path, dirt), dirt


@pytest.mark.parametrize(
    "content",
    [
        TWO,
        TWO.replace(" ", "\t"),
        TWO.replace("\n", "\r\n"),
        "\ufeff" + TWO,
        "-DOCSTART- -X- -X- O\n\n" + TWO.replace(" ", " NNP B-NP "),
        "\n\n" + TWO.replace("\n\n", "\n\n\n \n"),
        TWO.replace("B-ORG", "U-ORG").replace("I-PER", "L-PER"),
        TWO.replace("B-", "I-"),
    ],
    ids=["spaces", "tabs", "CRLF", "BOM", "four columns", "empty lines", "BILOU", "BIO1"],
)
def test_a_file_gives_its_sentences_in_bio2(tmp_path, content):
    sentences, _, dirt = read(tmp_path, content)
    assert sentences == SENTENCES and not len(dirt)


def test_faults_are_named_with_file_and_line_and_cost_their_sentence(tmp_path, capsys):
    bad = b"a O\nb\n\nc I-PER\n\nd X-PER\n\ne\xff O\n\nf O extra\n"
    sentences, scheme, dirt = read(tmp_path, TWO.encode() + b"\n" + bad)
    assert sentences == SENTENCES and scheme == "BIO2"
    dirt.report()
    shown = capsys.readouterr().out.replace(str(tmp_path), "")
    for line in (
        "skipped 2 with another number of columns than 2:",
        "/a.conll, line 8: b",
        "/a.conll, line 10: I-PER after O",
        "/a.conll, line 12: d X-PER",
        "skipped 1 with bytes that are not UTF-8:",
        "/a.conll, line 16: f O extra",
    ):
        assert line.replace("after O", "after the beginning") in shown
    with pytest.raises(UserError, match="--data.strict: expected no faults, received 5"):
        read(tmp_path, TWO.encode() + b"\n" + bad, strict=True)[2].report()


def test_a_file_in_utf16_is_refused(tmp_path):
    with pytest.raises(UserError, match="expected a file of words and tags in UTF-8, received .* in UTF-16"):
        read(tmp_path, TWO.encode("utf-16"))


@pytest.mark.parametrize("columns", ["EU\n", "EU NNP B-ORG\n", "EU a b c B-ORG\n"])
def test_a_first_line_with_another_number_of_columns_is_an_error(tmp_path, columns):
    with pytest.raises(UserError, match="2 columns, word and tag, or 4.*line 1"):
        read(tmp_path, columns)


def test_splits_are_taken_by_content_and_copies_stay_together(tmp_path):
    path = tmp_path / "all.conll"
    path.write_text("\n".join(f"Ann{number % 60} B-PER\nwent O\n" for number in range(120)))
    found = read_tagged("", files=[str(path)])
    words = {split: {tuple(row) for row in one.words} for split, one in found.items()}
    assert (
        sum(map(len, words.values())) == 60 and not words["train"] & words["test"] | words["validation"] & words["test"]
    )
    assert all(words.values())
    again = read_tagged("", files=[str(path)])
    assert found == again


@pytest.mark.parametrize(
    "content, said", [("", "received none for train"), ("a O\n" * 3, "received none for"), (None, "expected a file")]
)
def test_files_without_sentences_are_an_error(tmp_path, content, said):
    path = tmp_path / "a.conll"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UserError, match=f"--data.files: .*{said}"):
        read_tagged("", files=[str(path)])


def test_a_training_split_without_entities_is_an_error(tmp_path):
    path = tmp_path / "a.conll"
    path.write_text("\n".join(f"a{number} O\n" for number in range(100)))
    with pytest.raises(UserError, match="expected words that are tagged as entities"):
        read_tagged("", files=[str(path)])


def test_lines_of_the_shared_task_become_sentences():
    text = "-DOCSTART- -X- -X- O\n\nEU NNP B-NP B-ORG\nrejects VBZ B-VP O\n\nPeter NNP B-NP B-PER\n"
    assert [row["tokens"] for row in sentences_of(text)] == [["EU", "rejects"], ["Peter"]]
