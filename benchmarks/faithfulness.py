"""Measures how faithful explanations of trained runs are: does the answer change with the parts that they name?

    python benchmarks/faithfulness.py --run runs/translation/bahdanau runs/image_classification/digits
    python benchmarks/faithfulness.py --run runs/image_classification/digits --against runs/image_classification/seed2
    python benchmarks/faithfulness.py --run runs/image_classification/digits --quick --json faithfulness.json

`explained/` says for each task what the parts of an input are, and which answer is explained: the class of an image
(patches), of a text (pieces) and of a document (sentences), a word of a translation (tokens of the source) or of a
caption (locations), the angle of a steering wheel (locations), an intent (words), the next token (tokens before it).

A row of the table is an explanation of a run. `deletion` is the area over the curve of the answer's probability as
parts are deleted, `insertion` that under the curve as they are inserted, in percent points and higher for a more
faithful explanation, with the paired differences from the mean of three random orders, and from integrated gradients.
Deleted parts get the features that parts have on average, which are also the baseline of integrated gradients. In
steering the score is minus the change of the angle, in hundredths of a rad.

`alike` is the mean of Spearman's correlations of the explanations with others of the same answers (Adebayo et al. 2018,
"Sanity Checks for Saliency Maps"): with those of the same model after the values of each weight were shuffled
(`shuffled`), and with those of each run that `--against` names, such as one of another seed, or one that
`random_labels.py` made data for. An explanation that depends on what was learned has a correlation near 0 with
shuffled weights and with random labels.

In brackets are 95% intervals (bootstrap over the examples); those of the areas are in the JSON file. `--repeats` is the
number of examples. `known` has what the run's metrics.json says of its attention where the data knows what an answer
depends on.
"""

import contextlib
import sys
from importlib import import_module
from pathlib import Path

from explained import EXAMPLES
from measure import parser_of, write_figures

RANDOM = 3
SHARES = (0.0, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0)
CURVES = ("deletion", "insertion")
PEERS = ("random", "integrated gradients")
KNOWN = ("test/pointing", "test/aer", "test/alignment_precision", "test/human_aer", "causal/deletion_ratio")


def shuffle_weights(model, generator):
    """Shuffles the values of each weight of a model."""
    for variable in model.trainable_variables:
        values = variable.numpy()
        variable.assign(generator.permutation(values.ravel()).reshape(values.shape))


def areas_of(examples, attributions):
    """Returns the areas (N,) of both curves by the name of the curve."""
    from attention_zoo.pipelines.engine.scores.faithfulness import curves, over_perturbation, under_insertion

    deleted, inserted = (
        curves(examples.predict, attributions, examples.mask, SHARES, insertion=insertion)
        for insertion in (False, True)
    )
    return {"deletion": over_perturbation(deleted), "insertion": under_insertion(inserted)}


def mean_of(values):
    """Returns the mean of an array without its NaN, and its interval, as `paired` does: "gap", "low" and "high"."""
    import numpy as np

    from attention_zoo.pipelines.engine.scores.faithfulness import paired

    values = values[~np.isnan(values)]
    return paired(values, np.zeros_like(values)) if len(values) else dict.fromkeys(("gap", "low", "high"), float("nan"))


def measured(examples, others):
    """Measures the explanations of a run.

    Args:
        examples: `Examples` of the run. Their model has shuffled weights afterwards.
        others: `Examples` of other runs with the same answers, by name.

    Returns:
        A dict by explanation and "random": figures by name, each a dict of "gap", the mean, "low" and "high".
    """
    import numpy as np

    from attention_zoo.pipelines.engine.scores.faithfulness import paired, rank_correlations

    generator = np.random.default_rng(0)
    found = examples.explanations()
    areas = {explanation: areas_of(examples, attributions) for explanation, attributions in found.items()}
    chance = [areas_of(examples, generator.random(examples.mask.shape)) for _ in range(RANDOM)]
    areas["random"] = {curve: np.mean([one[curve] for one in chance], axis=0) for curve in CURVES}
    compared = {name: other.explanations() for name, other in others.items()}
    shuffle_weights(examples.model, generator)
    compared = {"shuffled": examples.explanations(), **compared}
    rows = {}
    for explanation, by_curve in areas.items():
        row = rows[explanation] = {}
        for curve, values in by_curve.items():
            row[curve] = mean_of(values)
            peers = [peer for peer in PEERS if explanation not in ("random", peer)]
            row |= {f"{curve}/over_{peer}": paired(values, areas[peer][curve]) for peer in peers}
        for name, other in compared.items() if explanation in found else ():
            alike = rank_correlations(found[explanation], other[explanation], examples.mask)
            row[f"alike/{name}"] = mean_of(alike)
    return rows


