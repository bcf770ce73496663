"""Compares translation systems: a table of the metrics of their runs, and BLEU by sentence length.

    python benchmarks/translation.py runs/translation/bible_*          # after training them, one by one
    python benchmarks/translation.py docs/bible.json                   # the runs of this repository
    python benchmarks/translation.py docs/bible.json runs/translation/bible_* \\
        --figure docs/bible.png --json docs/bible.json

The systems must have been trained and tested on the same data with the same vocabulary; the script refuses to compare
others. The figure is figure 2 of Bahdanau et al. 2015: models with and without attention as sentences grow.
"""

import argparse
import json
import sys
from pathlib import Path

import yaml

from attention_zoo.pipelines.engine.pictures.curves import draw_scores_by_length
from attention_zoo.pipelines.engine.storage.run_folder import RunFolder

COLUMNS = {
    "BLEU": ("test/bleu", "{:.1f}"),
    "chrF": ("test/chrf", "{:.1f}"),
    "dev loss": ("dev/loss", "{:.3f}"),
    "parameters": ("parameters", "{:,}"),
    "minutes": ("train/minutes", "{:.1f}"),
    "epochs": ("train/epochs", "{:.1f}"),
}


def read_runs(path):
    """Returns {name: settings, metrics, BLEU by length} of a finished run, or of the runs in a file of `--json`."""
    if path.is_file():
        return json.loads(path.read_text())
    folder = RunFolder(path)
    if not folder.metrics.is_file():
        print(f"not finished, left out: {path}", file=sys.stderr)
        return {}
    run = {
        "settings": yaml.safe_load(folder.config.read_text()),
        "metrics": folder.read_metrics(),
        "by_length": json.loads(folder.test_by_length.read_text()),
    }
    return {path.name: run}


def main():
    """Prints the table, best system first."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+", help="folders of finished runs, and files that --json wrote")
    parser.add_argument("--figure", type=Path, help="where to draw BLEU by source length")
    parser.add_argument("--json", type=Path, help="where to write what was compared")
    arguments = parser.parse_args()

    runs = {name: run for path in arguments.runs for name, run in read_runs(path).items()}
    if not runs:
        sys.exit("no finished run to compare")
    runs = dict(sorted(runs.items(), key=lambda run: -run[1]["metrics"]["test/bleu"]))
    data = next(iter(runs.values()))["settings"]["data"]
    for name, run in runs.items():
        if run["settings"]["data"] != data:
            sys.exit(f"{name} was trained on other data: {run['settings']['data']}, expected {data}")

    print("| system | " + " | ".join(COLUMNS) + " |\n|" + "---|" * (len(COLUMNS) + 1))
    for name, run in runs.items():
        print(f"| {name} | " + " | ".join(form.format(run["metrics"][key]) for key, form in COLUMNS.values()) + " |")
    if arguments.figure:
        draw_scores_by_length({name: run["by_length"] for name, run in runs.items()}, arguments.figure)
        print(f"picture: {arguments.figure}")
    if arguments.json:
        arguments.json.write_text(json.dumps(runs, indent=1) + "\n")


if __name__ == "__main__":
    main()
