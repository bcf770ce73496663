"""What the engine asks of a task: its methods, in the order in which the data flows."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attention_zoo.pipelines.engine.storage.run_folder import RunFolder

if TYPE_CHECKING:
    import keras
    import tensorflow as tf


class Task:
    """A documented task: from raw examples to a served answer.

    The engine calls `load`, `adapt`, `preprocess`, `build`, `loss`, `evaluate` and `signatures`, in this order, and
    knows of a task only what is declared here. `ask`, `say` and `view` need no run: they turn inputs into answers with an
    exported model, on the command line and wherever else it is asked.

    Args:
        config: Instance of `Config`, the task's typed settings. It has a `training` and an `export` section.
        run_directory: Folder of this run. What `adapt` learns is written there, so that a later
            evaluation or a resumed run sees the very same vocabulary.

    Attributes:
        name: The task's name on the command line.
        Config: Dataclass of the task's settings.
        data_version: What `load` read, for the record: a dataset's name and version, or a file's digest.
        data_service: Address of the tf.data service that makes the training batches; none by default.
        unit: What the weight of a loss counts, for the messages: "tokens", "images".
        lower_is_better: Metrics of the dev split that are better when they are lower; all others are better when they are
            higher.
        answers_with: An output of `serving_default` by which an exported model of this task is known.
        asked_together: How many inputs `ask` takes at once; None takes all that a user gave.
        View: Class of what `view` returns, one of `engine.views`; None where there is nothing to see.
        changeable_data_settings: Settings of the data section that say how the data is read, not which: a run may be continued
            with others.
    """

    data_version = ""
    data_service = ""
    changeable_data_settings = ()
    lower_is_better = ("loss",)
    unit = "tokens"
    asked_together: int | None = 32
    View: type | None = None
    answers_with: str
    name: str
    Config: type

    def __init__(self, config: Any, run_directory: str | Path | RunFolder):
        self.config = config
        self.run_directory = Path(run_directory)

    @property
    def folder(self) -> RunFolder:
        """The run's folder as a `RunFolder`, which names every file in it."""
        return RunFolder(self.run_directory)

    def load(self) -> None:
        """Reads the raw examples of all splits."""
        raise NotImplementedError

    def adapt(self) -> None:
        """Learns from the training split alone what the examples need: vocabulary, normalisation."""
        raise NotImplementedError

    def preprocess(self, split: str, epoch: int) -> tf.data.Dataset:
        """Returns a `tf.data.Dataset` of batches. Deterministic: the same split and epoch give the same batches."""
        raise NotImplementedError

    def build(self) -> keras.Model:
        """Returns the `keras.Model`, built, with weights drawn from the seed."""
        raise NotImplementedError

    def loss(self, model: keras.Model, batch: Any, training: bool) -> tuple[tf.Tensor, tf.Tensor, dict[str, Any]]:
        """Returns (sum, weight, parts): the loss summed over the batch, what to divide it by, and named sums.

        Sum and weight are float32 scalars. The engine adds both over replicas and divides once, so
        that every token weighs the same wherever it was computed.
        """
        raise NotImplementedError

    def metrics(self) -> dict[str, keras.Metric]:
        """Returns Keras metrics by name, for training and dev, where `loss` gives them something: none by default.

        Of a metric called `accuracy`, `parts["accuracy"]` is what its `update_state` takes, as a tuple. It is reported
        as `train/accuracy` and `dev/accuracy`.
        """
        return {}

    def evaluate(self, model: keras.Model, split: str) -> dict[str, float]:
        """Returns the field's metrics on a split as flat names to numbers, such as `{"bleu": 27.3}`.

        They become `test/bleu` and, where a dev metric decides, `dev/bleu`. What is no score of this model on the test
        split has a group of its own in its name, such as `baseline/svm`.
        """
        raise NotImplementedError

    def signatures(
        self, model: keras.Model
    ) -> tuple[Sequence[Any], dict[str, tuple[Any, dict[str, tf.TensorSpec]]], Any]:
        """Returns `(trackables, {name: (function, {input: TensorSpec})}, warm-up inputs)` for the export."""
        raise NotImplementedError

    def after_export(self, exported: Path) -> dict[str, float]:
        """Puts the exported model to work, where its scores do not say how good it is at that. Does nothing by default.

        Args:
            exported: Folder of the version that was just written.

        Returns:
            Figures by name, each with a group of its own, such as `drive/tiles_mean`.
        """
        return {}

    def samples(self) -> list[Any]:
        """Returns a few inputs of the test split, as `read_input` gives them, whose views become pictures of the run.

        None by default.
        """
        return []

    def illustrate(self, model: keras.Model, directory: Path) -> list[Path]:
        """Draws what the views of `samples` do not show, and returns the paths. Draws nothing by default.

        Args:
            model: The trained model.
            directory: Folder of the run's pictures.
        """
        return []

    def next_command(self) -> str:
        """Returns the command that a user is likely to want after training; it is printed with the results."""
        return f"attention-zoo predict {self.name}"

    @staticmethod
    def read_input(argument: str) -> Any:
        """Returns what `predict` takes for an argument or an input line of the command line.

        By default the text itself, with what is not UTF-8 replaced. A task on images reads the file of that name.

        Args:
            argument: As Python decodes arguments (`os.fsdecode`), so that the name of any file can be one.

        Raises:
            UserError: it cannot be used.
        """
        return os.fsencode(argument).decode("utf-8", "replace")

    @staticmethod
    def ask(served: Any, inputs: Sequence[Any], attention: bool = False) -> Iterable[dict[str, Any]]:
        """Answers inputs with an exported model.

        Args:
            served: What `load_saved_model` returned, or anything whose `signatures` has its functions by name.
            inputs: List of what `read_input` returned.
            attention: Whether the answers hold what `view` needs. Defaults to False.

        Returns:
            Iterable of answers. An answer is a dict of strings, numbers and NumPy arrays. Its "input" names what it
            answers; its "error", where there is one that is not empty, says why it could not be answered; its "note", where
            there is one, is said beside the answer.

        Raises:
            UserError: Inputs cannot go together, or the model has no attention.
        """
        raise NotImplementedError

    @staticmethod
    def say(answer: dict[str, Any]) -> str:
        """Returns an answer of `ask` in words, as it is printed."""
        raise NotImplementedError

    @staticmethod
    def view(answer: dict[str, Any]) -> Any:
        """Returns what is to be seen of an answer that `ask` gave with attention: a `View`, or None for nothing."""
        return None
