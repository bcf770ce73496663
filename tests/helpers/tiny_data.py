"""A tiny data set of each task: files as a user has them, and the data section of the settings that names them."""

import json
import random

import numpy as np
from tiny_images import COLORS, PLACES, ROAD, SIDES, encoded, road, side, square

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


def write_questions(directory):
    """Texts about people who went somewhere, each with a question about who and one about where."""
    rng, paragraphs = random.Random(0), []
    people, places = ["Ann", "Bob Lee", "Eva"], ["Rome", "New York", "Oslo"]
    for number in range(60):
        who, where = rng.choice(people), rng.choice(places)
        context = f"The {rng.choice(ENGLISH)} was {rng.choice(ENGLISH)}, né {number}. {who} went to {where} ."
        rows = [
            {"question": question, "answers": [{"text": text, "answer_start": context.index(text)}]}
            for question, text in (("Who went there?", who), ("Where did they go?", where))
        ]
        paragraphs.append({"context": context, "qas": rows})
    (directory / "squad.json").write_text(json.dumps({"version": "1.1", "data": [{"paragraphs": paragraphs}]}))
    return {"files": [str(directory / "squad.json")], "vocabulary_size": 100, "max_length": 24}


def write_numbered(directory):
    """The documents of `write_labelled` with a number: from 40 for a good one, from 10 for a bad one."""
    options = write_labelled(directory)
    head, *lines = (directory / "reviews.csv").read_text().splitlines()
    numbers = (f"{10 + 30 * line.startswith('good') + number % 7 / 2}" for number, line in enumerate(lines))
    rows = [f"{number},{line.partition(',')[2]}" for number, line in zip(numbers, lines)]
    (directory / "reviews.csv").write_text("\n".join([head, *rows]))
    return options | {"labels": "numbers"}


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
