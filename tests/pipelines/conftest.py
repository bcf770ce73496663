"""A tiny case of every task: data, settings and inputs, and one finished run of each that all tests read."""

import json
import random
from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np
import pytest
import yaml
from shared import shared_folder
from tiny_images import COLORS, PLACES, ROAD, SIDES, encoded, road, side, square

from attention_zoo.pipelines.commands.loading import load
from attention_zoo.pipelines.engine.run.config import dump, read
from attention_zoo.pipelines.registry import TASKS

ENGLISH = ["one", "two", "three", "red", "green", "cat", "dog", "house"]
FRENCH = dict(zip(ENGLISH, ["un", "deux", "trois", "rouge", "vert", "chat", "chien", "maison"]))


def write_sentences(directory):
    """A small parallel text whose words change places."""
    rng = random.Random(0)
    sentences = [[rng.choice(ENGLISH) for _ in range(rng.randint(2, 6))] for _ in range(300)]
    (directory / "train.en").write_text("".join(" ".join(s) + "\n" for s in sentences))
    (directory / "train.fr").write_text("".join(" ".join(FRENCH[w] for w in reversed(s)) + "\n" for s in sentences))
    return {
        "files": [str(directory / "train.en"), str(directory / "train.fr")],
        "vocabulary_size": 36,
        "max_tokens": 32,
    }


