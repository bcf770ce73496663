"""What an export in low precision costs: the scores of the test split, computed as the export computes."""

from collections.abc import Mapping

import keras

from attention_zoo.layers.products import ProductsBy
from attention_zoo.pipelines.engine.serving.products import ConstantProducts
from attention_zoo.pipelines.engine.settings import Precision
from attention_zoo.pipelines.engine.stages import stage
from attention_zoo.pipelines.engine.task import Task


def scores_in(precision: Precision, task: Task, model: keras.Model) -> dict[str, float]:
    """Scores the test split with products in a precision.

    Args:
        precision: As in `ConstantProducts`.
        task: The task, with its data.
        model: The trained model, in which nothing changes.

    Returns:
        The metrics of `Task.evaluate` as `PRECISION/NAME`. Its files are written into the folder of an evaluation.
    """
    beside = task.in_folder(task.folder.evaluation(["--export.precision", precision]))  # the run's answers stay
    twin = task.build()  # whatever is compiled for the model computes in the model's own precision
    twin.set_weights(model.get_weights())
    with stage(f"scoring the test split in {precision}"), ProductsBy(ConstantProducts(precision)):
        scores = beside.evaluate(twin, "test")
    return {f"{precision}/{name}": float(value) for name, value in scores.items()}


def compared_scores(precision: str, scores: Mapping[str, float]) -> str:
    """Returns the scores of a precision as a line, each beside that of the trained model where it is known.

    Example:

    >>> compared_scores("int8", {"test/bleu": 97.81, "int8/bleu": 97.62, "int8/chrf": 98.0})
    'int8 on the test split: bleu 97.62 (97.81 as trained), chrf 98'
    """
    told = []
    for name, value in sorted(scores.items()):
        group, _, short = name.partition("/")
        if group == precision:
            trained = scores.get(f"test/{short}", scores.get(short))
            told.append(f"{short} {value:.4g}" + ("" if trained is None else f" ({trained:.4g} as trained)"))
    return f"{precision} on the test split: {', '.join(told)}"
