"""Every line of a user's files is kept or reported, and all copies of a sentence are in one split."""

import random

import pytest
import tensorflow_datasets as tfds

from attention_zoo.pipelines.datasets.builders.phrases import Phrases
from attention_zoo.pipelines.datasets.dirt import Dirt
from attention_zoo.pipelines.datasets.parallel import read_parallel
from attention_zoo.pipelines.datasets.parallel_files import (
    read_aligned_files,
    read_pairs_file,
    read_parallel_files,
    split_pairs,
)
from attention_zoo.pipelines.datasets.tfds import limit_of
from attention_zoo.pipelines.engine.errors import UserError


def write(folder, source, target):
    paths = folder / "train.en", folder / "train.fr"
    for path, content in zip(paths, (source, target)):
        path.write_bytes(content)
    return paths


def pairs_of(paths):
    """The pairs of two files, and the report of what was skipped."""
    dirt = Dirt()
    return read_parallel_files(*paths, dirt), dirt.lines()


def test_pairs_come_in_order_stripped_and_complete(tmp_path):
    pairs, faults = pairs_of(write(tmp_path, b"one \ntwo\n", "un\n deux\n".encode()))
    assert pairs == [("one", "un"), ("two", "deux")] and faults == []


@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b""])
def test_the_last_line_counts_with_and_without_its_ending(tmp_path, ending):
    pairs, _ = pairs_of(write(tmp_path, b"one\ntwo" + ending, b"un\ndeux\n"))
    assert pairs == [("one", "un"), ("two", "deux")]


def test_a_byte_order_mark_is_not_text(tmp_path):
    assert pairs_of(write(tmp_path, b"\xef\xbb\xbfone\n", b"un\n"))[0] == [("one", "un")]


def test_only_line_feeds_end_a_line(tmp_path):
    source, target = "a\u2028b\x0bc\x85d\n".encode(), b"x\n"
    assert pairs_of(write(tmp_path, source, target))[0] == [("a\u2028b\x0bc\x85d", "x")]


def test_empty_and_invalid_lines_are_skipped_with_their_other_side_and_named(tmp_path):
    source = b"one\n\nthree\n \nfive\n\xff\n"
    target = b"un\ndeux\n\xe9t\xe9\nquatre\n\nsix\n"
    paths = write(tmp_path, source, target)
    pairs, faults = pairs_of(paths)
    assert pairs == [("one", "un")]
    assert faults == [
        *("3 with an empty line:", f"  {paths[0]}, line 2", f"  {paths[0]}, line 4", f"  {paths[1]}, line 5"),
        *("2 with a line that is not UTF-8:", f"  {paths[0]}, line 6", f"  {paths[1]}, line 3"),
    ]


def test_faults_are_printed_and_with_strict_refused(tmp_path, capsys):
    lines = b"".join(b"%d\n" % number for number in range(30))
    files = list(map(str, write(tmp_path, lines, lines.replace(b"7\n", b"\n", 1))))
    splits = read_parallel("", files=files)
    assert sum(map(len, splits.values())) == 29
    assert capsys.readouterr().out == f"skipped 1 with an empty line:\n  {files[1]}, line 8\n"
    with pytest.raises(UserError, match="--data.strict: expected no faults, received 1\n.*an empty line"):
        read_parallel("", files=files, strict=True)


def test_different_numbers_of_lines_are_an_error_with_both(tmp_path):
    with pytest.raises(UserError, match=r"train\.en with 2 and .*train\.fr with 3"):
        pairs_of(write(tmp_path, b"1\n2\n", b"1\n2\n3\n"))


@pytest.mark.parametrize("lost", [[240], [120, 121, 122], [479]])
def test_the_error_says_where_a_lost_line_is(tmp_path, lost):
    phrases, rng = Phrases("fr"), random.Random(0)
    examples = [phrases.sentence([phrases.sample(rng) for _ in range(1 + i % 4)], "standard") for i in range(480)]
    source = "".join(example["source"] + "\n" for example in examples)
    target = "".join(example["target"] + "\n" for i, example in enumerate(examples) if i not in lost)
    for texts in ((source, target), (target, source)):
        with pytest.raises(UserError, match="with 4[78]. and .*; the lengths of the lines fit until about") as raised:
            pairs_of(write(tmp_path, *(text.encode() for text in texts)))
        assert abs(int(str(raised.value).rsplit(" ", 1)[1]) - lost[0]) <= 3