def write_squares(directory):
    """Squares of a color on one side, with two sentences each."""
    (directory / "images").mkdir()
    lines = []
    for number in range(60):
        color, place = list(COLORS)[number % 3], list(PLACES)[number // 3 % 2]
        (directory / "images" / f"{number}.png").write_bytes(square(color, place))
        captions = [f"a {color} square on the {place}", f"on the {place}, a {color} square"]
        lines.append(json.dumps({"image": f"{number}.png", "captions": captions}))
    (directory / "captions.jsonl").write_text("\n".join(lines))
    return {"folder": str(directory), "max_words": 10}


def write_photos(directory):
    """Folders of two classes that differ in where they are bright."""
    rng = np.random.default_rng(0)
    for name in SIDES:
        (directory / name).mkdir()
        for number in range(60):
            (directory / name / f"{number}.png").write_bytes(encoded(side(name, rng)))
    return {"folder": str(directory), "height": 8, "width": 8}


def write_words(directory):
    """Lines of words about one of two topics, and pairs of words that are similar or not."""
    rng = random.Random(0)
    topics = [[f"{topic}{letter}" for letter in "abcdefgh"] for topic in ("sea", "sky")]
    lines = [" ".join(rng.choices(topics[number % 2], k=12)) for number in range(300)]
    (directory / "text.txt").write_text("\n".join(lines))
    (directory / "pairs.tsv").write_text("seaa seab 9\nseac seaa 8\nseaa skya 1\nskyb seac 2\nskyb skyc 7\n")
    (directory / "analogies.txt").write_text(": made up\nseaa seab skya skyb\n")
    files = {name: str(directory / f"{name}") for name in ("text.txt", "pairs.tsv", "analogies.txt")}
    return {
        "files": [files["text.txt"]],
        "similarities": files["pairs.tsv"],
        "analogies": files["analogies.txt"],
        "min_count": 2,
        "subsample": 0.0,
    }


def write_verses(directory):
    """Lines of words, each followed by the same one."""
    rng, after = random.Random(0), dict(zip(ENGLISH, FRENCH.values()))
    lines = [" ".join(f"{word} {after[word]}" for word in rng.choices(ENGLISH, k=6)) for _ in range(300)]
    (directory / "verses.txt").write_text("\n".join(lines))
    return {"files": [str(directory / "verses.txt")], "vocabulary_size": 290}


def write_drives(directory):
    """Four short drives."""
    for number in range(4):
        folder = directory / f"drive-{number}"
        angles = np.random.default_rng(number).uniform(-0.4, 0.4, 24).astype("float32")
        (folder / "frames").mkdir(parents=True)
        lines = ["timestamp,frame,steering"]
        for row, angle in enumerate(angles):
            (folder / "frames" / f"{row}.png").write_bytes(encoded(road(angle)))
            lines.append(f"{row / 25},{row}.png,{angle}")
        (folder / "steering.csv").write_text("\n".join(lines) + "\n")
    return {"folder": str(directory), "height": ROAD[0], "width": ROAD[1], "clip_frames": 4}


def write_tagged(directory):
    """Sentences about people who go to places, tagged in BIO2."""
    rng = random.Random(0)
    people, places = ["Ann", "Bob Lee", "Eva"], ["Rome", "New York", "Oslo"]
    sentences = []
    for _ in range(200):
        words = [
            *rng.choice(people).split(),
            rng.choice(["went", "flew", "came"]),
            "to",
            *rng.choice(places).split(),
            ".",
        ]
        tags, place = [], words.index("to")
        for number, word in enumerate(words):
            kind = "PER" if number < place - 1 else "LOC" if place < number < len(words) - 1 else ""
            first = number in (0, place + 1)
            tags.append(f"{word} {'B' if first else 'I'}-{kind}" if kind else f"{word} O")
        sentences.append("\n".join(tags))
    for number, name in enumerate(("train", "dev", "test")):
        (directory / f"{name}.conll").write_text("\n\n".join(sentences[number::3]) + "\n")
    return {
        "files": [str(directory / "train.conll")],
        "dev": [str(directory / "dev.conll")],
        "test": [str(directory / "test.conll")],
        "max_words": 64,
    }


def write_labelled(directory):
    """Documents of one to five sentences, of which one decides the class."""
    rng, lines = random.Random(0), ["stars,review"]
    for number in range(120):
        label = ("good", "bad")[number % 2]
        sentences = [f"the {rng.choice(ENGLISH)} was {rng.choice(ENGLISH)} number {number}" for _ in range(number % 5)]
        sentences.insert(rng.randint(0, len(sentences)), f"It is {label}")
        lines.append(f'{label},"{". ".join(sentence.capitalize() for sentence in sentences)}."')
    (directory / "reviews.csv").write_text("\n".join(lines))
    return {"files": str(directory / "reviews.csv"), "columns": ["review", "stars"]}


def write_commands(directory):
    """Sentences of three intents with two entities, and texts that are out of scope."""
    rng, lines = random.Random(0), []
    for number in range(150):
        verb, color, room = rng.choice(["light", "dim", "stop"]), rng.choice(["red", "green"]), rng.choice(ENGLISH)
        text, entities = f"{verb} the {color} lamp number {number} in the {room}", []
        for name, value in (("color", color), ("room", room)):
            start = text.index(value) if name == "color" else text.rindex(value)
            entities.append({"start": start, "end": start + len(value), "entity": name, "value": value.upper()})
        lines.append(json.dumps({"text": text, "intent": verb, "entities": entities}))
    (directory / "own.jsonl").write_text("\n".join(lines))
    (directory / "strange.txt").write_text(
        "".join(f"{' '.join(rng.sample([*FRENCH.values()], 4))}\n" for _ in range(40))
    )
    return {
        "files": [str(directory / "own.jsonl")],
        "out_of_scope": [str(directory / "strange.txt")],
        "buckets": 512,
        "max_words": 32,
    }


def broken_images():
    """Files that cannot be decoded, each with what is said of it."""
    noise = np.random.default_rng(3).integers(0, 255, (40, 40, 3), "uint8")
    png, jpeg = encoded(noise), encoded(noise, "JPEG")
    flipped = png[:60] + bytes([png[60] ^ 255]) + png[61:]
    return [
        (b"", "expected a JPEG, PNG, GIF or BMP image, received 0 bytes"),
        (b"hello", "expected a JPEG, PNG, GIF or BMP image, received 5 bytes"),
        (png[:500], "image"),
        (jpeg[:500], "image"),
        (flipped, "image"),
        (png[:16] + b"\x7f\xff\xff\xff" * 2 + png[24:], "pixels"),
        (encoded(noise, "GIF")[:300] + b";", "image"),
        (encoded(noise, "BMP")[:300], "image"),
    ]


IMAGES = [square("red", "left"), square("blue", "right", "JPEG"), square("green", "left", "BMP")]
FRAMES = [encoded(road(angle)) for angle in (-0.3, 0.0, 0.3)]


@dataclass
class Case:
    """What the end-to-end test needs to know of a task.

    Args:
        write_data: Writes the data into a folder; returns the data section of the settings.
        settings: The other sections, for a run of seconds with several checkpoints.
        metrics: Names that `metrics.json` must have besides those of every run.
        pictures: Files that the run's folder of pictures must have besides the curves.
        request: A batch of good rows for each signature: inputs by name.
        odd: A batch of odd rows that `serving_default` answers.
        broken: Rows that cannot be answered, and what their `error` says; none where every row can be.
        files: Files that `predict` answers, by name; empty where it takes text.
        texts: Texts that it answers.
        suffix: Of the picture that `predict` draws.
        answers: How many answers `predict` gives. Defaults to one an input.
    """

    write_data: callable
    settings: dict
    metrics: set
    pictures: set
    request: dict
    odd: dict
    files: dict = field(default_factory=dict)
    texts: list = field(default_factory=list)
    suffix: str = ".png"
    answers: int = 2
    broken: list = field(default_factory=list)


CASES = {
    "translation": Case(
        write_sentences,
        {
            "model": {"name": "bahdanau", "embedding_dim": 8, "units": 8},
            "training": {"epochs": 4, "batch_tokens": 512, "checkpoint_every": 2},
        },
        {"test/bleu", "test/chrf", "test/exact_match", "input/padding_share"},
        {"bleu_by_length.png", "attention-1.png"},
        {
            name: {"text": ["one red cat", "dog"]}
            for name in ("serving_default", "attention", "n_best", "n_best_attention")
        },
        {"text": [b"one two " * 5000, b"\xff\xfe cat", "猫 œuf".encode(), b"\x00\x01", b""]},
        texts=["one red cat", "two " * 100],
    ),
    "captioning": Case(
        write_squares,
        {
            "model": {"image_size": 32, "embedding_dim": 16, "units": 16, "attention_units": 8, "dropout": 0.0},
            "training": {"epochs": 4, "batch_tokens": 128, "learning_rate": 1e-2, "checkpoint_every": 1},
            "baseline": {"epochs": 1},
        },
        {"test/bleu4", "test/cider", "test/rouge_l", "test/movement", "baseline/bleu4", "baseline/steps"},
        {"attention-1.png"},
        {name: {"image_bytes": IMAGES} for name in ("serving_default", "attention")},
        {"image_bytes": [encoded(np.zeros((1, 1, 3), "uint8")), square("red", "left", "GIF")]},
        files={"one.png": IMAGES[0], "two.jpg": IMAGES[1]},
        broken=broken_images(),
    ),
    "document_classification": Case(
        lambda directory: write_labelled(directory) | {"min_count": 1},
        {
            "model": {"embedding_dim": 8, "units": 8, "attention_units": 8, "dropout": 0.0},
            "training": {"epochs": 5, "batch_tokens": 300, "learning_rate": 2e-2, "checkpoint_every": 2},
        },
        {
            *("test/accuracy", "test/macro_f1", "dev/accuracy", "baseline/svm", "baseline/mean_pooling"),
            *("test/deletion_gap", "test/deletion_gap_low", "test/deletion_gap_high", "input/padding_share"),
        },
        {"attention-1.png", "attention-4.png", "confusion.png"},
        {name: {"text": ["It is good. The cat was red.", "bad"]} for name in ("serving_default", "attention")},
        {"text": [b"one two " * 5000, b"good. " * 3000, b"\xff\xfe bad", "猫。œuf".encode(), b"\x00\x01", b"", b"?!"]},
        texts=["It is good. The cat was red.", "bad " * 100],
    ),
    "text_classification": Case(
        lambda directory: write_labelled(directory) | {"vocabulary_size": 80, "max_length": 24},
        {
            "model": {"num_layers": 2, "num_heads": 2, "hidden_dim": 8, "intermediate_dim": 16, "dropout": 0.1},
            "training": {"epochs": 5, "batch_tokens": 300, "learning_rate": 2e-2, "checkpoint_every": 2},
        },
        {"test/accuracy", "test/macro_f1", "dev/accuracy", "baseline/tfidf", "input/padding_share"},
        {"attention-1.png", "attention-4.png", "confusion.png"},
        {name: {"text": ["It is good. The cat was red.", "bad"]} for name in ("serving_default", "attention")},
        {"text": [b"one two " * 5000, b"\xff\xfe bad", "猫。œuf".encode(), b"\x00\x01", b"", b"?!", b"x" * 100_000]},
        texts=["It is good. The cat was red.", "bad " * 100],
    ),
    "image_classification": Case(
        write_photos,
        {
            "augmentation": {"zoom": 0.1},
            "model": {"patch_size": 4, "num_layers": 2, "hidden_dim": 8, "intermediate_dim": 16, "num_heads": 2},
            "training": {"epochs": 6, "batch_tokens": 80, "learning_rate": 1e-2, "checkpoint_every": 2},
            "baselines": {"names": ["knn", "svm", "cnn"], "cnn_epochs": 1},
        },
        {"test/accuracy", "dev/accuracy", "baseline/knn", "baseline/svm", "baseline/cnn"},
        {"attention-1.png", "attention-4.png", "confusion.png"},
        {name: {"image_bytes": IMAGES} for name in ("serving_default", "attention")},
        {"image_bytes": [encoded(np.full((1, 1, 3), 9, "uint8")), square("red", "left", "GIF")]},
        files={"one.png": IMAGES[0], "two.jpg": IMAGES[1]},
        suffix=".svg",
        broken=broken_images(),
    ),
    "word_embeddings": Case(
        write_words,
        {
            "model": {"embedding_dim": 8, "window": 2, "shared_negatives": 8},
            "training": {
                "epochs": 4,
                "batch_tokens": 256,
                "optimizer": "sgd",
                "learning_rate": 0.01,
                "clip_norm": 0.0,
                "schedule": "linear",
                "checkpoint_every": 3,
            },
            "picture": {"words": 16, "skip": 0, "groups": 2},
            "baselines": {"names": []},
        },
        {"test/wordsim", "test/wordsim_known", "test/analogies", "test/analogies_known"},
        {"words.png", "attention-1.png"},
        {
            name: {"text": ["seaa", "seaa - skya + skyb"]}
            for name in ("serving_default", "neighbours", "analogy", "attention")
        },
        {
            "text": [
                *(b"", b" \t\n", b"?!...", b"\xff\xfe seaa", b"\x00\x01", b"x" * 50_000, b"seaa skyb " * 100_000),
                *("\u200b\u200e".encode(), "\u0633\u0644\u0627\u0645 seaa".encode(), "\u6771\u4eac".encode(), b"- - +"),
            ]
        },
        texts=["seaa", "seaa - skya + skyb"],
    ),
    "language_modeling": Case(
        write_verses,
        {
            "model": {"context": 24, "num_layers": 2, "num_heads": 2, "hidden_dim": 8, "intermediate_dim": 16},
            "training": {"epochs": 4, "batch_tokens": 384, "learning_rate": 1e-2, "checkpoint_every": 5},
            "decoding": {"max_tokens": 8, "repetition_penalty": 1.2, "stop": ["\n"]},
        },
        {"test/perplexity", "test/bits_per_byte", "baseline/unigram", "baseline/lzma"},
        {"attention-1.png", "attention-4.png"},
        {name: {"text": ["one un two", "cat"]} for name in ("serving_default", "attention")},
        {
            "text": [
                b"one two " * 5000,
                b"\xff\xfe cat",
                b"x" * 100_000,
                "\u200b\u200b".encode(),
                b"\x00\x01",
                b"",
                "\u6771\u4eac".encode(),
            ]
        },
        texts=["one un two", "cat chat " * 100],
    ),
    "named_entities": Case(
        write_tagged,
        {
            "model": {"name": "attention", "embedding_dim": 8, "character_dim": 4, "filters": 6, "hidden_dim": 8},
            "training": {"epochs": 4, "batch_tokens": 128, "learning_rate": 1e-2, "checkpoint_every": 2},
            "baselines": {"names": ["crf", "softmax"]},
        },
        {"test/f1", "test/precision", "test/recall", "test/f1_PER", "baseline/crf", "baseline/softmax"},
        {"attention-1.png", "attention-4.png"},
        {name: {"text": ["Ann went to Rome .", "Bob Lee, 東京!"]} for name in ("serving_default", "attention")},
        {
            "text": [
                b"one two " * 5000,
                b"\xff\xfe Rome",
                b"x" * 1_000_000,
                "\u200b\u200b".encode(),
                b"\x00\x01",
                b"",
                b"?!",
            ]
        },
        texts=["Ann went to Rome .", "Eva came to " * 100],
    ),
    "intents": Case(
        write_commands,
        {
            "model": {"hidden_dim": 8, "intermediate_dim": 8, "num_heads": 2, "num_layers": 1},
            "training": {"epochs": 4, "batch_tokens": 256, "learning_rate": 1e-2, "checkpoint_every": 2},
        },
        {
            *("test/intent_accuracy", "test/entity_f1", "test/exact_match", "test/out_of_scope_auc"),
            *("baseline/intent_accuracy", "baseline/entity_f1"),
        },
        {"attention-1.png"},
        {name: {"text": ["dim the red lamp in the house", "stop"]} for name in ("serving_default", "attention")},
        {
            "text": [
                b"dim the " * 5000,
                b"\xff\xfe lamp",
                b"x" * 1_000_000,
                "\u200b\u200b".encode(),
                b"\x00\x01",
                b"",
                b"?!",
            ]
        },
        texts=["dim the red lamp in the house", "stop " * 100],
    ),
    "steering": Case(
        write_drives,
        {
            "model": {"units": 4},
            "training": {"epochs": 5, "batch_tokens": 16, "checkpoint_every": 1},
            "drive": {"tracks": 1, "max_decisions": 3},
        },
        {
            *("test/mae", "baseline/constant_mae", "baseline/no_attention_mae", "drive/tiles_mean", "drive/tiles_min"),
            *("causal/spurious_share", "causal/blobs"),
        },
        {"attention-1.png", "drive.gif"},
        {name: {"image_bytes": [FRAMES]} for name in ("serving_default", "attention")}
        | {"start": {"image_bytes": FRAMES}},
        {"image_bytes": [[encoded(np.zeros((300, 200, 3), "uint8"), "JPEG")]]},
        files={"one.png": FRAMES[0], "two.png": FRAMES[1]},
        suffix=".gif",
        answers=1,
        broken=broken_images(),
    ),
}


@dataclass
class Finished:
    """A run that was killed at its first checkpoint and started again. Tests must not write into it.

    Args:
        name: The task's name.
        case: Its case.
        directory: The working directory of the run.
        printed: What the second start printed.
    """

    name: str
    case: Case
    directory: Path
    printed: str

    @property
    def run(self):
        return self.directory / "runs" / self.name / "tiny"

    @property
    def version(self):
        return self.directory / "saved_models" / self.name / "1"


@pytest.fixture(autouse=True)
def precision():
    """A run sets the precision of all models to come."""
    yield
    keras.config.set_dtype_policy("float32")


@pytest.fixture(scope="session")
def cases():
    return CASES


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory):
    """`tiny_data(task) -> settings of the data section`: the data of a case, written once a process."""
    written = {}

    def write(name):
        if name not in written:
            written[name] = CASES[name].write_data(tmp_path_factory.mktemp(name))
        return written[name]

    return write


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory, killed_and_continued):
    """`finished_run(task) -> Finished`: made by the first test that asks, in whatever process, for all of them."""

    def run(name):
        case = CASES[name]

        def train(directory):
            (data := directory / "data").mkdir()
            (tiny := directory / "tiny.yaml").write_text(
                yaml.safe_dump({"data": case.write_data(data), **case.settings})
            )
            # All settings, so that no preset shows through.
            tiny.write_text(dump(read(load(TASKS[name].settings), tiny)))
            words = ["train", name, "--config", "tiny.yaml", "--name", "tiny"]
            text = killed_and_continued(words, directory, directory / "runs" / name / "tiny" / "checkpoints")
            (directory / "printed").write_text(text)

        directory = shared_folder(tmp_path_factory, f"finished-{name}", train)
        return Finished(name, case, directory, (directory / "printed").read_text())

    return run
