"""Labelled images from TFDS, scikit-learn and folders, as encoded files in a fixed order."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from PIL import Image

from attention_zoo.pipelines.datasets.image_sets import read_image_sets, split_of
from attention_zoo.pipelines.engine.errors import UserError


def photos(directory, names, count, seed=0):
    rng = np.random.default_rng(seed)
    for name in names:
        (directory / name).mkdir(parents=True)
        for number in range(count):
            Image.fromarray(rng.integers(0, 256, (9, 7, 3), "uint8")).save(directory / name / f"{number}.png")
    return directory


def contents(one):
    return [(row["image"], int(row["label"])) for row in one.examples.as_numpy_iterator()]


def test_folders_are_classes_and_the_content_decides_the_split(tmp_path):
    root = photos(tmp_path / "photos", ["dog", "cat"], 40)
    (root / "cat" / "copy.png").write_bytes((root / "cat" / "0.png").read_bytes())
    (root / "cat" / "notes.txt").write_text("no image")
    sets = read_image_sets("", folder=str(root))
    assert sets["train"].labels == ["cat", "dog"] and sum(one.count for one in sets.values()) == 81
    found = {split: contents(one) for split, one in sets.items()}
    assert found == {split: contents(one) for split, one in sets.items()}, "the order is fixed"
    copied = (root / "cat" / "0.png").read_bytes()
    assert sum(any(image == copied for image, _ in rows) for rows in found.values()) == 1, "copies stay together"
    for image, label in found["test"]:
        assert image in {path.read_bytes() for path in (root / ["cat", "dog"][label]).glob("*.png")}
    assert "SHA-256" in sets["test"].version


def test_folders_may_be_split_already(tmp_path):
    for seed, (split, count) in enumerate({"train": 5, "validation": 2, "test": 3}.items()):
        photos(tmp_path / split, ["a", "b"], count, seed)
    sets = read_image_sets("", folder=str(tmp_path))
    assert {split: one.count for split, one in sets.items()} == {"train": 10, "validation": 4, "test": 6}
    labels = [label for _, label in contents(sets["test"])]
    assert sorted(labels) == [0, 0, 0, 1, 1, 1] and labels != sorted(labels)  # mixed: the first ones are a fair sample


def test_dev_and_test_images_may_be_elsewhere(tmp_path):
    photos(tmp_path / "mine", ["a", "b", "c"], 20)
    photos(tmp_path / "later", ["c", "a"], 2, seed=1)
    sets = read_image_sets("", folder=str(tmp_path / "mine"), test=str(tmp_path / "later"))
    assert sets["test"].count == 4 and sets["train"].count + sets["validation"].count == 60
    assert sorted(label for _, label in contents(sets["test"])) == [0, 0, 2, 2], "numbered as the training images"
    sets = read_image_sets("sklearn_digits", test=str(photos(tmp_path / "digits", ["7", "3"], 1)))
    assert sorted(label for _, label in contents(sets["test"])) == [3, 7] and sets["train"].count > 1000
    assert "scikit-learn" in sets["train"].version and "SHA-256" in sets["train"].version
    photos(tmp_path / "new", ["d"], 1)
    with pytest.raises(UserError, match="--data.test: expected images of the classes a, b, c, .* received images of d"):
        read_image_sets("", folder=str(tmp_path / "mine"), test=str(tmp_path / "new"))
    with pytest.raises(UserError, match="--data.dev: expected a folder with a folder for each class"):
        read_image_sets("", folder=str(tmp_path / "mine"), dev=str(tmp_path / "none"))


def test_folders_that_cannot_be_used_are_refused(tmp_path):
    with pytest.raises(UserError, match="--data.folder: expected a folder with a folder for each class"):
        read_image_sets("", folder=str(tmp_path / "none"))
    photos(tmp_path, ["only"], 3)
    with pytest.raises(UserError, match="expected folders of at least two classes .* received 3 images in 1 folders"):
        read_image_sets("", folder=str(tmp_path))


def test_one_pass_finds_all_faults_and_goes_on_without_them(tmp_path, capsys):
    root = photos(tmp_path / "photos", ["dog", "cat"], 30)
    (root / "notes.txt").write_text("no image")
    (root / "__MACOSX" / "cat").mkdir(parents=True)
    (root / ".ipynb_checkpoints").mkdir()
    (root / "void").mkdir()
    (root / "stray.png").write_bytes((root / "cat" / "0.png").read_bytes())
    (root / "cat" / "inner").mkdir()
    (root / "cat" / "modern.webp").write_bytes(b"RIFF")
    (root / "cat" / "nothing.png").write_bytes(b"")
    (root / "cat" / "text.png").symlink_to(root / "notes.txt")
    (root / "cat" / "gone.png").symlink_to(root / "absent.png")
    Image.new("RGB", (64, 64), "red").save(root / "dog" / "cut.jpg")
    whole = (root / "dog" / "cut.jpg").read_bytes()
    (root / "dog" / "cut.jpg").write_bytes(whole[: len(whole) * 2 // 3])
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), "uint8")
    Image.fromarray(noise).save(root / "dog" / "damaged.png")
    whole = (root / "dog" / "damaged.png").read_bytes()
    (root / "dog" / "damaged.png").write_bytes(whole[:5000] + b"\0" * 100 + whole[5100:])
    sets = read_image_sets("", folder=str(root))
    assert sum(one.count for one in sets.values()) == 60 and sets["train"].labels == ["cat", "dog"]
    printed = capsys.readouterr().out.splitlines()
    for kind, paths in {
        "an image outside of the folders of the classes": ["stray.png"],
        "a folder inside of the folder of a class": ["cat/inner"],
        "a format other than .jpg, .jpeg, .png, .gif, .bmp": ["cat/modern.webp"],
        "an empty file": ["cat/nothing.png"],
        "no image inside": ["cat/text.png"],
        "a missing file": ["cat/gone.png"],
        "an image that cannot be decoded": ["dog/cut.jpg", "dog/damaged.png"],
    }.items():
        start = printed.index(f"skipped {len(paths)} with {kind}:") + 1
        for line, path in zip(printed[start:], paths, strict=False):
            assert line.startswith(f"  {root / path}")
    assert printed[-1] == "no classes, because no image is in them: void"
    with pytest.raises(UserError, match="(?s)--data.strict: expected no faults, received 8.*cat/nothing.png"):
        read_image_sets("", folder=str(root), strict=True)


def test_scikit_learns_digits_are_split_by_their_pixels():
    sets = read_image_sets("sklearn_digits")
    assert sum(one.count for one in sets.values()) == 1797 and sets["train"].labels == list("0123456789")
    assert 100 < sets["test"].count < 260 and 100 < sets["validation"].count < 260
    image = tf.io.decode_png(contents(sets["test"])[0][0])
    assert image.shape == (8, 8, 1) and int(tf.reduce_max(image)) == 255
    assert all(split_of(image) == "validation" for image, _ in contents(sets["validation"]))


@pytest.mark.parametrize("name, classes", [("cifar10", 10), ("imagenet2012", 1000)])
def test_public_image_sets_are_read_by_name(name, classes):
    with tfds.testing.mock_data(num_examples=4):
        sets = read_image_sets(name, ("train", "train", "test" if name == "cifar10" else "validation"))
        assert len(sets["train"].labels) == classes
        image, label = contents(sets["train"])[0]
    assert tf.io.decode_image(image).shape[-1] == 3 and 0 <= label < classes


def test_a_dataset_that_is_not_of_labelled_images_is_refused():
    with (
        tfds.testing.mock_data(num_examples=2),
        pytest.raises(UserError, match="expected a dataset of images with class labels"),
    ):
        read_image_sets("glue/cola")
