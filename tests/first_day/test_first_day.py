"""A first day with your own data, as a user types it, in a folder with spaces in its name.

The data is small and made here: sentences whose words can be learned, photographs of two colors, images with captions,
tagged sentences, and notes.
Every command is a process of its own. What must hold is what a user sees.
"""

import itertools
import os
import re
import shlex
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from commands import run_command
from PIL import Image
from tiny_images import COLORS, PLACES, square

pytestmark = pytest.mark.first_day

ENVIRONMENT = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
CAPTIONED = [f"captioned/images/{number}.png" for number in range(30)]
SMALL = ["--model.embedding_dim", "16", "--model.units", "16"]
WORDS = {
    "subject": {"we": "wir", "they": "sie", "the women": "die Frauen"},
    "verb": {"see": "sehen", "find": "finden", "need": "brauchen"},
    "color": {"red": "rote", "blue": "blaue", "old": "alte", "new": "neue"},
    "thing": {"houses": "Häuser", "books": "Bücher", "birds": "Vögel"},
}


def zoo(folder, *words, code=0):
    """Runs a command in a folder. Returns its standard output and error as one text, long lines joined."""
    done = run_command(words, folder)
    assert done.returncode == code, f"{words}: {done.stdout[-2000:]}{done.stderr[-3000:]}"
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("my first day")
    pairs = [
        (" ".join(words), " ".join(WORDS[kind][word] for kind, word in zip(WORDS, words)))
        for words in itertools.product(*WORDS.values())
    ]
    np.random.default_rng(1).shuffle(pairs)
    (folder / "train.en").write_text("".join(f"{source}\n" for source, _ in pairs))
    (folder / "train.de").write_text("".join(f"{target}\n" for _, target in pairs))
    rows = [f"{source}\t{target}\tCC-BY by somebody\n" for source, target in pairs[:60]]
    (folder / "pairs.tsv").write_text("".join([*rows[:30], "a line without a tab\n", *rows[30:]]))
    rng = np.random.default_rng(2)
    for name, rgb in (("warm", (200, 80, 60)), ("cold", (60, 90, 200))):
        (folder / "my photos" / name).mkdir(parents=True)
        for number in range(20):
            pixels = np.clip(np.array(rgb) + rng.integers(-40, 40, (48, 64, 3)), 0, 255).astype("uint8")
            Image.fromarray(pixels).save(folder / "my photos" / name / f"{number}.jpg")
    whole = (folder / "my photos" / "warm" / "3.jpg").read_bytes()
    (folder / "my photos" / "warm" / "cut off.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "my photos" / "__MACOSX").mkdir()
    (folder / "captioned" / "images").mkdir(parents=True)
    with open(folder / "captioned" / "captions.jsonl", "w") as lines:
        for number, path in enumerate(CAPTIONED):
            (folder / path).write_bytes(square(*color_and_place(number)))
            lines.write(f'{{"image": "{number}.png", "captions": ["{caption_of(number)}"]}}\n')
        lines.write('{"image": "missing.png", "captions": ["nothing"]}\n')
    people, places = ("Anna Weber", "Mia", "Jonas Keller", "Paul"), ("Basel", "Oslo", "Lake Constance", "Porto", "Graz")
    tagged = [
        [*tags_of(person, "PER"), "moved O", "to O", *tags_of(place, "LOC"), f"in O\n{year} O"]
        for person, place, year in itertools.product(people, places, (1990, 2001, 2024))
    ]
    bad = ["a column too many", "Rhine I-LOC"]  # the first line of a sentence each
    blocks = [[bad[0], *tagged[0]], *tagged[:30], [bad[1], "rises O"], *tagged[30:]]
    (folder / "names.conll").write_text("\n\n".join("\n".join(block) for block in [*tagged[:1], *blocks]) + "\n")
    notes = [
        f"We saw {color} {thing} near {place}, and {person} wrote it down."
        for color in WORDS["color"]
        for thing in WORDS["thing"]
        for place in places
        for person in people
    ]
    content = [line.encode() for line in notes]
    (folder / "notes.txt").write_bytes(b"\n".join([*content[:9], b"caf\xe9 at the corner", b"", *content[9:]]))
    (folder / "later.txt").write_text("\n".join(notes[:3]) + "\nA note of later.\n")
    return folder


def color_and_place(number):
    """Returns what the captioned image of a number shows."""
    return list(COLORS)[number % 3], list(PLACES)[number % 2]


def caption_of(number):
    """Returns the caption of the image of a number."""
    return "a {} square on the {}".format(*color_and_place(number))


def tags_of(name, label):
    """Returns the lines of the words of a name, with their tags."""
    return [f"{word} {'I' if number else 'B'}-{label}" for number, word in enumerate(name.split())]


@pytest.fixture(scope="module")
def own(folder):
    """What training on one's own sentences prints."""
    return zoo(folder, "train", "translation", "--data-files", "train.en", "train.de", "--name", "own", *SMALL)


def test_own_sentences_are_learned_with_settings_that_suit_them(own):
    assert "training.batch_tokens: " in own and "training.epochs: " in own and "data.vocabulary_size: " in own
    assert float(re.search(r"test/bleu\D*([\d.]+)", own)[1]) >= 60


def test_the_next_command_works_as_it_is_printed(own, folder):
    command = shlex.split(re.search(r"next: attention-zoo (.*)", own)[1])
    said = zoo(folder, *command)
    assert "answers: saved_models/translation/1, of runs/translation/own" in said and "picture: " in said


def test_the_same_command_again_changes_nothing_that_is_served(own, folder):
    zoo(folder, "train", "translation", "--data-files", "train.en", "train.de", "--name", "own", *SMALL)
    assert not (folder / "saved_models" / "translation" / "2").exists()


@pytest.fixture(scope="module")
def more(own, folder):
    """What training prints that starts from the run, on other sentences."""
    words = ["--data-files", "pairs.tsv", "--name", "more", "--start-from", "own", "--training.epochs", "1", *SMALL]
    return zoo(folder, "train", "translation", *words)


def test_other_text_starts_from_the_run_and_is_exported_beside_it(more, folder):
    assert "pairs.tsv, line 31" in more and "starts from runs/translation/own" in more
    assert "not served: the served version was trained on" in more
    assert (folder / "saved_models" / "translation.candidate" / "1" / "saved_model.pb").is_file()
    assert zoo(folder, "predict", "translation", "we see red houses").count("runs/translation/own") == 1


def test_a_run_in_the_way_names_the_way_out(own, folder):
    words = ["--data-files", "pairs.tsv", "--name", "own", *SMALL]
    assert "--start-from own" in zoo(folder, "train", "translation", *words, code=2)


def test_a_run_is_scored_on_other_text_beside_its_own_scores(own, folder):
    before = (folder / "runs" / "translation" / "own" / "metrics.json").read_bytes()
    said = zoo(folder, "evaluate", "translation", "--name", "own", "--data-test", "pairs.tsv")
    metrics = folder / re.search(r"scores on .*: (runs/translation/own/evaluations/.*/metrics.json)", said)[1]
    assert '"test/bleu"' in metrics.read_text() and "pairs.tsv, line 31" in said
    assert len((metrics.parent / "test_translations.tsv").read_text().splitlines()) == 60
    assert (folder / "runs" / "translation" / "own" / "metrics.json").read_bytes() == before
    refused = zoo(folder, "evaluate", "translation", "--name", "own", "--data.vocabulary_size", "50", code=2)
    assert "--data.vocabulary_size: the model was made with the run's own" in refused
    refused = zoo(folder, "evaluate", "translation", "--name", "own", "--training.epochs", "5", code=2)
    assert "--training.epochs: expected a setting of the data" in refused


def test_runs_and_compare_show_the_day(more, folder):
    assert "own" in zoo(folder, "runs", "translation")
    said = zoo(folder, "compare", "runs/translation/own", "runs/translation/more")
    assert "data.files" in said and "picture: " in said


def test_lines_in_lines_out(own, folder):
    words = ["predict", "translation", "--name", "own"]
    done = run_command(words, folder, text="we see red houses\n\nthey need old books\n")
    first, blank, last = done.stdout.removesuffix("\n").split("\n")
    assert first and last and not blank.strip()


def test_ctrl_c_writes_a_checkpoint_and_the_same_command_continues(folder):
    words = ["train", "translation", "--data-files", "train.en", "train.de", "--name", "stopped", *SMALL]
    log = folder / "stopped.log"
    with open(log, "w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "attention_zoo.pipelines", *words],
            cwd=folder,
            env=ENVIRONMENT,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        while "(best)" not in log.read_text() and process.poll() is None:
            time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=120) == 130, log.read_text()
    assert "a checkpoint is written" in log.read_text()
    assert "continues at step" in zoo(folder, *words, "--training.max_minutes", "0.05")


def test_own_photographs_are_seen_in_their_colors_and_bad_ones_are_named(folder):
    size = ["--model.hidden_dim", "16", "--model.intermediate_dim", "16", "--model.num_layers", "1"]
    words = ["--data.folder", "my photos", "--name", "photos", "--training.epochs", "40", "--baselines.names", "knn"]
    said = zoo(folder, "train", "image_classification", *words, *size, "--model.num_heads", "2")
    assert "cut off.jpg" in said and "2 classes" in said and "data.color: true instead of false" in said
    assert float(re.search(r"test/accuracy\D*([\d.]+)", said)[1]) > 60
    answers = zoo(folder, "predict", "image_classification", "my photos/cold")
    assert answers.count("my photos/cold/") == 20
    said = zoo(folder, "evaluate", "image_classification", "--name", "photos", "--data.test", "my photos")
    assert "test: 40 images of 2 classes" in said
    (folder / "other photos").mkdir()
    for name in ("hot", "warm"):
        (folder / "other photos" / name).symlink_to(folder / "my photos" / "warm")
    said = zoo(folder, "evaluate", "image_classification", "--name", "photos", "--data.folder", "other photos", code=2)
    assert "expected the classes of the run, cold, warm; received hot, warm" in said


def test_own_captions_skip_what_is_missing_and_say_what_is_there(folder):
    words = ["--data.folder", "captioned", "--name", "captions", "--baseline.epochs", "0"]
    sizes = {"image_size": 32, "units": 32, "attention_units": 16, "embedding_dim": 16}
    size = [f"--model.{name}={value}" for name, value in sizes.items()]
    rates = ["--training.epochs", "120", "--training.learning_rate", "0.01"]
    said = zoo(folder, "train", "captioning", *words, *size, *rates)
    assert "missing.png" in said and "captions.jsonl" in said
    assert "augmentation.translation: 0.1 instead of 0.0, since" in said
    answers = run_command(["predict", "captioning", *CAPTIONED], folder).stdout.splitlines()
    right = [answer == caption_of(number) for number, answer in enumerate(answers)]
    assert len(right) == 30 and sum(right) >= 27


def test_own_tagged_sentences_name_bad_lines_and_find_names(folder):
    words = ["--data.files", "names.conll", "--name", "names", "--baselines.names", "crf", "--training.epochs", "6"]
    size = [f"--model.{name}=8" for name in ("embedding_dim", "character_dim", "filters", "hidden_dim")]
    said = zoo(folder, "train", "named_entities", *words, *size, "--training.learning_rate", "0.02")
    assert "names.conll, line 9: a column too many" in said and "I-LOC after the beginning" in said
    assert "training.batch_tokens: " in said and "scores on so few vary by chance" in said
    command = shlex.split(re.search(r"next: attention-zoo (.*)", said)[1])
    assert "](LOC)" in zoo(folder, *command) and (folder / "entities.png").is_file()
    refused = zoo(folder, "train", "named_entities", *words, "--name", "strict", "--data.strict", "true", code=2)
    assert "expected no faults, received 2" in refused and refused.count("names.conll, line") == 2
    assert not (folder / "runs" / "named_entities" / "strict").exists()


def test_own_notes_are_continued_and_scored_on_later_ones(folder):
    sizes = {"context": 32, "num_layers": 1, "num_heads": 2, "hidden_dim": 16, "intermediate_dim": 16}
    size = [f"--model.{name}={value}" for name, value in sizes.items()]
    words = ["--data.files", "notes.txt", "--name", "notes", "--training.epochs", "2", "--decoding.max_tokens", "8"]
    said = zoo(folder, "train", "language_modeling", *words, *size)
    assert "notes.txt, line 10: caf\ufffd at the corner" in said
    assert re.search(r"data.vocabulary_size: \d+ instead of 4,000", said) and "scores on so few vary by chance" in said
    command = shlex.split(re.search(r"next: attention-zoo (.*)", said)[1])
    lines = (folder / "notes.txt").read_bytes().decode("utf-8", "replace").splitlines()
    assert any(line.startswith(command[2]) and line != command[2] for line in lines)
    assert zoo(folder, *command).startswith(command[2])
    said = zoo(folder, "evaluate", "language_modeling", "--name", "notes", "--data.test", "later.txt")
    assert "test: 4 texts; scores on so few vary by chance" in said and "test/perplexity" in said


def test_own_notes_give_vectors_and_say_which_scores_are_left_out(folder):
    words = ["--data.files", "notes.txt", "--name", "notes", "--data.analogies", "none", "--data.dev", "later.txt"]
    said = zoo(folder, "train", "word_embeddings", *words, "--model.embedding_dim", "8", "--training.epochs", "2")
    assert "validation: 4 texts" in said and "data.similarities: the words of 0 of 353 are known" in said
    assert "test/wordsim_known" in said and "test/wordsim " not in said


def test_a_failed_start_leaves_no_folder(folder):
    said = zoo(folder, "train", "translation", "--data-files", "train.en", "none.de", "--name", "failed", code=2)
    assert "none.de" in said and not (folder / "runs" / "translation" / "failed").exists()