def test_a_file_of_pairs_is_read_and_its_faults_named(tmp_path, capsys):
    path = tmp_path / "fra.txt"
    lines = [f"Go {number}.\tVa {number} !\tCC-BY 2.0 (France)" for number in range(30)]
    lines += ["Run.", "Run.\t ", "", 'Say "no".\tDis « non ».']
    path.write_bytes("\r\n".join(lines).encode() + b"\n\xff\tx\n")
    dirt = Dirt()
    pairs = read_pairs_file(path, dirt)
    assert pairs == [(f"Go {number}.", f"Va {number} !") for number in range(30)] + [('Say "no".', "Dis « non ».")]
    assert dirt.lines() == [
        *("1 with fewer than two columns between tabs:", f"  {path}, line 31: Run."),
        *("1 with an empty source or target:", f"  {path}, line 32: Run."),
        *("1 with an empty line:", f"  {path}, line 33"),
        *("1 with a line that is not UTF-8:", f"  {path}, line 35"),
    ]
    assert capsys.readouterr().out == f"{path}: the columns after source and target are ignored, on 30 lines\n"
    forth, back = (read_parallel("", files=[str(path)], reverse=reverse) for reverse in (False, True))
    assert sum(map(len, forth.values())) == 31 and "fra.txt SHA-256" in forth["train"].version
    assert {*zip(*texts_of(forth))} == {(target, source) for source, target in zip(*texts_of(back))}


def texts_of(splits):
    """All sources and all targets."""
    return [[text for one in splits.values() for text in getattr(one, side)] for side in ("source", "target")]


