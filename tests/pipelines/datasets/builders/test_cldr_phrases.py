"""Phrases are learnable, split by combinations and aligned; the same seed gives the same ones."""

import random
import subprocess
import sys
from collections import Counter

import pytest
import tensorflow_datasets as tfds

from attention_zoo.pipelines.datasets.builders import cldr_phrases
from attention_zoo.pipelines.datasets.builders.cldr_phrases import CldrPhrases, compose, split_of
from attention_zoo.pipelines.datasets.builders.phrases import KINDS, Phrases, atoms, contents
from attention_zoo.pipelines.datasets.spans import normalize

SIZES = {"train": 1500, "validation": 60, "test": 60}


@pytest.fixture(scope="module")
def splits():
    return compose("fr", SIZES)


def pairs_of(example):
    ends = example["alignment"]
    return [
        (example["source"][a:b], example["target"][c:d])
        for a, b, c, d in zip(ends["source_start"], ends["source_end"], ends["target_start"], ends["target_end"])
    ]


def test_splits_have_their_sizes(splits):
    assert {name: len(examples) for name, examples in splits.items()} == SIZES


def test_the_same_seed_gives_the_same_examples_and_another_others(splits):
    assert compose("fr", SIZES) == splits
    assert compose("fr", SIZES, seed=1)["test"] != splits["test"]


def test_no_english_sentence_occurs_twice(splits):
    sources = [example["source"] for examples in splits.values() for example in examples]
    assert len(sources) == len(set(sources)) == sum(SIZES.values())


def test_texts_are_normalised(splits):
    for example in splits["train"]:
        assert example["source"] == normalize(example["source"]) and example["target"] == normalize(example["target"])


def test_spans_are_inside_the_texts_and_hold_no_outer_white_space(splits):
    for example in splits["train"]:
        assert example["alignment"]["source_start"]
        for source, target in pairs_of(example):
            assert source and target and source == source.strip() and target == target.strip()


def test_held_out_combinations_are_in_no_other_split_in_any_order_or_style(monkeypatch):
    """Records the pieces of every sentence and compares their contents, which the test computes itself."""
    recorded = []
    original = Phrases.sentence

    def record(self, pieces, joint):
        example = original(self, pieces, joint)
        recorded.append((example["source"], pieces))
        return example

    monkeypatch.setattr(Phrases, "sentence", record)
    splits = compose("fr", SIZES)
    pieces_of = dict(recorded)

    def key(source):
        said = []
        for kind, content, _ in pieces_of[source]:
            if kind in ("territories", "languages"):
                said += [(kind[0], code) for code in content]
            elif kind in ("territory", "language"):
                said.append((kind[0], *content))
            elif kind == "datetime":
                said += [("date", content[:3]), ("time", content[3:])]
            else:
                said.append((kind, content))
        return frozenset(Counter(map(str, said)).items())

    keys = {split: {key(example["source"]) for example in examples} for split, examples in splits.items()}
    assert not keys["test"] & keys["train"]
    assert not keys["validation"] & keys["train"]
    assert not keys["test"] & keys["validation"]
    seen = {atom for example in splits["train"] for piece in pieces_of[example["source"]] for atom in atoms(piece)}
    for split in ("validation", "test"):
        for example in splits[split]:
            assert {atom for piece in pieces_of[example["source"]] for atom in atoms(piece)} <= seen


def test_the_split_ignores_order_and_style_and_single_atoms_are_for_training():
    date, amount = ("date", (1952, 7, 14), "long"), ("amount", (3, "length-mile"), "long")
    for seed in range(200):
        assert split_of([date, amount], seed) == split_of([amount, ("date", (1952, 7, 14), "full")], seed)
        lists = ("territories", ("FR", "DE"), "")
        apart = [("territory", ("DE",), ""), ("territory", ("FR",), "")]
        assert split_of([lists], seed) == split_of(apart, seed)
        assert split_of([("territory", ("FR",), "")], seed) == "train"
    assert contents(("datetime", (1952, 7, 14, 15, 45), "long")) == [("date", (1952, 7, 14)), ("time", (15, 45))]


