"""The pictures of a run."""

from pathlib import Path
from types import SimpleNamespace

import keras
import tensorflow as tf
from sentencepiece.sentencepiece_model_pb2 import ModelProto

from attention_zoo.pipelines.engine.images.image_files import ImageFile, shown_image
from attention_zoo.pipelines.engine.pictures.curves import draw_curves
from attention_zoo.pipelines.engine.pictures.draw import draw
from attention_zoo.pipelines.engine.storage.files import atomic_write
from attention_zoo.pipelines.engine.storage.run_folder import RunFolder
from attention_zoo.pipelines.engine.task import Task


def learned_texts(folder: RunFolder) -> list[str]:
    """Returns the words or subwords that a run has learned, whose characters its pictures will show."""
    texts = folder.words.read_text(encoding="utf-8").split("\n") if folder.words.is_file() else []
    if folder.subwords.is_file():
        texts += [piece.piece for piece in ModelProto.FromString(folder.subwords.read_bytes()).pieces]
    return texts


def illustrate(task: Task, model: keras.Model) -> list[Path]:
    """Draws the curves of a run, the attention on `task.samples()`, and the task's own pictures.

    If the task is on images, the first sample is kept in the run's folder, for the next command.

    Args:
        task: The `Task`, with its data at hand.
        model: The trained model.

    Returns:
        The paths of the pictures.
    """
    folder = task.folder
    unit = task.unit.removesuffix("s")
    curves = draw_curves(folder.read_history(), folder.pictures / "curves.png", folder.read_losses(), unit=unit)
    samples, attended = task.samples(), []
    if samples and isinstance(samples[0], ImageFile):
        atomic_write(folder.example, tf.io.encode_png(shown_image(samples[0].image_bytes)).numpy())
    _, signatures, _ = task.signatures(model)
    if samples and "attention" in signatures:
        served = SimpleNamespace(signatures={name: function for name, (function, _) in signatures.items()})
        truths = task.truths() or [{}] * len(samples)
        answers = zip(task.ask(served, samples, attention=True), truths, strict=True)
        views = [view for answer, truth in answers if (view := task.view(answer | truth)) is not None]
        attended = [draw(view, folder.pictures / f"attention-{number}.png") for number, view in enumerate(views, 1)]
    return [curves, *attended, *task.illustrate(model, folder.pictures)]
