"""Times `import attention_zoo.layers`, `attention-zoo --help` and the first answer of a SavedModel.

    python benchmarks/start.py
    python benchmarks/start.py --export saved_models/translation --text "3 hours ago"

Each program runs in its own processes, which take turns. `start/import_s` is the time of the import beyond `import
keras`, `start/answer_s` the time of the first answer beyond `import tensorflow`. `/twin` is the difference between two
halves of the rounds.
"""

import os
import random
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from measure import parser_of, write_figures

FIRST_ANSWER = """
import sys
import tensorflow as tf
import tensorflow_text
served = tf.saved_model.load(sys.argv[1])
print(served.signatures["serving_default"](text=tf.constant([sys.argv[2]])))
"""


def seconds(*command):
    """Returns the seconds that a program takes."""
    began = time.perf_counter()
    done = subprocess.run(command, env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"failed: {command}\n{done.stderr[-800:]}")
    return time.perf_counter() - began


def measured(programs, repeats):
    """Returns {name: (seconds, seconds)}: medians of two halves of the rounds, with programs in random order."""
    for program in programs.values():  # what is read from the disk is read once more
        seconds(*program)
    rounds = {(name, half): [] for name in programs for half in (0, 1)}
    order = random.Random(0)
    for _ in range(repeats):
        for name, half in order.sample(list(rounds), len(rounds)):
            rounds[name, half].append(seconds(*programs[name]))
    return {name: tuple(median(rounds[name, half]) for half in (0, 1)) for name in programs}


def newest(directory):
    """Returns the newest version in a folder of exports, or None."""
    versions = [path for path in directory.glob("*") if path.name.isdecimal()] if directory.is_dir() else []
    return max(versions, key=lambda path: int(path.name), default=None)


def main():
    """Prints one line per figure."""
    parser = parser_of(__doc__, "two rounds", repeats=5, rounds="rounds, of two of each program")
    parser.add_argument("--export", type=Path, default=Path("saved_models/translation"), help="a translator's exports")
    parser.add_argument("--text", default="3 hours ago", help="what it translates")
    arguments = parser.parse_args()
    python = [sys.executable, "-c"]
    programs = {
        "keras": [*python, "import keras"],
        "layers": [*python, "import keras, attention_zoo.layers"],
        "help": [sys.executable, "-m", "attention_zoo.pipelines", "--help"],
    }
    version = newest(arguments.export)
    if version:
        programs["tensorflow"] = [*python, "import tensorflow, tensorflow_text"]
        programs["answer"] = [*python, FIRST_ANSWER, str(version), arguments.text]
    seconds = measured(programs, 2 if arguments.quick else arguments.repeats)
    figures = {}

    def report(name, longer, shorter=None):
        halves = [a - b for a, b in zip(seconds[longer], seconds[shorter] if shorter else (0.0, 0.0))]
        figures[name], figures[f"{name}/twin"] = sum(halves) / 2, abs(halves[0] - halves[1])
        print(f"{name:16} {figures[name]:6.2f} s  twins ±{figures[f'{name}/twin']:.2f}", flush=True)

    report("start/import_s", "layers", "keras")
    report("start/help_s", "help")
    if version:
        report("start/answer_s", "answer", "tensorflow")
    else:
        print(f"start/answer_s   missing: no export in {arguments.export}; first: attention-zoo train translation")
    write_figures(figures, arguments.json)


if __name__ == "__main__":
    sys.exit(main())
