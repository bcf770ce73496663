"""The case of each task: what the end-to-end test of all tasks needs to know of it."""

from dataclasses import dataclass, field

import numpy as np
from tiny_data import (
    write_commands,
    write_drives,
    write_labelled,
    write_numbered,
    write_photos,
    write_questions,
    write_sentences,
    write_squares,
    write_tagged,
    write_verses,
    write_words,
)
from tiny_images import encoded, road, square


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


CASES = {  # by task; a further case of a task has its name after a slash
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
    "text_classification/numbers": Case(
        lambda directory: write_numbered(directory) | {"vocabulary_size": 80, "max_length": 24},
        {
            "model": {"num_layers": 1, "num_heads": 2, "hidden_dim": 8, "intermediate_dim": 16, "dropout": 0.1},
            "training": {"epochs": 5, "batch_tokens": 300, "learning_rate": 2e-2, "checkpoint_every": 2},
        },
        {"test/pearson", "test/spearman", "baseline/tfidf", "input/padding_share"},
        {"attention-1.png", "attention-4.png", "scatter.png"},
        {name: {"text": ["It is good. The cat was red.", "bad"]} for name in ("serving_default", "attention")},
        {"text": [b"one two " * 5000, b"\xff\xfe bad", "猫。œuf".encode(), b"\x00\x01", b"", b"?!", b"x" * 100_000]},
        texts=["It is good. The cat was red.", "bad " * 100],
    ),
    "question_answering": Case(
        write_questions,
        {
            "model": {"num_layers": 1, "num_heads": 2, "hidden_dim": 8, "intermediate_dim": 16, "dropout": 0.1},
            "training": {"epochs": 5, "batch_tokens": 300, "learning_rate": 2e-2, "checkpoint_every": 2},
        },
        {"test/exact_match", "test/f1", "baseline/sliding_window_f1", "input/padding_share"},
        {"attention-1.png", "attention-4.png"},
        {
            name: {"question": ["Who went?", "Where?"], "context": ["Ann went to Rome. " * 9, "Eva is in Oslo."]}
            for name in ("serving_default", "attention")
        },
        {
            "question": [b"who? " * 5000, b"\xff\xfe who", b"where?", b"", b"?!", b"x" * 100_000],
            "context": [b"one two " * 5000, b"\xff\xfe Ann", "猫。œuf".encode(), b"\x00\x01", b"?!", b"y" * 100_000],
        },
        texts=["Who went?\tAnn went to Rome.", "Where?\tEva went to Oslo. " + "The cat was red. " * 20],
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
            "training": {
                **{"epochs": 4, "batch_tokens": 384, "learning_rate": 1e-2, "checkpoint_every": 5},
                "recompute": True,
            },
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
