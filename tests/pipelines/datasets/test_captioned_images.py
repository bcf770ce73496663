"""Images with captions, from public datasets by name and from a user's folder."""

import io
import json

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from PIL import Image

from attention_zoo.pipelines.captioning.settings import CaptioningConfig
from attention_zoo.pipelines.captioning.task import Captioning
from attention_zoo.pipelines.commands.arguments import presets_of
from attention_zoo.pipelines.datasets import captioned_images
from attention_zoo.pipelines.datasets.captioned_images import read_captioned_images, read_folder
from attention_zoo.pipelines.datasets.dirt import Dirt
from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.run import run as experiment
from attention_zoo.pipelines.engine.run.config import read


def png(side=8, seed=0):
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (side, side, 3), np.uint8)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "images").mkdir()
    with open(tmp_path / "captions.jsonl", "w") as lines:
        for number in range(20):
            (tmp_path / "images" / f"{number}.png").write_bytes(png(seed=number))
            captions = [f"picture {number}", "a picture"][: 1 + number % 2]
            lines.write(json.dumps({"image": f"{number}.png", "captions": captions}) + "\n")
    return tmp_path


def encoded_examples(builder, split, decoders=None, **_):
    """Stands in for TFDS's own random examples, which do not come with images still encoded."""
    assert isinstance(decoders.decoders["image"], tfds.decode.SkipDecoding)
    assert "text" in builder.info.features["captions"].feature
    assert split in ("train", "val", "test"), "the names of the splits of COCO"
    data = {
        "image": [png(seed=n) for n in range(3)],
        "captions": {"text": tf.ragged.constant([[split], ["a", " "], ["b", "c"]])},
    }
    return tf.data.Dataset.from_tensor_slices(data)


def test_coco_captions_is_read_by_name():
    with tfds.testing.mock_data(num_examples=3, as_dataset_fn=encoded_examples):
        splits = read_captioned_images("coco_captions", (16, 16))
    for split, name in (("train", "train"), ("validation", "val"), ("test", "test")):
        assert splits[split].captions == [[name], ["a"], ["b", "c"]] and splits[split].objects is None
        assert splits[split].images == [png(seed=n) for n in range(3)]


def test_the_preset_of_the_papers_size_takes_a_step_on_it(tmp_path):
    config = read(CaptioningConfig, presets_of("captioning")["coco_captions"])
    config.model.weights = "none"  # else they are downloaded
    with tfds.testing.mock_data(num_examples=3, as_dataset_fn=encoded_examples):
        task, model = experiment.prepare(Captioning, config, tmp_path)
        (batch,) = task.preprocess("train", 0)
    assert (
        batch["image"].shape == (3, 224, 224, 3)
        and model.alignment(model(batch, return_attention_scores=True)[1]).shape[-1] == 196
    )
    with tf.GradientTape() as tape:
        loss, tokens, parts = task.loss(model, batch, training=True)
    gradients = tape.gradient(loss, model.trainable_variables)
    assert 0 < float(parts["loss"] / tokens) < 2 * np.log(task.words.vocabulary_size)
    assert all(np.isfinite(tf.convert_to_tensor(gradient)).all() for gradient in gradients)
    assert not any("vgg" in weight.path for weight in model.trainable_variables), "the paper's backbone is not trained"


def test_a_dataset_without_captions_is_refused():
    with tfds.testing.mock_data(num_examples=1), pytest.raises(UserError, match="has no captions"):
        read_captioned_images("mnist", (16, 16))


def test_a_users_folder_is_split_by_the_names(folder):
    splits = read_captioned_images("", (16, 16), folder=str(folder))
    assert [len(splits[split]) for split in ("train", "validation", "test")] == [16, 2, 2]
    captions = [caption for split in splits.values() for several in split.captions for caption in several]
    assert sorted(set(captions)) == sorted({"a picture"} | {f"picture {number}" for number in range(20)})
    for split in splits.values():
        for image, several in zip(split.images, split.captions):
            assert image == png(seed=int(several[0].split()[1])), "a caption stays with its image"
    assert "SHA-256" in splits["train"].version


def test_large_files_are_made_small_once(folder, monkeypatch):
    monkeypatch.setattr(captioned_images, "LARGE", 3000)
    (folder / "images" / "0.png").write_bytes(png(side=64))
    assert len(png(side=64)) > 3000 > len(png())
    images = [image for split in read_captioned_images("", (16, 24), str(folder)).values() for image in split.images]
    shapes = sorted(tuple(tf.io.decode_image(image).shape) for image in images)
    assert shapes == [(8, 8, 3)] * 19 + [(16, 24, 3)]