def columns_of(others):
    """Returns the columns of the table, by the names of their figures, for runs that are compared with `others`."""
    curves = [name for curve in CURVES for name in (curve, *(f"{curve}/over_{peer}" for peer in PEERS))]
    return curves + [f"alike/{other}" for other in ("shuffled", *others)]


def line_of(cells):
    """Returns a line of a table of Markdown."""
    return f"| {' | '.join(cells)} |"


def lines_of(name, rows, columns, known):
    """Returns the lines of a run in the table; the figures of `known`, by name, stand in that of its attention."""
    lines = []
    for explanation, row in rows.items():
        cells = [name, explanation]
        for column in columns:
            digits = 2 if column.startswith("alike") else 1
            value = {part: f"{number:.{digits}f}" for part, number in row.get(column, {}).items()}
            shown = "{gap}" if column in CURVES else "{gap} ({low} to {high})"
            cells.append(shown.format(**value) if value else "")
        truths = known.items() if explanation == "attention" else ()
        lines.append(line_of([*cells, ", ".join(f"{key} {value:.3g}" for key, value in truths)]))
    return lines


def load_examples(folder, count, like=None):
    """Returns the `Examples` of a run, which explain the answers of `like`, another run's, if it is not None."""
    from attention_zoo.pipelines.commands.loading import load
    from attention_zoo.pipelines.engine.run.run import finished
    from attention_zoo.pipelines.registry import TASKS

    name = folder.resolve().parent.name
    module, _, examples = EXAMPLES[name].partition(":")
    task, model = finished(load(TASKS[name].task), folder)
    return getattr(import_module(module), examples)(task, model, count, like)


def main():
    """Prints the table."""
    parser = parser_of(__doc__, "20 examples", repeats=200, rounds="examples of the test split")
    parser.add_argument("--run", nargs="+", type=Path, required=True, help="folders of runs, runs/TASK/NAME each")
    parser.add_argument("--against", nargs="+", type=Path, default=[], help="folders of runs to compare the run with")
    arguments = parser.parse_args()
    tasks = [folder.resolve().parent.name for folder in [*arguments.run, *arguments.against]]
    if not set(tasks) <= set(EXAMPLES):
        parser.error(f"--run, --against: expected runs/TASK/NAME with TASK one of {', '.join(EXAMPLES)}")
    if arguments.against and (len(arguments.run) > 1 or len(set(tasks)) > 1):
        parser.error("--against: expected one --run, and runs of its task")
    from attention_zoo.pipelines.engine.errors import UserError
    from attention_zoo.pipelines.engine.storage.run_folder import RunFolder

    figures, count = {}, 20 if arguments.quick else arguments.repeats
    columns = columns_of([other.name for other in arguments.against])
    titles = [column.replace("/over_", ", over ").replace("alike/", "alike, ") for column in columns]
    print("\n".join([line_of(["run", "explanation", *titles, "known"]), line_of(["---"] * (len(titles) + 3))]))
    for folder in arguments.run:
        name = f"{folder.resolve().parent.name}/{folder.name}"
        with contextlib.redirect_stdout(sys.stderr):  # what a task says while it loads
            try:
                examples = load_examples(folder, count)
                others = {other.name: load_examples(other, count, like=examples) for other in arguments.against}
            except UserError as error:
                parser.error(f"{name}: {error}")
            rows, metrics = measured(examples, others), RunFolder(folder).read_metrics()
        known = {key: metrics[key] for key in KNOWN if key in metrics}
        print("\n".join(lines_of(name, rows, columns, known)), flush=True)
        for explanation, row in rows.items():
            for column, value in row.items():
                if value["gap"] != value["gap"]:  # NaN: no example has two parts of different weights
                    continue
                key = f"faithfulness/{name}/{explanation}/{column}"
                figures |= {key: value["gap"], f"{key}/low": value["low"], f"{key}/high": value["high"]}
        figures |= {f"faithfulness/{name}/{key}": value for key, value in known.items()}
    write_figures(figures, arguments.json)


if __name__ == "__main__":
    main()
