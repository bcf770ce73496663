"""Pretrains BERT, RoBERTa, ALBERT and XLNet for the same time, and measures what that is worth where labels are few.

    python benchmarks/pretraining.py --into pretraining

Each model learns from the training articles of BBC News, without their labels, on one core for 10 minutes. All have 2
blocks of width 128, as BERT-Tiny (Turc et al. 2019), rows of 64 tokens, and the same batches and optimiser. They
predict 30% of the tokens, twice the papers' share, since they read the text only a few times; dropout is 0 for the same
reason. Then each learns the five classes from 10, and from 50, labelled articles a class, all its weights, and so does
the same model from scratch: the same articles, steps and rates. A seed decides which articles have labels. Accuracies
are those of the 212 articles of the test split, which is in no training text; the first 64 tokens are read.

The first table is of the pretraining. `loss` is that of the dev split, in nats a predicted token, with the pairs of
BERT and ALBERT, and `right` the share of predicted tokens of the test split that are right; ALBERT predicts n-grams and
XLNet spans, so that these figures are comparable only within a model. The second table has means and standard
deviations over the seeds, and the gain over the model from scratch with its 95% interval (Student's t over the seeds).

Runs are written to the folder that `--into` names. One that is finished is not repeated.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from measure import ONE_THREAD, parser_of, write_figures

SIZES = {"num_layers": 2, "num_heads": 4, "hidden_dim": 128, "intermediate_dim": 512, "context": 64}
NO_DROPOUT = {"dropout": 0.0, "attention_dropout": 0.0}
OWN = {  # settings by model
    "bert": {"masked_share": 0.3},
    "roberta": {"masked_share": 0.3},
    "albert": {"masked_share": 0.3, "embedding_dim": 64},
    "xlnet": {"tokens_per_target": 3},
}
PRETRAINING = {"batch_tokens": 2048, "learning_rate": 1e-3, "warmup_steps": 100, "epochs": 1000, "seed": 1}
FINE_TUNING = {"batch_tokens": 1024, "learning_rate": 5e-4, "linear_probe": False}
EPOCHS = {10: 40, 50: 15}  # by labelled texts of a class: 160 and 240 steps


def flags(section, settings):
    """Returns the words of a command line that set a section of a run's settings.

    >>> flags("training", {"epochs": 3, "linear_probe": False})
    ['--training.epochs', '3', '--training.linear_probe', 'false']
    """
    words = ((f"--{section}.{name}", str(value).lower()) for name, value in settings.items())
    return [word for pair in words for word in pair]


def train(into, task, name, words):
    """Trains a run of a task, unless it is finished; returns its metrics."""
    metrics = into / "runs" / task / name / "metrics.json"
    if not metrics.is_file():
        print(f"{task} {name}", file=sys.stderr, flush=True)
        command = [sys.executable, "-m", "attention_zoo.pipelines", "train", task, "--name", name, *words]
        with open(into / f"{name}.log", "w", encoding="utf-8") as log:
            subprocess.run(command, cwd=into, env=os.environ | ONE_THREAD, stdout=log, stderr=log, check=True)
    return json.loads(metrics.read_text(encoding="utf-8"))


def pretrain(into, model, minutes):
    """Pretrains a model; returns the metrics of its run."""
    sizes, training = SIZES | NO_DROPOUT | OWN[model], PRETRAINING | {"max_minutes": minutes}
    words = ["--preset", model, "--data.dataset", "bbc_news", *flags("model", sizes), *flags("training", training)]
    return train(into, "language_modeling", model, words)


def fine_tune(into, model, labels, seed):
    """Fine-tunes a pretrained model, and one from scratch; returns both accuracies in percent."""
    training = FINE_TUNING | {"epochs": EPOCHS[labels], "seed": seed}
    words = ["--data.labels_per_class", str(labels), "--data.max_length", "64", "--model.frozen", "false"]
    words += ["--model.encoder", f"runs/language_modeling/{model}", "--baselines.names", "from_scratch"]
    metrics = train(into, "text_classification", f"{model}_{labels}_{seed}", words + flags("training", training))
    return metrics["test/accuracy"], metrics["baseline/from_scratch"]


def interval_of(values):
    """Returns the mean of numbers, and the ends of its 95% interval.

    >>> [round(end, 2) for end in interval_of([1.0, 2.0, 3.0])]
    [2.0, -0.48, 4.48]
    """
    import numpy as np
    from scipy import stats

    mean, error = np.mean(values), np.std(values, ddof=1) / len(values) ** 0.5
    distance = stats.t.ppf(0.975, len(values) - 1) * error
    return float(mean), float(mean - distance), float(mean + distance)


def main():
    """Trains what is not trained yet, prints both tables, and writes the figures."""
    parser = parser_of(__doc__, "one seed and one minute", repeats=5, rounds="seeds")
    parser.add_argument("--into", type=Path, required=True, help="folder for the runs")
    parser.add_argument("--models", nargs="+", choices=OWN, default=list(OWN), help="the models")
    parser.add_argument("--labels", nargs="+", type=int, choices=EPOCHS, default=list(EPOCHS), help="labels a class")
    parser.add_argument("--minutes", type=float, default=10, help="minutes of pretraining")
    arguments = parser.parse_args()
    seeds, minutes = (1, 1.0) if arguments.quick else (arguments.repeats, arguments.minutes)
    arguments.into.mkdir(parents=True, exist_ok=True)
    figures = {}
    print("| model | parameters | minutes | steps | steps/s | loss | right |\n|---|---|---|---|---|---|---|")
    for model in arguments.models:
        found = pretrain(arguments.into, model, minutes)
        right = next(value for name, value in found.items() if name in ("test/mlm_accuracy", "test/plm_accuracy"))
        speed = found["train/steps"] / found["train/minutes"] / 60
        print(
            f"| {model} | {found['parameters']:,.0f} | {found['train/minutes']:.1f} | {found['train/steps']:,.0f} | "
            f"{speed:.2f} | {found['dev/loss']:.2f} | {right:.1f}% |",
            flush=True,
        )
        figures |= {f"pretraining/{model}/{name}": found[name] for name in ("parameters", "dev/loss")}
        figures |= {f"pretraining/{model}/steps_s": speed, f"pretraining/{model}/right": right}
    print("\n| model | labels a class | pretrained | from scratch | gain |\n|---|---|---|---|---|")
    for model in arguments.models:
        for labels in arguments.labels:
            pairs = [fine_tune(arguments.into, model, labels, seed) for seed in range(1, seeds + 1)]
            print(f"| {model} | {labels} | {row_of(pairs)} |", flush=True)
            figures[f"pretraining/{model}/{labels}"] = pairs
    write_figures(figures, arguments.json)


def row_of(pairs):
    """Returns the cells of a row: accuracies of pretrained models and of those from scratch, and the gain."""
    import numpy as np

    columns = np.transpose(pairs)
    cells = [f"{column.mean():.1f} ± {column.std(ddof=1) if len(column) > 1 else 0.0:.1f}" for column in columns]
    gain = columns[0] - columns[1]
    if len(gain) == 1:
        return " | ".join([*cells, f"{gain[0]:+.1f}"])
    mean, low, high = interval_of(gain)
    return " | ".join([*cells, f"{mean:+.1f} ({low:+.1f} to {high:+.1f})"])


if __name__ == "__main__":
    main()