FAULTS = {  # kinds to lines; the first ones of 20.png must not hide the last
    "broken JSON": [b"not json", b'{"image": "20.png", "captions": ["\\ud83d"]}'],
    "a line that is not UTF-8": [b'{"image": "20.png", "captions": ["\xe9"]}'],
    'a line other than {"image": NAME, "captions": [TEXT, ...]}': [
        *(b"[]", b'{"image": "20.png"}', b'{"image": 3, "captions": ["a"]}', b'{"image": "20.png", "captions": "a"}')
    ],
    "no captions": [b'{"image": "20.png", "captions": []}', b'{"image": "20.png", "captions": [" "]}'],
    "an empty caption": [b'{"image": "20.png", "captions": [" ", "a"]}'],
    "an image that an earlier line names": [b'{"image": "0.png", "captions": ["a"]}'],
    "a missing file": [b'{"image": "absent.png", "captions": ["a"]}'],
    "a file that cannot be read": [b'{"image": "a\\u0000.png", "captions": ["a"]}'],
}


def test_lines_that_are_no_image_with_captions_are_skipped_and_named(folder):
    (folder / "images" / "20.png").write_bytes(png(seed=20))
    with open(folder / "captions.jsonl", "ab") as file:
        file.writelines(line + b"\n" for lines in FAULTS.values() for line in lines)
    dirt = Dirt()
    names, images, captions = read_folder(folder, dirt)
    assert names == [f"{number}.png" for number in range(21)] and len(images) == len(captions) == len(names)
    assert captions[20] == ["a"]
    number = 21
    for kind, lines in FAULTS.items():
        count, places = dirt.faults[kind]
        assert count == len(lines)
        for place in places:
            assert place.startswith(f"{folder / 'captions.jsonl'}, line {number}")
            number += 1
    with pytest.raises(UserError, match="--data.strict: expected no faults, received 13\n"):
        read_captioned_images("", (16, 16), folder=str(folder), strict=True)


def test_a_folder_may_be_split_already(tmp_path):
    for split, numbers in {"train": range(5), "validation": (5, 6), "test": (7,)}.items():
        (tmp_path / split / "images").mkdir(parents=True)
        for number in numbers:
            (tmp_path / split / "images" / f"{number}.png").write_bytes(png(seed=number))
        lines = [json.dumps({"image": f"{number}.png", "captions": [f"picture {number}"]}) for number in numbers]
        (tmp_path / split / "captions.jsonl").write_text("\n".join(lines))
    splits = read_captioned_images("", (16, 16), folder=str(tmp_path))
    assert {split: len(one) for split, one in splits.items()} == {"train": 5, "validation": 2, "test": 1}
    assert splits["test"].captions == [["picture 7"]] and splits["test"].images == [png(seed=7)]
    assert splits["train"].version.count("SHA-256") == 3
    (tmp_path / "test" / "captions.jsonl").write_text("")
    with pytest.raises(UserError, match="--data.folder: expected images with captions in .*test, received none"):
        read_captioned_images("", (16, 16), folder=str(tmp_path))


def test_dev_and_test_images_may_be_elsewhere(folder, tmp_path):
    other = tmp_path / "other"
    (other / "images").mkdir(parents=True)
    (other / "images" / "a.png").write_bytes(png(seed=77))
    (other / "captions.jsonl").write_text(json.dumps({"image": "a.png", "captions": ["picture 77"]}))
    splits = read_captioned_images("", (16, 16), folder=str(folder), test=str(other))
    assert {split: len(one) for split, one in splits.items()} == {"train": 18, "validation": 2, "test": 1}
    assert splits["test"].captions == [["picture 77"]] and splits["train"].version.count("SHA-256") == 2
    with pytest.raises(UserError, match="--data.dev: expected .*captions.jsonl"):
        read_captioned_images("", (16, 16), folder=str(folder), dev=str(tmp_path / "none"))


def test_images_that_cannot_be_decoded_are_all_named_in_one_pass(folder, capsys):
    (folder / "images" / "3.png").write_text("hello")
    (folder / "images" / "4.png").write_bytes(b"")
    (folder / "images" / "5.png").write_bytes(png(seed=5)[:-20])
    splits = read_captioned_images("", (16, 16), folder=str(folder))
    assert sum(map(len, splits.values())) == 17
    for split in splits.values():
        for image, several in zip(split.images, split.captions):
            assert image == png(seed=int(several[0].split()[1])), "a caption stays with its image"
    assert splits["train"].version.endswith(", without 3 faults"), "a run on all images must not be continued on these"
    printed = capsys.readouterr().out
    for kind, number in (("no image inside", 3), ("an empty file", 4), ("an image that cannot be decoded", 5)):
        place = f"{folder}/captions.jsonl, line {number + 1}, {folder}/images/{number}.png"
        assert f"skipped 1 with {kind}:\n  {place}" in printed


def test_a_folder_without_an_image_left_is_refused(folder):
    for path in (folder / "images").iterdir():
        path.write_bytes(b"")
    with pytest.raises(UserError, match="expected at least 3 images with captions, received 0"):
        read_captioned_images("", (16, 16), folder=str(folder))


def test_a_folder_without_captions_is_refused(tmp_path):
    with pytest.raises(UserError, match="--data.folder: expected .*captions.jsonl"):
        read_captioned_images("", (16, 16), folder=str(tmp_path))
