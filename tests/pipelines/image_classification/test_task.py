"""What image classification does besides what the end-to-end test of all tasks asks for."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from PIL import Image
from tiny_images import encoded, side

from attention_zoo.pipelines.baselines.images import knn_predictions, svm_predictions
from attention_zoo.pipelines.commands.arguments import presets_of
from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.run import run as experiment
from attention_zoo.pipelines.engine.run.config import read
from attention_zoo.pipelines.engine.scores.answer_lists import confusion_of, keep_answers
from attention_zoo.pipelines.engine.settings import ExportSettings, TrainingSettings
from attention_zoo.pipelines.image_classification.settings import (
    AugmentationSettings,
    BaselineSettings,
    DataSettings,
    ImageClassificationConfig,
    ViTSettings,
    ViTVariantSettings,
)
from attention_zoo.pipelines.image_classification.task import ImageClassification
from attention_zoo.pipelines.registry import TASKS


@pytest.fixture(scope="module")
def photos(tiny_data):
    return tiny_data("image_classification")["folder"]


def tiny(photos, directory, augmentation=None, baselines=(), **training):
    return ImageClassificationConfig(
        data=DataSettings(folder=str(photos), height=8, width=8),
        augmentation=augmentation or AugmentationSettings(zoom=0.1),
        model=ViTSettings(patch_size=4, num_layers=2, hidden_dim=8, intermediate_dim=16, num_heads=2),
        training=TrainingSettings(**{"epochs": 1, "batch_tokens": 80, "learning_rate": 1e-2, **training}),
        baselines=BaselineSettings(names=list(baselines), cnn_epochs=1),
        export=ExportSettings(directory=str(directory / "saved_models")),
    )


def prepared(config, directory):
    return experiment.prepare(ImageClassification, config, directory)


@pytest.fixture
def finished(finished_run):
    return finished_run("image_classification")


def test_the_model_learns_and_so_do_the_baselines(finished):
    metrics = json.loads((finished.run / "metrics.json").read_text())
    assert metrics["baseline/knn"] == metrics["baseline/svm"] == 100.0 and metrics["test/accuracy"] > 80
    assert "images/s" in finished.printed


def test_predict_says_file_class_and_probability():
    answer = {"input": "a.png", "label": "left", "probabilities": np.array([0.8765, 0.1235])}
    assert ImageClassification.say(answer) == "a.png\tleft\t0.876"


def test_pictures_show_the_rollout_or_all_heads_and_name_the_truth():
    heads = np.arange(2 * 3 * 4).reshape(2, 3, 2, 2) / 24
    answer = {"input": "a.png", "label": "left", "probabilities": np.array([0.9, 0.1]), "attention": np.ones((2, 2))}
    answer |= {"head_attention": heads, "image_bytes": encoded(np.zeros((8, 8, 3), "uint8"))}
    view = ImageClassification.view(answer | {"truth": "right"})
    assert view.captions == ["rollout", "head 1", "head 2", "head 3"] and (view.maps[1:] == heads[1]).all()
    assert view.title == "left (90%); heads of the last block" and view.known == "truth: right"
    assert ImageClassification.view(answer).known == ""
    view = ImageClassification.view_heads(answer)
    assert view.captions[4] == "block 2, head 2" and (view.maps[4] == heads[1, 1]).all() and len(view.maps) == 6


def test_the_test_answers_are_kept_by_file_and_make_the_confusion_matrix(photos, tmp_path):
    task, _ = prepared(tiny(photos, tmp_path), tmp_path)

    def second_class(images, training):
        return tf.tile([[0.0, 1.0]], [tf.shape(images)[0], 1])  # the answer is the second class, "right"

    accuracy = task.evaluate(second_class, "test")["accuracy"]
    head, *lines = (line.split("\t") for line in task.folder.test_answers.read_text().splitlines())
    assert head == ["image", "truth", "answer", "probability"] and len(lines) == task.sets["test"].count
    assert all(Path(file).is_file() and Path(file).parent.name == truth for file, truth, _, _ in lines)
    assert {tuple(line[2:]) for line in lines} == {("right", "0.7311")}
    truths = [line[1] for line in lines]
    assert accuracy == pytest.approx(100 * truths.count("right") / len(truths))
    counts = confusion_of(task.folder.test_answers, task.labels)
    assert counts.tolist() == [[0, truths.count("left")], [0, truths.count("right")]]


def test_images_without_files_are_numbered_and_odd_names_survive(tmp_path):
    labels = ["a\tb", 'c"d', "œ"]
    answers = [labels[0], labels[1], labels[1]]
    keep_answers(tmp_path / "answers.tsv", labels, answers, np.array([0.5, 1.0, 0.25]), kind="image")
    assert confusion_of(tmp_path / "answers.tsv", labels).tolist() == [[1, 0, 0], [0, 1, 0], [0, 1, 0]]
    assert (tmp_path / "answers.tsv").read_text(encoding="utf-8").splitlines()[3] == '3\tœ\t"c""d"\t0.2500'


def test_the_truths_are_those_of_the_samples(photos, tmp_path):
    task, _ = prepared(tiny(photos, tmp_path), tmp_path)
    files = {path.read_bytes(): path.parent.name for path in Path(photos).rglob("*.*")}
    assert [truth["truth"] for truth in task.truths()] == [files[sample.image_bytes] for sample in task.samples()]


def test_evaluate_trains_no_baseline(finished, tmp_path, monkeypatch):
    run = shutil.copytree(finished.run, tmp_path / "run")
    before = json.loads((run / "metrics.json").read_text())
    (run / "baselines.json").unlink()
    monkeypatch.setattr("attention_zoo.pipelines.image_classification.task.svm_predictions", None)
    after = experiment.evaluate(ImageClassification, run)
    assert after["test/accuracy"] == before["test/accuracy"] and after["baseline/svm"] == before["baseline/svm"]


def test_the_session_loader_serves_both_signatures(finished, session_run):
    rng = np.random.default_rng(5)
    large = np.array(Image.fromarray(side("left", rng)).resize((300, 200), Image.Resampling.BOX))
    images = [
        encoded(side("right", rng)),
        encoded(large, "JPEG"),
        encoded(large, "BMP"),
        encoded(side("right", rng), "GIF"),
    ]
    answer = session_run(finished.version, "serving_default", {"image_bytes": images})
    assert answer["label"].tolist() == [b"right", b"left", b"left", b"right"]
    assert answer["labels"].shape == answer["probabilities"].shape == (4, 2)
    np.testing.assert_array_equal(answer["labels"][:, 0], answer["label"])
    np.testing.assert_allclose(answer["probabilities"].sum(axis=1), 1.0, atol=1e-5)
    assert (np.diff(answer["probabilities"], axis=1) <= 0).all()
    seen = session_run(finished.version, "attention", {"image_bytes": images})
    np.testing.assert_array_equal(seen["label"], answer["label"])
    assert seen["attention"].shape == (4, 2, 2) and seen["head_attention"].shape == (4, 2, 2, 2, 2)
    np.testing.assert_allclose(seen["attention"].sum(axis=(1, 2)), 1.0, atol=1e-5)
    np.testing.assert_allclose(seen["head_attention"].sum(axis=(3, 4)), 1.0, atol=1e-5)


def test_odd_input_gets_an_answer_or_one_clear_error(finished, session_run):
    version, empty = finished.version, np.array([], object)
    assert session_run(version, "serving_default", {"image_bytes": empty})["labels"].shape == (0, 2)
    assert session_run(version, "attention", {"image_bytes": empty})["attention"].shape == (0, 2, 2)
    pixel = encoded(np.full((1, 1, 3), 9, "uint8"))
    assert session_run(version, "serving_default", {"image_bytes": [pixel]})["label"].shape == (1,)
    answer = session_run(version, "serving_default", {"image_bytes": [pixel, b"text"]})
    assert b"expected a JPEG, PNG, GIF or BMP image, received 4 bytes" in answer["error"][1]
    assert answer["error"][0] == b"" != answer["label"][0] and answer["label"][1] == b""


@pytest.mark.parametrize("in_memory", [True, False])
def test_batches_are_a_function_of_split_and_epoch(in_memory, photos, tmp_path):
    config = tiny(photos, tmp_path, AugmentationSettings(translation=0.2, mixup=0.5, cutmix=0.5))
    config.data.in_memory = in_memory
    task, _ = prepared(config, tmp_path)
    first, again, other = ([b["images"].numpy() for b in task.preprocess("train", epoch)] for epoch in (3, 3, 4))
    assert len(first) == int(task.preprocess("train", 3).cardinality()) and first[0].shape == (16, 8, 8, 1)
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(first[0], other[0]) and -1 <= first[0].min() < first[0].max() <= 1
    skipped = [batch["images"].numpy() for batch in task.preprocess("train", 3).skip(2)]
    np.testing.assert_array_equal(np.concatenate(skipped), np.concatenate(first[2:]))
    for split in ("validation", "test"):  # nothing is shuffled or changed
        pixels = [row["image"] for row in task.decoded(task.sets[split].examples).as_numpy_iterator()]
        batches = np.concatenate([batch["images"].numpy() for batch in task.preprocess(split, 0)])
        np.testing.assert_allclose(batches, np.array(pixels) / 127.5 - 1, atol=1e-6)


def test_the_loss_by_hand(photos, tmp_path):
    task, _ = prepared(tiny(photos, tmp_path, label_smoothing=0.2), tmp_path)
    logits = tf.math.log([[0.9, 0.1], [0.4, 0.6]])
    batch = {"images": None, "labels": tf.constant([[1.0, 0.0], [1.0, 0.0]])}
    total, weight, parts = task.loss(lambda images, training: logits, batch, training=True)
    nll = -np.log(0.9) - np.log(0.4)
    uniform = -np.mean(np.log([0.9, 0.1])) - np.mean(np.log([0.4, 0.6]))
    assert float(total) == pytest.approx(0.8 * nll + 0.2 * uniform, rel=1e-5) and float(weight) == 2.0
    assert float(parts["loss"]) == pytest.approx(nll, rel=1e-5) and float(parts["accuracy"]) == 100.0
    assert float(task.loss(lambda images, training: logits, batch, training=False)[0]) == pytest.approx(nll, rel=1e-5)


def test_neighbours_and_machines_by_hand():
    train = np.array([0, 10, 20, 200, 210, 220], "uint8").reshape(6, 1, 1, 1)
    labels, test = np.array([0, 0, 0, 1, 1, 1]), np.array([30, 180], "uint8").reshape(2, 1, 1, 1)
    assert knn_predictions(train, labels, test).tolist() == svm_predictions(train, labels, test).tolist() == [0, 1]


@pytest.mark.parametrize(
    "section, name, value, message",
    [
        ("data", "height", 10, "--data.height, --data.width: expected multiples of the patch, 4"),
        ("training", "batch_tokens", 4, "training.batch_tokens: expected at least 5"),
    ],
)
def test_settings_that_do_not_fit_are_refused(section, name, value, message, photos, tmp_path):
    config = tiny(photos, tmp_path)
    setattr(getattr(config, section), name, value)
    with pytest.raises(UserError, match=message):
        task, _ = prepared(config, tmp_path)
        task.preprocess("train", 0)


def test_an_unknown_variant_is_refused(photos, tmp_path):
    config = tiny(photos, tmp_path)
    config.model = ViTVariantSettings(variant="X/4")
    with pytest.raises(UserError, match="--model.variant: `variant` must be one of Ti, S, B, L, H"):
        prepared(config, tmp_path)


@pytest.mark.parametrize("name", ["cifar10", "imagenet2012"])
def test_presets_of_public_sets_take_a_step_on_data_of_their_kind(name, tmp_path):
    config = read(ImageClassificationConfig, presets_of("image_classification")[name])
    config.model.variant = f"Ti/{config.model.variant.rpartition('/')[2]}"  # the sizes are counted elsewhere
    config.data.train_split = config.data.validation_split = "train"  # mocked data has no share of a split
    config.data.limit = 2
    with tfds.testing.mock_data(num_examples=2):
        task, model = prepared(config, tmp_path)
        batch = next(iter(task.preprocess("train", 0)))
    loss, weight, _ = task.loss(model, batch, training=True)
    assert float(weight) == 2 and float(loss) / 2 == pytest.approx(np.log(len(task.labels)), rel=1e-3), (
        "the head starts at zero"
    )


def test_the_task_is_registered_with_its_default_preset():
    assert {"digits", "sklearn_digits", "cifar10", "imagenet2012"} <= set(presets_of("image_classification"))
    assert TASKS["image_classification"].default_preset == "digits"
