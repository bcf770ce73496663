"""The pictures of a run."""

from types import SimpleNamespace

from attention_zoo.pipelines.engine.pictures.curves import draw_curves
from attention_zoo.pipelines.engine.pictures.draw import draw


def illustrate(task, model):
    """Draws the curves of a run, what the model attends to in `task.samples()`, and what the task draws itself.

    Args:
        task: The `Task`, with its data at hand.
        model: The trained model.

    Returns:
        The paths of the pictures.
    """
    folder = task.folder
    unit = task.unit.removesuffix("s")
    curves = draw_curves(folder.read_history(), folder.pictures / "curves.png", folder.read_losses(), unit=unit)
    _, signatures, _ = task.signatures(model)
    if "attention" not in signatures:
        return [curves, *task.illustrate(model, folder.pictures)]
    served = SimpleNamespace(signatures={name: function for name, (function, _) in signatures.items()})
    samples = task.samples()
    answers = task.ask(served, samples, attention=True) if samples else []
    views = [view for view in map(task.view, answers) if view is not None]
    attended = [draw(view, folder.pictures / f"attention-{number}.png") for number, view in enumerate(views, 1)]
    return [curves, *attended, *task.illustrate(model, folder.pictures)]
