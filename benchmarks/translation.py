"""Sets translation systems side by side: a table from the metrics of their runs, and BLEU by sentence length.

    python benchmarks/translation.py runs/translation/bible_*          # after training them, one by one
    python benchmarks/translation.py runs/translation/bible_* --figure bleu_by_length.png --json table.json

The systems must have been trained and tested on the same data with the same vocabulary; the script refuses to compare
others. The figure is figure 2 of Bahdanau et al. 2015: attention against no attention as sentences grow.
"""

import argparse
import json
import sys
from pathlib import Path

import yaml
from attention_zoo.pipelines.engine.curves import draw_scores_by_length

COLUMNS = {
    "BLEU": ("test/bleu", "{:.1f}"),
    "chrF": ("test/chrf", "{:.1f}"),
    "dev loss": ("dev/loss", "{:.3f}"),
    "parameters": ("parameters", "{:,}"),
    "minutes": ("train/minutes", "{:.1f}"),
    "epochs": ("train/epochs", "{:.1f}"),
}


def read_run(directory):
    """Returns the settings and metrics of a finished run."""
    settings = yaml.safe_load((directory / "config.yaml").read_text())
    metrics = json.loads((directory / "metrics.json").read_text())
    by_length = json.loads((directory / "test_by_length.json").read_text())
    return settings, metrics, by_length


def main():
    """Prints the table, best system first."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+", help="folders of finished runs")
    parser.add_argument("--figure", type=Path, help="where to draw BLEU by source length")
    parser.add_argument("--json", type=Path, help="where to write the table")
    arguments = parser.parse_args()

    unfinished = [run for run in arguments.runs if not (run / "metrics.json").is_file()]
    if unfinished:
        print(f"not finished, left out: {' '.join(map(str, unfinished))}", file=sys.stderr)
    runs = {run.name: read_run(run) for run in arguments.runs if run not in unfinished}
    if not runs:
        sys.exit("no finished run to compare")
    first = next(iter(runs.values()))[0]["data"]
    for name, (settings, _, _) in runs.items():
        if settings["data"] != first:
            sys.exit(f"{name} was trained on other data: {settings['data']}, expected {first}")

    print("| system | " + " | ".join(COLUMNS) + " |\n|" + "---|" * (len(COLUMNS) + 1))
    for name, (_, metrics, _) in sorted(runs.items(), key=lambda run: -run[1][1]["test/bleu"]):
        print(f"| {name} | " + " | ".join(form.format(metrics[key]) for key, form in COLUMNS.values()) + " |")
    if arguments.figure:
        draw_scores_by_length({name: by_length for name, (_, _, by_length) in runs.items()}, arguments.figure)
        print(f"picture: {arguments.figure}")
    if arguments.json:
        arguments.json.write_text(json.dumps({name: metrics for name, (_, metrics, _) in runs.items()}, indent=1) + "\n")


if __name__ == "__main__":
    main()
