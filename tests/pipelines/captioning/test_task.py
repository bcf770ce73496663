"""What captioning does besides what the end-to-end test of all tasks asks for."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tiny_images import COLORS

from attention_zoo.pipelines.captioning.settings import BaselineSettings, CaptioningConfig, DataSettings, ModelSettings
from attention_zoo.pipelines.captioning.task import Captioning
from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.run import run as experiment
from attention_zoo.pipelines.engine.settings import ExportSettings, TrainingSettings


@pytest.fixture(scope="module")
def folder(tiny_data):
    return tiny_data("captioning")["folder"]


@pytest.fixture(scope="module")
def shown_often(folder, tmp_path_factory):
    """The same images ten times an epoch, since an epoch takes longer to begin than to train on sixty images."""
    often, lines = tmp_path_factory.mktemp("often"), []
    (often / "images").mkdir()
    for line in (Path(folder) / "captions.jsonl").read_text().splitlines():
        row = json.loads(line)
        for copy in range(10):
            name = f"{copy}-{row['image']}"
            (often / "images" / name).symlink_to(Path(folder) / "images" / row["image"])
            lines.append(json.dumps(row | {"image": name}))
    (often / "captions.jsonl").write_text("\n".join(lines))
    return str(often)


def tiny(folder, directory, attention="soft", baseline=1, **training):
    return CaptioningConfig(
        data=DataSettings(folder=folder, max_words=10),
        model=ModelSettings(
            attention=attention, image_size=32, embedding_dim=16, units=16, attention_units=8, dropout=0.0
        ),
        training=TrainingSettings(**{"epochs": 2, "batch_tokens": 128, "learning_rate": 1e-2, **training}),
        baseline=BaselineSettings(epochs=baseline),
        export=ExportSettings(directory=str(directory / "saved_models")),
    )


@pytest.fixture
def finished(finished_run):
    return finished_run("captioning")


def test_the_session_loader_serves_both_signatures(finished, session_run):
    version = finished.version
    images = finished.case.request["attention"]["image_bytes"]
    best = session_run(version, "serving_default", {"image_bytes": images})
    assert best["caption"].shape == best["score"].shape == (3,)
    seen = session_run(version, "attention", {"image_bytes": images})
    batch, words, *grid = seen["weights"].shape
    assert (batch, *grid) == (3, 4, 4) and seen["words"].shape == (3, words) and seen["lengths"].max() == words
    for row, length in enumerate(seen["lengths"]):
        np.testing.assert_allclose(seen["weights"][row, :length].sum(axis=(1, 2)), 1.0, atol=1e-5)
        spoken = b" ".join(seen["words"][row, :length]).replace(b" ,", b",")
        assert spoken == seen["caption"][row] == best["caption"][row]


def test_odd_input_gets_an_answer_or_one_clear_error(finished, session_run):
    version = finished.version
    nothing = np.array([], object)
    assert session_run(version, "serving_default", {"image_bytes": nothing})["caption"].shape == (0,)
    assert session_run(version, "attention", {"image_bytes": nothing})["weights"].shape[0] == 0
    for broken in (b"hello", finished.case.request["attention"]["image_bytes"][0][:100], b""):
        answer = session_run(version, "serving_default", {"image_bytes": [broken]})
        assert b"image" in answer["error"][0] and answer["caption"][0] == b"" and answer["score"][0] == 0
    file = io.BytesIO()
    Image.new("RGB", (1, 1)).save(file, "PNG")
    assert session_run(version, "serving_default", {"image_bytes": [file.getvalue()]})["caption"].shape == (1,)


def test_soft_attention_learns_what_is_where(shown_often, tmp_path, monkeypatch):
    # The end-to-end test of all tasks draws and exports soft attention.
    monkeypatch.setattr(
        experiment, "publish", lambda task, model, metrics, reporter: metrics | experiment.score(task, model)
    )
    metrics = experiment.train(
        Captioning, tiny(shown_often, tmp_path, baseline=0, epochs=4), tmp_path / "run", preset="soft"
    )
    assert metrics["test/exact_match"] == 100.0


def test_hard_attention_learns_what_is_where(shown_often, tmp_path):
    config = tiny(shown_often, tmp_path, "hard", baseline=0, epochs=8)
    metrics = experiment.train(Captioning, config, tmp_path / "run", preset="hard")
    # Of the eight tokens of a caption, which of the two sentences it is can't be known, log 2 / 8 = .087; neither can
    # the place by who sees the color alone, .173, nor the color by who sees the place alone, .224.
    assert metrics["dev/loss"] < 0.15


def test_the_mean_pooled_model_trains_and_exports_without_attention(folder, tmp_path):
    experiment.train(Captioning, tiny(folder, tmp_path, "mean", epochs=1), tmp_path / "run", preset="mean")
    assert set(tf.saved_model.load(tmp_path / "saved_models" / "captioning" / "1").signatures) == {"serving_default"}


def prepared(folder, directory, **options):
    return experiment.prepare(Captioning, tiny(folder, directory, **options), directory / "run")


def test_a_picture_of_a_sample_names_its_reference(folder, tmp_path):
    task, _ = prepared(folder, tmp_path)
    examples = task.examples["test"]
    references = dict(zip(examples.images, (several[0] for several in examples.captions)))
    (sample, *_), (truth, *_) = task.samples(), task.truths()
    assert truth == {"reference": references[sample.image_bytes]} and len(task.truths()) == len(task.samples())
    answer = {"words": np.array(["a", "cat", ""]), "weights": np.ones((3, 2, 2)), "lengths": 2, "caption": "a cat"}
    answer["image_bytes"] = sample.image_bytes
    view = Captioning.view(answer | truth)
    assert view.captions == ["a", "cat"] and view.title == "a cat" and view.known == f"reference: {truth['reference']}"
    assert Captioning.view(answer).known == "" and Captioning.view(answer | {"lengths": 0}) is None


def test_an_epoch_shows_every_image_once_with_one_of_its_captions(folder, tmp_path):
    task, _ = prepared(folder, tmp_path)

    def texts(split, epoch):
        return [text for batch in task.preprocess(split, epoch) for text in task.words.join(batch["labels"]).numpy()]

    first, again, second = texts("train", 0), texts("train", 0), texts("train", 1)
    assert first == again != second and len(first) == len(second) == len(task.examples["train"]) == 48
    assert texts("validation", 0) == texts("validation", 1)
    for batch in task.preprocess("train", 0):
        assert batch["image"].shape[1:] == (32, 32, 3) and (batch["target"][:, 0] == 2).numpy().all()
        assert batch["image"].shape[0] * batch["target"].shape[1] <= 128
        for image, text in zip(batch["image"].numpy(), task.words.join(batch["labels"]).numpy()):
            color = [name for name, rgb in COLORS.items() if (image == rgb).all(-1).any()]
            assert color[0] in text.decode(), "a caption stays with its image"


def test_pointing_and_scores_by_the_number_of_things_where_boxes_are_known(folder, tmp_path):
    task, model = prepared(folder, tmp_path, baseline=0)
    examples = task.examples["test"]
    examples.objects = [(["square"], np.array([[0.0, 0.0, 1.0, 1.0]])) for _ in range(len(examples))]
    answers = [
        {"words": np.array(["a", "square"], object), "lengths": 2, "weights": np.ones((2, 4, 4))}
        for _ in range(len(examples))
    ]
    assert task.looking(answers, examples)["pointing"] == 100.0  # whatever is looked at lies in a box that is the image
    task.evaluate(model, "test")
    by_objects = json.loads((tmp_path / "run" / "test_by_objects.json").read_text())
    assert by_objects["1"]["images"] == len(examples) and "bleu4" in by_objects["1"]
    rows = (tmp_path / "run" / "test_captions.tsv").read_text().splitlines()
    assert len(rows) == len(examples) and rows[0].count("\t") == 2


def test_captions_above_max_words_are_left_out(folder, tmp_path):
    config = tiny(folder, tmp_path)
    config.data.max_words = 6  # the second caption of each image has 7 words, the comma counted
    task, _ = experiment.prepare(Captioning, config, tmp_path / "run")
    texts = [text for batch in task.preprocess("train", 0) for text in task.words.join(batch["labels"]).numpy()]
    assert len(texts) == 48 and all(text.startswith(b"a ") for text in texts)
    config.data.max_words = 3
    with pytest.raises(UserError, match="--data.max_words: no caption of the train split has at most 3 words"):
        experiment.prepare(Captioning, config, tmp_path / "run")


def test_an_unknown_backbone_is_refused(folder, tmp_path):
    config = tiny(folder, tmp_path)
    config.model.backbone = "VGG"
    message = "--model.backbone: .*`backbone` must be 'small' or a class of keras.applications"
    with pytest.raises(UserError, match=message):
        experiment.prepare(Captioning, config, tmp_path / "run")