def test_about_one_combination_in_eleven_is_held_out():
    dates = [[("date", (1900 + i % 200, 1 + i % 12, 1 + i % 28), "long")] for i in range(8400)]
    shares = Counter(split_of(pieces) for pieces in dates)
    assert 0.035 < shares["test"] / len(dates) < 0.056 and 0.035 < shares["validation"] / len(dates) < 0.056


@pytest.mark.parametrize("locale", ["fr", "ko", "ru"])
def test_one_english_piece_has_one_translation(locale):
    phrases, rng, known = Phrases(locale), random.Random(0), {}
    for _ in range(4000):
        source, target = phrases.say(phrases.sample(rng))
        assert known.setdefault(source.text, target.text) == target.text
    source, target = phrases.say(("date", (1952, 5, 14), "medium"))
    assert target.text == phrases.say(("date", (1952, 5, 14), "long"))[1].text  # English "May" is both


def test_alignment_of_a_sentence_by_hand():
    phrases = Phrases("fr")
    example = phrases.sentence(
        [("relative", (-3, "hour"), ""), ("date", (1952, 7, 14), "full"), ("time", (15, 45), "short")], "standard"
    )
    assert example["source"] == "3 hours ago, Monday, July 14, 1952, and 3:45 PM"
    assert example["target"] == "il y a 3 heures, lundi 14 juillet 1952 et 15:45"
    assert pairs_of(example) == [
        ("3", "3"),
        ("hours", "heures"),
        ("ago", "il y a"),
        (",", ","),
        ("Monday", "lundi"),
        ("July", "juillet"),
        ("14", "14"),
        ("1952", "1952"),
        (", and", "et"),
        ("3", "15"),
        ("45", "45"),
        ("PM", "15"),
    ]


def test_every_kind_of_piece_can_be_joined_in_every_way():
    phrases, rng = Phrases("ja"), random.Random(0)
    for kind in KINDS:
        for joint in ("standard", "comma", "or", "interval"):
            example = phrases.sentence([phrases.sample(rng, kind), phrases.sample(rng, kind)], joint)
            assert example["source"] and example["target"] and example["alignment"]["source_start"]


def test_training_that_is_too_small_is_an_error_that_says_so():
    with pytest.raises(ValueError, match="sizes: expected enough training"):
        compose("fr", {"train": 1, "validation": 1, "test": 1})


def test_a_locale_without_names_is_an_error_that_counts_them():
    with pytest.raises(ValueError, match="at least 3 names of each kind, received 'aa' with .*'territories'"):
        Phrases("aa")


def test_the_dataset_prepares_and_loads_by_name(tmp_path, monkeypatch):
    monkeypatch.setattr(cldr_phrases, "SIZES", {"train": 600, "validation": 7, "test": 5})
    builder = tfds.builder("cldr_phrases/de", data_dir=tmp_path)
    assert isinstance(builder, CldrPhrases)
    builder.download_and_prepare()
    data = tfds.load("cldr_phrases/de", data_dir=tmp_path, split="test")
    read = {}
    for example in tfds.as_numpy(data):
        alignment = {name: ends.tolist() for name, ends in example["alignment"].items()}
        read[example["source"].decode()] = (example["target"].decode(), alignment)
    composed = compose("de", {"train": 600, "validation": 7, "test": 5})["test"]
    assert read == {example["source"]: (example["target"], example["alignment"]) for example in composed}
    assert builder.info.supervised_keys == ("source", "target")
    assert builder.info.citation and builder.info.description and "Unicode" in builder.info.redistribution_info.license


def test_every_locale_of_babel_has_a_configuration_and_french_is_the_default():
    assert len(CldrPhrases.builder_configs) > 1000 and {"de", "ko", "ja", "pt_BR"} <= set(CldrPhrases.builder_configs)
    assert CldrPhrases.BUILDER_CONFIGS[0].name == "fr"


def test_importing_reads_no_locale():
    code = (
        "import babel.localedata as data; import attention_zoo.pipelines.datasets; "
        "import sys; sys.exit(len(data._cache) > 1)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
