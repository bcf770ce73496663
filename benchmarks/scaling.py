"""Compares losses and throughput of a run on one device, on two mirrored devices and on two workers of this machine.

    python benchmarks/scaling.py
    python benchmarks/scaling.py --quick --json scaling.json

The gap is the difference between the losses of the first twenty steps, which have to agree. Later losses drift apart,
as they do in any two runs that round their sums in another order. The throughput measures the cost of distribution
without its gain, since both replicas share the same cores. The last line is the speed of the input pipeline without
training. deploy/SCALING.md estimates the throughput of real GPUs.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from measure import TRAIN_DATES

PLACES = {
    "one": ["--training.strategy", "one"],
    "mirrored": ["--training.strategy", "mirrored"],
    "workers": ["--workers", "2"],
}
MODELS = {
    "bahdanau": ["--model.name", "bahdanau"],
    "transformer": [
        *("--model.name", "transformer", "--model.embedding_dim", "64"),
        *("--model.intermediate_dim", "128"),
    ],
}


def train(directory, model, place, limit, epochs):
    """Trains, and returns the history, one record per epoch, and the losses of the first 20 steps, means of ten."""
    command = [
        *TRAIN_DATES,
        *("--name", "run"),
        *("--data.limit", str(limit), "--training.epochs", str(epochs), "--model.dropout", "0"),
        *MODELS[model],
        *PLACES[place],
    ]
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    from attention_zoo.pipelines.engine.storage.run_folder import RunFolder

    run = directory / "runs" / "translation" / "run"
    folder = RunFolder(run)
    return folder.read_history(), [loss for _, loss, _ in folder.read_losses()[:2]]


def input_rate(epochs=7):
    """Returns the tokens per second, source and target, of the input pipeline in this process; the median epoch."""
    from attention_zoo.pipelines.commands.arguments import presets_of
    from attention_zoo.pipelines.engine.run.config import read
    from attention_zoo.pipelines.engine.text.batching import padding_share
    from attention_zoo.pipelines.translation.task import Translation

    rates = []
    with tempfile.TemporaryDirectory() as directory:
        task = Translation(read(Translation.Config, presets_of("translation")["dates"]), directory)
        task.load()
        task.adapt()
        for epoch in range(epochs):
            began = time.perf_counter()
            report = padding_share(task.preprocess("train", epoch))
            rates.append(report["tokens"] / (time.perf_counter() - began))
    return median(rates)


def main():
    """Prints one line per model and place."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="2,000 dates and 2 epochs rather than 20,000 and 3")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    arguments = parser.parse_args()
    limit, epochs = (2_000, 2) if arguments.quick else (20_000, 3)
    figures = {}
    print(f"{'model':12} {'place':9} {'train loss':>10} {'dev loss':>9} {'loss gap':>9} {'tokens/s':>9}  ratio")
    for model in MODELS:
        alone = expected = None
        for place in PLACES:
            with tempfile.TemporaryDirectory() as directory:
                history, begin = train(Path(directory), model, place, limit, epochs)
            alone, expected = (alone, expected) if alone else (history, begin)
            gap = max(abs(loss - other) for loss, other in zip(begin, expected, strict=True))
            speed = median(record["train/tokens_per_second"] for record in history[1:])  # the first one traces
            ratio = speed / median(record["train/tokens_per_second"] for record in alone[1:])
            last = history[-1]
            shown = f"{last['train/loss']:10.5f} {last['dev/loss']:9.5f} {gap:9.1e} {speed:9,.0f}  {ratio:.2f}"
            print(f"{model:12} {place:9} {shown}", flush=True)
            if place != "one":
                name = f"scaling/{place}_loss_gap"
                figures[name] = max(figures.get(name, 0.0), gap)
                figures[f"scaling/{place}_throughput_ratio_{model}"] = ratio
    figures["scaling/input_tokens_per_second"] = rate = input_rate()
    print(f"input pipeline alone: {rate:,.0f} tokens/s")
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