def test_a_file_of_numbered_sentences_and_three_files_are_refused(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text("".join(f"{number}\tGo.\t{number + 9}\tVa !\n" for number in range(5)))
    with pytest.raises(UserError, match="received a column of numbers; `cut -f 2,4`"):
        read_pairs_file(path, Dirt())
    with pytest.raises(
        UserError, match="--data.files: expected two files, .* or one of tab-separated pairs; received 3"
    ):
        read_parallel("", files=["a", "b", "c"])


@pytest.mark.parametrize(("source", "target"), [(b"", b""), (b"\n\n", b"a\nb\n")])
def test_files_without_a_pair_are_an_error(tmp_path, source, target):
    with pytest.raises(UserError, match="received 0"):
        read_parallel("", files=list(map(str, write(tmp_path, source, target))))


def test_utf_16_is_named(tmp_path):
    with pytest.raises(UserError, match="expected a text file in UTF-8, received .*train.fr in UTF-16"):
        pairs_of(write(tmp_path, b"a\n", "b\n".encode("utf-16")))


def test_a_missing_file_and_a_file_given_twice_are_named(tmp_path):
    source, _ = write(tmp_path, b"a\n", b"b\n")
    with pytest.raises(UserError, match="--data.files: expected a text file, received .*absent.fr: No such file"):
        read_parallel("", files=[str(source), str(tmp_path / "absent.fr")])
    with pytest.raises(UserError, match="twice"):
        pairs_of((source, source))


def test_splits_are_disjoint_complete_and_independent_of_the_order_of_lines():
    pairs = [(f"sentence {i % 700}", f"phrase {i}") for i in range(1000)]
    splits = split_pairs(pairs)
    assert sorted(sum(splits.values(), [])) == sorted(pairs)
    sources = {name: {source for source, _ in part} for name, part in splits.items()}
    assert not sources["train"] & sources["test"] and not sources["train"] & sources["validation"]
    assert not sources["test"] & sources["validation"]
    assert len(sources["test"]) == len(sources["validation"]) == 35
    shuffled = random.Random(0).sample(pairs, len(pairs))
    assert {name: set(part) for name, part in split_pairs(shuffled).items()} == {
        name: set(part) for name, part in splits.items()
    }


def test_the_same_sentence_in_other_case_and_spacing_stays_in_one_split():
    pairs = [(f"line {i}", "a") for i in range(200)] + [(f"LINE\u00a0 {i}", "b") for i in range(200)]
    for part in split_pairs(pairs).values():
        assert {s.casefold().split()[1] for s, t in part if t == "a"} == {s.split()[1] for s, t in part if t == "b"}


def test_held_out_parts_have_a_ceiling():
    splits = split_pairs([(str(i), str(i)) for i in range(1000)], most=10)
    assert {name: len(part) for name, part in splits.items()} == {"train": 980, "validation": 10, "test": 10}


def test_too_few_sentences_to_split_are_an_error():
    with pytest.raises(UserError, match="at least 3 different source sentences to split, received 1"):
        split_pairs([("a", "b"), ("A ", "c")])


def test_human_alignments_are_read_and_their_faults_named(tmp_path):
    paths = [*write(tmp_path, b"a b c\nd\n", b"x y\nz\n"), tmp_path / "links"]
    paths[2].write_text("0-0 2?1\n0-0\n")
    pairs, links = read_aligned_files(paths)
    assert pairs == [("a b c", "x y"), ("d", "z")]
    assert links == [({(0, 0)}, {(0, 0), (2, 1)}), ({(0, 0)}, {(0, 0)})]
    faults = {
        "0-0\n": "with 2 lines, as many as .*train.en, received 1",
        "0-0\n0-1\n": "links, line 2: expected links between 1 and 1 words, counted from 0; received 0 with 1",
        "0-0\n0:0\n": "links, line 2: expected links such as 0-0",
    }
    for text, message in faults.items():
        paths[2].write_text(text)
        with pytest.raises(UserError, match=message):
            read_aligned_files(paths)
    with pytest.raises(UserError, match="expected three files, source, target and links; received 2"):
        read_aligned_files(paths[:2])
    with pytest.raises(UserError, match="expected a file of links"):
        read_aligned_files([*paths[:2], tmp_path / "absent"])
    write(tmp_path, b"a\n\n", b"x\ny\n")
    with pytest.raises(UserError, match="(?s)expected text on every line.*an empty line.*train.en, line 2"):
        read_aligned_files(paths)


@pytest.mark.parametrize(
    "dataset, locale, message",
    [
        ("cifar11", "", "expected a dataset of TFDS, received cifar11; did you mean cifar10"),
        ("cldr_phrases", "xx", "data.locale: cldr_phrases has no configuration xx"),
        ("bible_translation/en-xx", "", "data.dataset: bible_translation has no configuration en-xx"),
    ],
)
def test_a_dataset_that_is_not_there_is_named_with_the_nearest(dataset, locale, message):
    with pytest.raises(UserError, match=message):
        read_parallel(dataset, locale)


@pytest.fixture
def own(tmp_path):
    """A training text of two files, and a text of pairs to hold out."""
    paths = write(tmp_path, b"".join(b"line %d\n" % n for n in range(200)), b"".join(b"%d\n" % n for n in range(200)))
    (tmp_path / "held.tsv").write_text("".join(f"other {n}\t{n}\n" for n in range(7)) + "line 3\t3\n")
    return list(map(str, paths)), [str(tmp_path / "held.tsv")]


def sizes(splits):
    return {split: len(examples) for split, examples in splits.items()}


def test_own_dev_and_test_files_are_the_splits_and_the_rest_is_for_training(own, capsys):
    files, held = own
    assert sizes(read_parallel("", files=files, test=held)) == {"train": 190, "validation": 10, "test": 8}
    assert capsys.readouterr().out == "1 of 8 test sentences are in the training text, too\n"
    assert sizes(read_parallel("", files=files, dev=held)) == {"train": 190, "validation": 8, "test": 10}
    splits = read_parallel("", files=files, dev=held, test=held, reverse=True)
    assert sizes(splits) == {"train": 200, "validation": 8, "test": 8}
    assert splits["test"].source[0] == "0" and splits["test"].target[0] == "other 0"
    assert splits["train"].version.count("SHA-256") == 4


def test_own_test_files_stand_in_for_those_of_a_dataset(own):
    with_own, without = (read_parallel("dates", "fr", limit=30, test=test) for test in (own[1], ()))
    assert (
        sizes(with_own) == {**sizes(without), "test": limit_of("test", 30)} and with_own["test"].source[0] == "other 0"
    )
    assert with_own["train"].source == without["train"].source
    assert with_own["train"].version.startswith(f"{without['train'].version}, ")


def test_faults_of_own_test_files_name_their_option(own, tmp_path):
    with pytest.raises(UserError, match="--data.test: expected a text file, received .*absent"):
        read_parallel("", files=own[0], test=[str(tmp_path / "absent")])
    (tmp_path / "empty").touch()
    with pytest.raises(UserError, match="--data.dev: expected sentence pairs in .*empty, received none"):
        read_parallel("", files=own[0], dev=[str(tmp_path / "empty")])


@pytest.mark.parametrize(
    "dataset, target_language", [("ted_hrlr_translate/pt_to_en", "en"), ("wmt14_translate/de-en", "en")]
)
def test_public_translation_datasets_are_read_by_name(dataset, target_language):
    with tfds.testing.mock_data(num_examples=7):
        examples = read_parallel(dataset, max_words=0)
    assert [len(examples[split]) for split in ("train", "validation", "test")] == [7, 7, 7]
    assert examples["train"].target_language == target_language and examples["train"].alignment is None
    assert all(isinstance(text, str) for text in examples["test"].source + examples["test"].target)


def test_a_dataset_that_is_not_of_sentence_pairs_is_refused():
    with tfds.testing.mock_data(num_examples=2), pytest.raises(UserError, match="expected a dataset of sentence pairs"):
        read_parallel("glue/cola")
