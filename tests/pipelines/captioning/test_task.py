"""Captioning end to end, tiny: train, kill, resume, export, serve through the session loader, predict."""

import io
import json
import subprocess
import sys
from dataclasses import asdict

import numpy as np
import pytest
import tensorflow as tf
import yaml
from PIL import Image

from attention_zoo.pipelines.captioning.settings import BaselineSettings, CaptioningConfig, DataSettings, ModelSettings
from attention_zoo.pipelines.captioning.task import Captioning
from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.engine.run import run as experiment
from attention_zoo.pipelines.engine.settings import ExportSettings, TrainingSettings

COLORS = {"red": (220, 30, 30), "green": (30, 180, 30), "blue": (40, 60, 220)}
PLACES = {"left": 0, "right": 16}


def painted(color, place, kind="PNG"):
    pixels = np.full((32, 32, 3), 255, np.uint8)
    pixels[8:24, PLACES[place] : PLACES[place] + 16] = COLORS[color]
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Squares of a color on one side, with two sentences each."""
    directory = tmp_path_factory.mktemp("squares")
    (directory / "images").mkdir()
    lines = []
    for number in range(60):
        color, place = list(COLORS)[number % 3], list(PLACES)[number // 3 % 2]
        (directory / "images" / f"{number}.png").write_bytes(painted(color, place))
        captions = [f"a {color} square on the {place}", f"on the {place}, a {color} square"]
        lines.append(json.dumps({"image": f"{number}.png", "captions": captions}))
    (directory / "captions.jsonl").write_text("\n".join(lines))
    return str(directory)


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


def command(*words):
    return [sys.executable, "-m", "attention_zoo.pipelines", *words]


@pytest.fixture(scope="module")
def finished(folder, tmp_path_factory, killed_and_continued):
    """A run that was killed in the middle and started again, as its folder and what the second start printed."""
    directory = tmp_path_factory.mktemp("run")
    config = directory / "tiny.yaml"
    config.write_text(yaml.safe_dump(asdict(tiny(folder, directory, epochs=4, checkpoint_every=1))))
    words = command("train", "captioning", "--config", str(config), "--name", "tiny")
    checkpoints = directory / "runs" / "captioning" / "tiny" / "checkpoints"
    return directory, killed_and_continued(words, directory, checkpoints)


def test_a_killed_run_is_continued_to_metrics_pictures_and_a_saved_model(finished):
    directory, printed = finished
    run = directory / "runs" / "captioning" / "tiny"
    metrics = json.loads((run / "metrics.json").read_text())
    needed = {f"test/{name}" for name in ("bleu1", "bleu4", "cider", "rouge_l", "exact_match", "movement")}
    assert needed | {"baseline/bleu4", "baseline/steps", "dev/loss", "train/steps"} <= set(metrics)
    history = json.loads((run / "history.json").read_text())
    assert [record["epoch"] for record in history] == [1, 2, 3, 4]
    for picture in ("pictures/curves.png", "pictures/attention-1.png", "example.png"):
        assert (run / picture).read_bytes().startswith(b"\x89PNG")
    assert "attention-zoo predict captioning" in printed
    assert (directory / "saved_models" / "captioning" / "1" / "saved_model.pb").is_file()


def test_the_session_loader_serves_both_signatures(finished, session_run):
    version = finished[0] / "saved_models" / "captioning" / "1"
    images = [painted("red", "left"), painted("blue", "right", "JPEG"), painted("green", "left", "BMP")]
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
    version = finished[0] / "saved_models" / "captioning" / "1"
    nothing = np.array([], object)
    assert session_run(version, "serving_default", {"image_bytes": nothing})["caption"].shape == (0,)
    assert session_run(version, "attention", {"image_bytes": nothing})["weights"].shape[0] == 0
    for broken in (b"hello", painted("red", "left")[:100], b""):
        with pytest.raises(tf.errors.InvalidArgumentError, match="image"):
            session_run(version, "serving_default", {"image_bytes": [broken]})
    file = io.BytesIO()
    Image.new("RGB", (1, 1)).save(file, "PNG")
    assert session_run(version, "serving_default", {"image_bytes": [file.getvalue()]})["caption"].shape == (1,)


def test_predict_prints_a_caption_an_image_and_draws(finished):
    directory = finished[0]
    for name, image in (("one.png", painted("red", "left")), ("two.jpg", painted("blue", "right", "JPEG"))):
        (directory / name).write_bytes(image)
    words = command("predict", "captioning", "one.png", "two.jpg", "--attention", "out.png")
    done = subprocess.run(words, cwd=directory, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 2
    assert (directory / "out.png").read_bytes().startswith(b"\x89PNG")
    (directory / "notes.txt").write_text("hello")
    done = subprocess.run(command("predict", "captioning", "notes.txt"), cwd=directory, capture_output=True, text=True)
    assert done.returncode == 1 and "notes.txt: expected a JPEG" in done.stderr.splitlines()[-1]


def test_evaluate_takes_up_the_finished_run_and_does_not_train_the_baseline_again(finished):
    run = finished[0] / "runs" / "captioning" / "tiny"
    before = json.loads((run / "metrics.json").read_text())
    words = command("evaluate", "captioning", "--run", "runs/captioning/tiny")
    done = subprocess.run(words, cwd=finished[0], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    after = json.loads((run / "metrics.json").read_text())
    for name in ("test/bleu4", "test/movement", "baseline/bleu4", "baseline/minutes", "baseline/steps"):
        assert after[name] == pytest.approx(before[name]), name


def test_soft_attention_learns_what_is_where(folder, tmp_path):
    metrics = experiment.train(
        Captioning, tiny(folder, tmp_path, baseline=0, epochs=40), tmp_path / "run", preset="soft"
    )
    assert metrics["test/exact_match"] == 100.0


def test_hard_attention_learns_what_is_where(folder, tmp_path):
    config = tiny(folder, tmp_path, "hard", baseline=0, epochs=80)
    metrics = experiment.train(Captioning, config, tmp_path / "run", preset="hard")
    # Of the eight tokens of a caption, which of the two sentences it is can't be known, log 2 / 8 = .087; neither can
    # the place by who sees the color alone, .173, nor the color by who sees the place alone, .224.
    assert metrics["dev/loss"] < 0.15


def test_the_mean_pooled_model_trains_and_exports_without_attention(folder, tmp_path):
    experiment.train(Captioning, tiny(folder, tmp_path, "mean", epochs=1), tmp_path / "run", preset="mean")
    assert set(tf.saved_model.load(tmp_path / "saved_models" / "captioning" / "1").signatures) == {"serving_default"}


def prepared(folder, directory, **options):
    return experiment.prepare(Captioning, tiny(folder, directory, **options), directory / "run")


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
        {"words": np.array([b"a", b"square"], object), "lengths": 2, "weights": np.ones((2, 4, 4))}
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
    with pytest.raises(UserError, match="data.max_words: no caption of the train split has at most 3 words"):
        experiment.prepare(Captioning, config, tmp_path / "run")


def test_an_unknown_backbone_is_refused(folder, tmp_path):
    config = tiny(folder, tmp_path)
    config.model.backbone = "VGG"
    with pytest.raises(UserError, match="model: .*`backbone` must be 'small' or a class of keras.applications"):
        experiment.prepare(Captioning, config, tmp_path / "run")
