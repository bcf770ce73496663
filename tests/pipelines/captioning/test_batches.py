"""Batches of captioned images: random changes are drawn from the seed, for training images alone."""

import numpy as np
import pytest
import tensorflow as tf
from tiny_images import encoded

from attention_zoo.pipelines.captioning import batches
from attention_zoo.pipelines.captioning.batches import caption_batches, changes, changes_for, reader_of
from attention_zoo.pipelines.captioning.settings import AugmentationSettings
from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.settings import TrainingSettings

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 12, 12, 3), dtype="uint8")
COLUMNS = {
    "tokens": tf.ragged.constant([[5, 6], [7], [8, 9], [5], [6]], tf.int32),
    "images": np.arange(5),
    "first": np.arange(5),
    "counts": np.ones(5, int),
    "gather": lambda rows, captions: {"image": tf.gather(PIXELS, rows), "target": captions, "labels": captions},
}


def images_of(split="train", epoch=0, budget=6, **augmentation):
    """Returns the images of an epoch, in batches of two, and their numbers."""
    training = TrainingSettings(batch_tokens=budget)
    columns = COLUMNS | {"change": changes(AugmentationSettings(**augmentation))}
    dataset = caption_batches(columns, training, split, epoch)
    assert dataset.element_spec["image"].shape[1:] == (12, 12, 3)
    batches = list(dataset)
    assert [len(batch["image"]) for batch in batches] == [2, 2, 1]
    return (np.concatenate([batch[name] for batch in batches]) for name in ("image", "labels"))


def test_images_stay_as_they_are_unless_changes_are_asked_for():
    images, numbers = images_of()
    np.testing.assert_array_equal(images, PIXELS[numbers])
    images, _ = images_of("validation")
    np.testing.assert_array_equal(images, PIXELS)


@pytest.mark.parametrize("name", ["translation", "zoom"])
def test_equal_seeds_and_epochs_change_images_alike(name):
    first, numbers = images_of(**{name: 0.3})
    again, _ = images_of(**{name: 0.3})
    later, other = images_of(epoch=1, **{name: 0.3})
    np.testing.assert_array_equal(first, again)
    assert first.dtype == np.uint8 and (first != PIXELS[numbers]).any(axis=(1, 2, 3)).all()
    assert (first[np.argsort(numbers)] != later[np.argsort(other)]).any(axis=(1, 2, 3)).all()


@pytest.mark.parametrize("kept", [0, batches.KEPT])
def test_images_are_the_decoded_files_whether_they_are_kept_or_not(kept, monkeypatch):
    monkeypatch.setattr(batches, "KEPT", kept)
    read = reader_of([encoded(pixels) for pixels in PIXELS], (12, 12))
    images = tf.data.Dataset.from_tensors([3, 0, 3]).map(read)
    assert images.element_spec.shape[1:] == (12, 12, 3)
    np.testing.assert_array_equal(next(iter(images)), PIXELS[[3, 0, 3]])


def test_few_images_are_changed_unless_the_user_says_otherwise():
    settings = AugmentationSettings()
    assert changes_for(settings, 206, ["augmentation.zoom"]) == [
        "augmentation.translation: 0.1 instead of 0.0, since 206 images are easily learned by heart"
    ]
    assert settings == AugmentationSettings(translation=0.1)
    for images, typed in ((12_000, []), (206, ["data.limit"])):
        assert changes_for(settings := AugmentationSettings(), images, typed) == []
        assert settings == AugmentationSettings()


def test_a_change_that_cannot_be_is_refused():
    with pytest.raises(UserError, match="zoom: expected at least 0 and below 1, received 1.5"):
        AugmentationSettings(zoom=1.5)


def test_a_budget_below_the_longest_caption_is_refused():
    with pytest.raises(UserError, match="expected room for 3 tokens, received 2"):
        images_of(budget=2)
