"""A ViT or DeiT of the Hub classifies image files: tiny folders, served by a session and through the C API."""

import io
import json

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tiny_images import encoded

from attention_zoo.pipelines.__main__ import main
from attention_zoo.pipelines.commands.loading import load
from attention_zoo.pipelines.engine.errors import UserError
from attention_zoo.pipelines.hub import from_pretrained, to_pretrained
from attention_zoo.pipelines.hub.image_reader import image_reader_of
from attention_zoo.pipelines.hub.loading import load_ability
from attention_zoo.pipelines.models import VisionTransformer
from attention_zoo.pipelines.registry import ABILITIES, TASKS

LABELS = ["cat", "dog", "sea"]
SIDE = 16
VIT = {"image_processor_type": "ViTImageProcessor", "size": {"height": SIDE, "width": SIDE}}
DEIT = {
    "feature_extractor_type": "DeiTFeatureExtractor",
    "size": 20,
    "crop_size": SIDE,
    "image_mean": [0.485, 0.456, 0.406],
    "image_std": [0.229, 0.224, 0.225],
}


def photo(height, width):
    """Soft shapes, edges and a little noise, as a photograph has them; uint8 `(height, width, 3)`."""
    rng = np.random.default_rng(height)
    y, x = np.mgrid[:height, :width]
    soft = np.stack([np.sin(x / 17 + y / 31), np.cos(y / 11) * np.sin(x / 23), np.sin((x - y) / 40)], axis=-1)
    edges = 60 * ((x // 40 + y // 30) % 2)[..., None]
    return np.clip(110 + 70 * soft + edges + rng.normal(0, 8, soft.shape), 0, 255).astype("uint8")


FILES = [
    encoded(photo(90, 130)),
    encoded(photo(40, 33), "JPEG"),
    b"hello",
    encoded(photo(30, 30), "BMP"),
    encoded(photo(64, 64), "JPEG")[:300],
    encoded(photo(9, 300)[:, :, 0], "GIF"),
    b"",
]
BROKEN = [2, 4, 6]


def write_folder(folder, settings, model_type="vit", **options):
    """Writes a tiny model with random weights and the settings of its images."""
    sizes = {"num_layers": 2, "hidden_dim": 8, "intermediate_dim": 12, "num_heads": 2, "layer_norm_epsilon": 1e-12}
    if options.get("num_classes", 3) is not None:
        sizes |= {"labels": LABELS, "distillation_head": model_type == "deit"}
    channels = options.pop("channels", 3)
    arguments = {"num_classes": 3, "image_size": SIDE, "patch_size": 4, "distilled": model_type == "deit"}
    model = VisionTransformer(**arguments | sizes | options)
    model(np.zeros((1, SIDE, SIDE, channels), "float32"))
    for weights in model.weights:
        weights.assign(np.random.default_rng(1).normal(0, 0.5, weights.shape))
    to_pretrained(model, folder)
    if settings is not None:
        (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    return folder


@pytest.fixture(scope="module", params=["vit", "deit"])
def exported(request, tmp_path_factory):
    """(folder, version), loaded and exported once."""
    root = tmp_path_factory.mktemp(request.param)
    folder = write_folder(root / "folder", {"vit": VIT, "deit": DEIT}[request.param], request.param)
    assert main(["load", str(folder), "--directory", str(root / "saved_models")]) == 0
    return folder, root / "saved_models" / "classify_images" / "1"


def pixels_by_hand(folder, content):
    """What the model reads of a file, with Pillow."""
    image = Image.open(io.BytesIO(content)).convert("RGB")
    if "vit" in folder.parent.name and "deit" not in folder.parent.name:
        return np.array(image.resize((SIDE, SIDE), Image.Resampling.BILINEAR), "float32")[None] / 127.5 - 1
    image = image.resize((20, 20), Image.Resampling.BICUBIC).crop((2, 2, 18, 18))
    return (np.array(image, "float32")[None] / 255 - DEIT["image_mean"]) / DEIT["image_std"]


def test_images_get_the_labels_of_the_folder(exported, session_run, c_api_run):
    folder, version = exported
    model = from_pretrained(folder)
    for run in (session_run, c_api_run):
        answers = run(version, "serving_default", {"image_bytes": FILES})
        for row in (0, 3):  # files without loss: Pillow and TensorFlow decode them to the same pixels
            logits = np.array(model(pixels_by_hand(folder, FILES[row])))[0]
            shares = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
            np.testing.assert_allclose(answers["image_confidences"][row], np.sort(shares)[::-1], atol=0.02)
            assert [name.decode() for name in answers["labels"][row]] == [LABELS[n] for n in np.argsort(-shares)]
            assert answers["label"][row] == answers["labels"][row][0]
        for row, error in enumerate(answers["error"]):
            assert bool(error) == (row in BROKEN) == (answers["label"][row] == b"")
            assert answers["image_confidences"][row].any() == (row not in BROKEN)
        assert b"expected a JPEG, PNG, GIF or BMP image, received 5 bytes" in answers["error"][2]
        assert b"expected a whole JPEG image, received one that is cut off" in answers["error"][4]


def test_the_attention_of_every_layer_and_head_lies_on_the_grid(exported, session_run):
    folder, version = exported
    seen = session_run(version, "attention", {"image_bytes": FILES})
    assert seen["attention"].shape == (7, 4, 4) and seen["head_attention"].shape == (7, 2, 2, 4, 4)
    sums = np.array([float(row not in BROKEN) for row in range(7)])
    np.testing.assert_allclose(seen["attention"].sum(axis=(1, 2)), sums, atol=1e-5)
    ability = load_ability(folder)
    images, _ = ability.reader.read(tf.constant(FILES[:1]))
    _, scores = ability.model(images, return_attention_scores=True)
    tokens = 2 if ability.model.distilled else 1
    weights = np.array(scores["encoder/1/self"])[0, 1, :tokens, tokens:]  # of the last layer, second head
    expected = (weights / weights.sum(-1, keepdims=True)).mean(0) if tokens == 1 else weights.mean(0)
    np.testing.assert_allclose(seen["head_attention"][0, 1, 1].ravel(), expected / expected.sum(), atol=1e-5)


def test_a_batch_answers_as_its_rows_do(exported, session_run):
    _, version = exported
    together = session_run(version, "attention", {"image_bytes": FILES})
    for row in (1, 2, 5):
        for name, values in session_run(version, "attention", {"image_bytes": [FILES[row]]}).items():
            if values.dtype.kind == "f":
                np.testing.assert_allclose(values[0], together[name][row], atol=1e-5, err_msg=name)
            else:
                assert np.array_equal(values[0], together[name][row]), name
    empty = session_run(version, "attention", {"image_bytes": np.array([], object)})
    assert empty["labels"].shape == (0, 3) and empty["attention"].shape == (0, 4, 4)


def test_predict_says_the_class_and_draws_where_the_model_looked(exported, tmp_path, capsys):
    _, version = exported
    (tmp_path / "cat.jpg").write_bytes(FILES[1])
    (tmp_path / "broken.jpg").write_bytes(FILES[4])
    picture = tmp_path / "attention.png"
    words = ["predict", "classify_images", str(tmp_path / "cat.jpg"), "--model", str(version.parent)]
    assert main([*words, "--attention", str(picture)]) == 0
    name, label, confidence = capsys.readouterr().out.strip().split("\t")
    assert name == str(tmp_path / "cat.jpg") and label in LABELS and 1 / 3 <= float(confidence) <= 1
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert main([*words, "--attention", str(picture), "--heads"]) == 0
    capsys.readouterr()
    assert main([*words, str(tmp_path / "broken.jpg"), "--json"]) == 1
    answer = json.loads(capsys.readouterr().out.splitlines()[0])
    assert answer["label"] == label == answer["labels"][0] and len(answer["image_confidences"]) == 3


def test_load_says_what_the_model_is(tmp_path, capsys):
    folder = write_folder(tmp_path / "folder", VIT)
    assert main(["load", str(folder), "--task", "classify_images", "--directory", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "2 layers of 2 heads, 3 classes, images of 16 x 16 pixels" in out
    assert f"SavedModel: {tmp_path}/classify_images/1" in out
    assert "next: attention-zoo predict classify_images photo.jpg --attention attention.png" in out


def test_no_other_task_answers_with_the_same_output():
    own = [load(entry.task).answers_with for entry in ABILITIES.values()]
    others = {load(entry.task).answers_with for name, entry in TASKS.items()}
    assert len(set(own)) == len(own)
    # `translate` and `answer` have the same signatures as a task
    assert others & set(own) == {"translation", "answer"}


@pytest.mark.parametrize(
    "settings, message",
    [
        (None, "expected a folder with preprocessor_config.json, received one without"),
        (VIT | {"do_resize": False}, "expected do_resize true, as files have images of any size; received false"),
        (VIT | {"resample": 4}, "expected resample 1, 2, 3 (Lanczos, bilinear, bicubic); received 4"),
        (VIT | {"size": 12}, "expected images of 16 x 16, as the model reads; received 12 x 12"),
        (VIT | {"size": {"longest_edge": 8}}, "expected size to be a number, or height and width; received {'lon"),
        (VIT | {"size": {"shortest_edge": 16}}, "expected a size of height and width, or do_center_crop; received"),
        (VIT | {"do_pad": True}, "expected do_pad false, received True"),
        (VIT | {"image_processor_type": "CLIPImageProcessor"}, "ViTImageProcessor or DeiTImageProcessor; received CL"),
        (VIT | {"image_mean": [0.5]}, "expected image_mean of 3 channels, received 1"),
        (VIT | {"image_std": [0.5, 0, 1]}, "expected image_std above 0, received [0.5, 0, 1]"),
        (DEIT | {"size": 12}, "expected a size of at least crop_size, 16 x 16; received 12"),
    ],
)
def test_what_cannot_be_done_with_images_is_refused(settings, message, tmp_path, capsys):
    folder = write_folder(tmp_path / "folder", settings)
    assert main(["load", str(folder), "--directory", str(tmp_path / "saved")]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not (tmp_path / "saved").exists()


@pytest.mark.parametrize(
    "options, words, message",
    [
        ({"num_classes": None, "pooler": True}, [], "architectures that end with ForImageClassification, received ViT"),
        ({"channels": 1}, [], "expected num_channels 3, received 1"),
        ({}, ["--task", "embed"], "--task: expected classify_images, received embed"),
    ],
)
def test_a_model_that_does_not_classify_is_refused(options, words, message, tmp_path, capsys):
    folder = write_folder(tmp_path / "folder", VIT, **options)
    assert main(["load", str(folder), *words, "--directory", str(tmp_path / "saved")]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.backends
@pytest.mark.parametrize(
    "name, settings",
    [
        ("ViT", {}),
        ("ViT", {"resample": 3, "image_mean": [0.1, 0.2, 0.3], "image_std": [0.4, 0.5, 0.6]}),
        ("ViT", {"resample": 1, "do_normalize": False}),
        ("ViT", {"do_rescale": False, "rescale_factor": 0.5, "do_normalize": False}),
        ("ViT", {"size": {"height": 40, "width": 24}}),
        ("DeiT", {}),
        ("DeiT", {"size": {"shortest_edge": 250}, "crop_size": {"height": 224, "width": 201}, "resample": 2}),
        ("DeiT", {"do_center_crop": False}),
    ],
)
def test_pixels_are_within_one_of_255_of_those_of_transformers(name, settings, tmp_path):
    """For PNG and for JPEG files, reduced, enlarged, and enlarged along one side alone."""
    transformers = pytest.importorskip("transformers", reason="the extra `backends` has transformers")
    pytest.importorskip("PIL", "13", reason="Pillow 12, which Gradio asks for, is up to four of 255 from Pillow 13")
    processor = getattr(transformers, f"{name}ImageProcessor")(**settings)
    processor.save_pretrained(tmp_path)
    written = json.loads((tmp_path / "preprocessor_config.json").read_text())
    size = written["crop_size"] if written.get("do_center_crop") else written["size"]
    reader = image_reader_of(tmp_path, name.lower(), (size["height"], size["width"]))
    shapes = [(480, 640), (100, 77), (300, 90), (12, 900)]
    files = [encoded(photo(*shape), kind) for shape in shapes for kind in ("PNG", "JPEG")]
    images, error = reader.read(tf.constant(files))
    assert not any(error.numpy())
    pictures = [Image.open(io.BytesIO(file)) for file in files]
    expected = processor(images=pictures, return_tensors="np")["pixel_values"].transpose(0, 2, 3, 1)
    unit = (written["rescale_factor"] if written["do_rescale"] else 1) / np.array(
        written["image_std"] if written["do_normalize"] else 1
    )
    difference = np.abs(images - expected) / unit  # in steps of 8 bits
    print(f"largest difference: {difference.max():.2f}, of {(difference > 0.5).mean():.2%} of the pixels")
    assert difference.max() < 1.01


@pytest.mark.parametrize("model_type", ["vit", "deit"])
def test_settings_that_a_file_leaves_out_have_the_defaults_of_its_processor(model_type, tmp_path):
    (tmp_path / "preprocessor_config.json").write_text("{}")
    reader = image_reader_of(tmp_path, model_type, (224, 224))
    assert reader.size == {"vit": (224, 224), "deit": (256, 256)}[model_type]
    assert reader.kernel == {"vit": "triangle", "deit": "keyscubic"}[model_type]
    assert (reader.factor, reader.mean, reader.deviation) == (1 / 255, (0.5,) * 3, (0.5,) * 3)
    with pytest.raises(UserError, match="of 32 x 32, as the model reads; received 224 x 224"):
        image_reader_of(tmp_path, model_type, (32, 32))


def test_images_of_extreme_proportions_are_read(tmp_path):
    settings = DEIT | {"size": {"shortest_edge": 20}}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(settings))
    reader = image_reader_of(tmp_path, "deit", (SIDE, SIDE))
    long = tf.io.encode_png(tf.fill([1, 900_000, 3], tf.constant(77, tf.uint8)))
    high = tf.io.encode_png(tf.fill([900_000, 1, 3], tf.constant(77, tf.uint8)))
    images, error = reader.read(tf.stack([long, high]))
    assert error.numpy().tolist() == [b"", b""] and images.shape == (2, SIDE, SIDE, 3)
    expected = (77 / 255 - np.array(DEIT["image_mean"])) / DEIT["image_std"]
    np.testing.assert_allclose(images, np.broadcast_to(expected, images.shape), atol=1e-4)
