"""Images with captions, from public datasets by name and from one's own folder."""

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
    """Stands in for the reader: TFDS's own random examples of strings in a sequence can't be had with images still encoded."""
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


def test_ones_own_folder_is_split_by_the_names(folder):
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


@pytest.mark.parametrize(
    "line",
    ["not json", '{"image": "0.png"}', '{"image": "0.png", "captions": []}', '{"image": 3, "captions": ["a"]}', "[]"],
)
def test_a_line_that_is_no_image_with_captions_is_named(folder, line):
    with open(folder / "captions.jsonl", "a") as lines:
        lines.write(line + "\n")
    with pytest.raises(UserError, match=r"captions.jsonl, line 21: expected {\"image\": NAME"):
        read_folder(folder)


def test_a_file_that_is_no_image_is_named(folder):
    (folder / "images" / "3.png").write_text("hello")
    with pytest.raises(UserError, match=r"3\.png: expected a JPEG, PNG"):
        read_folder(folder)
    (folder / "images" / "3.png").unlink()
    with pytest.raises(UserError, match=r"3\.png: expected an image file"):
        read_folder(folder)


def test_a_folder_without_captions_is_refused(tmp_path):
    with pytest.raises(UserError, match="data.folder: expected .*captions.jsonl"):
        read_captioned_images("", (16, 16), folder=str(tmp_path))
