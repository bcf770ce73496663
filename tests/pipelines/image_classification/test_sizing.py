"""Size, color and patch of a user's own images are read from them."""

import io

import keras
import numpy as np
import pytest
import yaml
from PIL import Image
from publishing import score_alone

from attention_zoo.pipelines.__main__ import main
from attention_zoo.pipelines.datasets.image_sets import Look, read_image_sets
from attention_zoo.pipelines.engine.run import run as experiment
from attention_zoo.pipelines.image_classification.settings import ImageClassificationConfig, ViTVariantSettings
from attention_zoo.pipelines.image_classification.sizing import count_patches, fitting_size, size_to_images

SMALL = ["--model.num_layers", "1", "--model.hidden_dim", "8", "--model.intermediate_dim", "8", "--model.num_heads"]
SMALL += ["2", "--training.epochs", "1", "--baselines.names", "--name", "own"]
PHOTOS = Look(480, 640, 9, 10)


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """A folder of color images of 60 x 80, bright on one side, in which the test works."""
    rng = np.random.default_rng(0)
    for name, columns in {"left": slice(0, 40), "right": slice(40, 80)}.items():
        (tmp_path / "my photos" / name).mkdir(parents=True)
        for number in range(24):
            pixels = rng.integers(0, 60, (60, 80, 3), "uint8")
            pixels[:, columns, number % 3] += 150
            Image.fromarray(pixels).save(tmp_path / "my photos" / name / f"{number}.png")
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    keras.config.set_dtype_policy("float32")


def settings(folder):
    return yaml.safe_load((folder / "runs/image_classification/own/config.yaml").read_text())


def test_own_photos_are_trained_in_color_continued_and_evaluated(photos, capfd, monkeypatch):
    command = ["train", "image_classification", "--data.folder", "my photos", *SMALL]
    assert main(command) == 0
    printed = capfd.readouterr().out
    first = settings(photos)
    assert [first["data"][name] for name in ("height", "width", "color")] == [49, 63, True]
    assert first["model"]["patch_size"] == 7 and first["training"]["batch_tokens"] <= 64 * 63
    for line in ("data.height: 49 instead of 28, since the median", "data.color: true instead of false, since 48 of"):
        assert line in " ".join(printed.split())
    monkeypatch.setattr(experiment, "publish", score_alone)
    assert main(command) == 0 and settings(photos) == first
    assert main(["evaluate", "image_classification", "--name", "own"]) == 0
    capfd.readouterr()
    assert main([*command[:-1], "more", "--start-from", "own"]) == 0
    assert "data.height: 49 instead of 28, as in runs/" in " ".join(capfd.readouterr().out.split())
    assert main([*command, "--data.height", "28"]) != 0
    assert "--data.height 49, received 28" in " ".join(capfd.readouterr().err.split())


@pytest.mark.parametrize(
    "median, given, patch, others, expected",
    [
        ((480, 640), (0, 0), 7, True, (49, 63, 7)),
        ((28, 28), (0, 0), 7, True, (28, 28, 7)),
        ((8, 8), (0, 0), 7, True, (8, 8, 1)),
        ((480, 640), (64, 64), 7, True, (64, 64, 8)),
        ((480, 640), (64, 64), 7, False, (64, 64, 7)),
        ((480, 640), (24, 0), 4, True, (24, 32, 4)),
        ((8, 8), (0, 0), 16, False, (64, 64, 16)),
    ],
)
def test_the_size_fits_the_images_and_the_patch(median, given, patch, others, expected):
    assert fitting_size(median, given, patch, others, 64, 100) == expected


def test_every_size_gets_a_number_of_patches_that_suits():
    for height in range(4, 200, 7):
        for width in range(4, 200, 7):
            if max(height, width) < 4 * min(height, width):
                size = fitting_size((height, width), (0, 0), 7, True, 64, 100)
                assert 16 <= count_patches(*size) <= 100 and max(size) <= 70
                assert not size[0] % size[2] and not size[1] % size[2]


def test_what_the_user_typed_stays_and_the_lines_say_the_rest():
    config = ImageClassificationConfig()
    config.model.patch_size = 7
    lines = size_to_images(config, PHOTOS, ("data.color", "data.height", "model.patch_size"), 7)
    assert lines == ["data.width: 35 instead of 28, since the median of your images is 480 x 640 (height x width)",
                     "training.batch_tokens: 5,040 instead of 4,096, for batches of 240 images, as before"]  # fmt: skip
    assert not config.data.color and config.data.height == 28 and config.model.patch_size == 7


def test_a_dataset_and_a_preset_for_large_images_keep_their_size():
    config = ImageClassificationConfig(model=ViTVariantSettings())
    config.data.height = config.data.width = 224
    assert size_to_images(config, None, (), 16) == []
    size_to_images(config, PHOTOS, (), 16)
    assert (config.data.height, config.data.width, config.data.color) == (160, 224, True)


def write(path, pixels, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    (content := io.BytesIO()) and Image.fromarray(pixels).save(content, "JPEG", **options)
    path.write_bytes(content.getvalue())


def test_grey_is_seen_in_color_files_and_a_turned_photo_as_it_is_shown(tmp_path):
    rng = np.random.default_rng(1)
    turned = Image.Exif()
    turned[0x0112] = 6
    for name in "ab":
        for number in range(20):
            grey = rng.integers(0, 256, (20, 30, 1), "uint8").repeat(3, axis=-1)
            write(tmp_path / name / f"{number}.jpg", grey, exif=turned)
    assert read_image_sets("", folder=str(tmp_path))["train"].look == Look(30, 20, 0, 40)
