"""The contract between the engine and a task: the methods of a task, in the order in which the data flows."""

from __future__ import annotations

import copy
import os
import shlex
from collections.abc import Collection, Iterable, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attention_zoo.pipelines.engine.storage.run_folder import RunFolder

if TYPE_CHECKING:
    import keras
    import tensorflow as tf


class Task:
    """A documented task: from raw examples to a served answer.

    The engine calls `load`, `adapt`, `preprocess`, `build`, `loss`, `evaluate`, `baselines` and `signatures`, in this
    order, and knows of a task only the names that are declared here. `ask`, `say` and `view` need no run: they turn
    inputs into answers with an exported model, on the command line and elsewhere.

    Args:
        config: Instance of `Config`, the task's typed settings. It has a `training` and an `export` section.
        run_directory: Folder of this run. `adapt` writes there, so that a later evaluation or a resumed run has the
            same vocabulary.

    Attributes:
        name: The task's name on the command line.
        Config: Dataclass of the task's settings.
        data_version: Identifies the data that `load` read: a dataset's name and version, or a file's digest.
        data_service: Address of the tf.data service that makes the training batches; none by default.
        unit: Plural of the thing that the weight of a loss counts, for the messages: "tokens", "images".
        lower_is_better: Metrics of the dev split that are better when they are lower. All others are better when they
            are higher.
        answers_with: Name of an output of `serving_default` that identifies an exported model of this task, or several
            of which it has one.
        asked_together: Largest number of inputs that `ask` takes at once; `None` takes all that a user gave.
        reads: Kind of the files that `read_input` reads, as in their media types: "image" or "text".
        View: Class of the views that `view` returns, one of `engine.views`; `None` if the task has none.
        changeable_data_settings: Settings of the data section that change how the data is read, but not which data. A
            run may be continued with other values of them.
        sized_settings: Dotted names of the settings of data and model that `size_to_data` may change, such as
            "data.height".
        undecayed: Parts of names of weights that adamw does not decay, such as "bias".
        adapted_settings: Dotted names of the settings of what `adapt` learns, such as "data.vocabulary_size". An
            evaluation on other data cannot change them.
        pretrained: Whether the model begins with weights that were learned elsewhere. The engine then keeps the
            training settings on small data, where a new model gets more epochs.
        enough_steps: Updates of a run on small data, at least: fewer teach a new model little.
        enough_batches: Batches of an epoch of small data, at least, unless they would have few rows: batches that see
            the whole split at once make few updates.
    """

    data_version = ""
    data_service = ""
    changeable_data_settings = ()
    sized_settings: tuple[str, ...] = ()
    adapted_settings: tuple[str, ...] = ()
    undecayed: tuple[str, ...] = ()
    lower_is_better = ("loss",)
    unit = "tokens"
    asked_together: int | None = 32
    reads = "image"
    pretrained = False
    enough_steps = 600
    enough_batches = 12
    View: type | None = None
    answers_with: str | tuple[str, ...]
    name: str
    Config: type

    def __init__(self, config: Any, run_directory: PathLike[str] | str):
        self.config = config
        self.run_directory = Path(run_directory)

    @property
    def folder(self) -> RunFolder:
        """The run's folder as a `RunFolder`, which names every file in it."""
        return RunFolder(self.run_directory)

    def in_folder(self, folder: RunFolder) -> Task:
        """Returns the task with the same data, which writes into another folder. The folder is made."""
        beside = copy.copy(self)
        beside.run_directory = folder.path
        folder.path.mkdir(parents=True, exist_ok=True)
        return beside

    @classmethod
    def prefers_lower(cls, metric: str) -> bool:
        """Returns whether a metric of the dev split, such as "dev/loss", is better when it is lower."""
        return metric.removeprefix("dev/") in cls.lower_is_better

    def load(self) -> None:
        """Reads the raw examples of all splits."""
        raise NotImplementedError

    def size_to_data(self, typed: Collection[str]) -> list[str]:
        """Changes settings to suit the data that `load` read. The default changes nothing.

        The engine calls it between `load` and `adapt`, when a run is trained: `config.yaml` keeps the changed settings.
        The same data and settings must give the same changes, because a continued run calls it again.

        Args:
            typed: Dotted names of the settings that the user wrote. They must stay as they are.

        Returns:
            Lines that say what was changed and why.
        """
        return []

    def adapt(self) -> None:
        """Learns vocabulary and normalisation from the training split only."""
        raise NotImplementedError

    def preprocess(self, split: str, epoch: int) -> tf.data.Dataset:
        """Returns a `tf.data.Dataset` of batches. The same split and epoch give the same batches."""
        raise NotImplementedError

    def build(self) -> keras.Model:
        """Returns the `keras.Model`, built, with weights drawn from the seed."""
        raise NotImplementedError

    def loss(self, model: keras.Model, batch: Any, training: bool) -> tuple[tf.Tensor, tf.Tensor, dict[str, Any]]:
        """Returns (sum, weight, parts): the loss summed over the batch, what to divide it by, and named sums.

        Sum and weight are float32 scalars. The engine adds both over replicas and divides once, so that every token has
        the same weight, whichever replica computed it.
        """
        raise NotImplementedError

    def rate_factors(self, model: keras.Model) -> dict[str, float]:
        """Returns what the learning rate of a weight is multiplied by, by the paths of `variables_by_path`.

        The default is an empty dict: all weights have the same rate.
        """
        return {}

    def metrics(self) -> dict[str, keras.Metric]:
        """Returns Keras metrics by name, for training and dev. The default is no metric.

        `parts["accuracy"]` of `loss` holds the arguments of `update_state` of a metric called `accuracy`, as a tuple.
        The metric is reported as `train/accuracy` and `dev/accuracy`.
        """
        return {}

    def evaluate(self, model: keras.Model, split: str) -> dict[str, float]:
        """Returns the field's metrics on a split as flat names to numbers, such as `{"bleu": 27.3}`.

        They become `test/bleu` and, if a dev metric chooses the checkpoint, `dev/bleu`. A figure that is not a score
        of this model on the test split has a group of its own in its name, such as `causal/blobs`.
        """
        raise NotImplementedError

    def baselines(self) -> dict[str, float]:
        """Trains what the model has to beat, and returns its figures by name, such as `{"svm": 96.9}`.

        Training calls it and `attention-zoo evaluate` does not. They become `baseline/svm`, and are kept: a finished
        run whose command is repeated trains them only if its settings have changed. The default is no baseline.
        """
        return {}

    def signatures(
        self, model: keras.Model
    ) -> tuple[Sequence[Any], dict[str, tuple[Any, dict[str, tf.TensorSpec]]], Any]:
        """Returns `(trackables, {name: (function, {input: TensorSpec})}, warm-up inputs)` for the export."""
        raise NotImplementedError

    def after_export(self, exported: Path) -> dict[str, float]:
        """Measures the exported model at its work, if its scores do not measure that. The default does nothing.

        Args:
            exported: Folder of the version that was just written.

        Returns:
            Figures by name, each with a group of its own, such as `drive/tiles_mean`.
        """
        return {}

    def samples(self) -> list[Any]:
        """Returns a few inputs of the test split, as `read_input` gives them. Their views become pictures of the run.

        The default is an empty list.
        """
        return []

    def truths(self) -> list[dict[str, Any]]:
        """Returns what is known of each of `samples`, such as `{"truth": "cat"}`, for the pictures of the run.

        The entries are added to the answer that `view` gets. The default is an empty list: nothing is known.
        """
        return []

    def illustrate(self, model: keras.Model, directory: Path) -> list[Path]:
        """Draws further pictures besides the views of `samples`, and returns their paths. The default draws nothing.

        Args:
            model: The trained model.
            directory: Folder of the run's pictures.
        """
        return []

    def next_command(self) -> str:
        """Returns the command that a user probably wants after training. It is printed with the results."""
        return predict_command(self.name)

    @staticmethod
    def read_input(argument: str) -> Any:
        """Turns an argument or an input line of the command line into an input of `ask`.

        The default returns the text, with invalid UTF-8 replaced. A task on images reads the file of that name.

        Args:
            argument: As Python decodes arguments (`os.fsdecode`), so that the name of any file can be one.

        Raises:
            UserError: The argument cannot be used.
        """
        return os.fsencode(argument).decode("utf-8", "replace")

    @staticmethod
    def ask(served: Any, inputs: Sequence[Any], attention: bool = False) -> Iterable[dict[str, Any]]:
        """Answers inputs with an exported model.

        Args:
            served: What `load_saved_model` returned, or anything whose `signatures` has its functions by name.
            inputs: List of inputs that `read_input` returned.
            attention: Whether the answers hold what `view` needs. Defaults to `False`.

        Returns:
            Iterable of answers. An answer is a dict of strings, numbers and NumPy arrays. Its "input" names the input.
            A non-empty "error" says why the input could not be answered. A "note" is printed beside the answer.

        Raises:
            UserError: Inputs cannot go together, or the model has no attention.
        """
        raise NotImplementedError

    @staticmethod
    def say(answer: dict[str, Any]) -> str:
        """Returns an answer of `ask` as the text that is printed."""
        raise NotImplementedError

    @staticmethod
    def view(answer: dict[str, Any]) -> Any:
        """Returns the `View` of an answer that `ask` gave with attention, or `None` if there is nothing to see."""
        return None

    @staticmethod
    def view_heads(answer: dict[str, Any]) -> Any:
        """Returns the `View` of all attention heads, for `predict --heads`; `None` if there is nothing to see.

        A task whose models have no heads keeps the default, and `predict` refuses `--heads`.

        Raises:
            UserError: The model that answered has no heads.
        """
        return None

    @classmethod
    def view_page(cls, answer: dict[str, Any]) -> Any:
        """Returns the `View` of a page, which can show more than a picture. The default is that of `view`."""
        return cls.view(answer)


def predict_command(task: str, *inputs: str | PathLike[str], picture: str = "") -> str:
    """Returns the command line that asks the newest export of a task, quoted for a shell.

    Inputs come through a pipe if one begins with a hyphen, which would be read as an option, or has a tab between two
    texts, at which a shell would complete a name when it is typed.

    Args:
        task: Name of the task.
        *inputs: The inputs.
        picture: File of the picture to draw. Defaults to `""`, none.

    Example:

    >>> print(predict_command("intents", "good morning", picture="attention.png"))
    attention-zoo predict intents 'good morning' --attention attention.png
    >>> print(predict_command("answer", "Who?\\tAnn did."))
    printf '%s\\t%s\\n' 'Who?' 'Ann did.' | attention-zoo predict answer
    """
    words, options = [os.fspath(one) for one in inputs], ["--attention", picture] if picture else []
    if any(word.startswith("-") or "\t" in word for word in words):
        fields = [field for word in words for field in word.split("\t")]
        line = "\\t".join(["%s"] * (len(fields) // len(words)))
        return f"printf '{line}\\n' {shlex.join(fields)} | {shlex.join(['attention-zoo', 'predict', task, *options])}"
    return shlex.join(["attention-zoo", "predict", task, *words, *options])
