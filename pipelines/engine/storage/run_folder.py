"""The files of a run: every name in a run folder is written here, and nowhere else."""

import csv
import json
from pathlib import Path


class RunFolder:
    """The folder of one run, `runs/TASK/NAME/`, with a property for every file in it.

    No property creates anything. A `RunFolder` can be used wherever a path is expected.

    Args:
        path: The folder.

    Attributes:
        path: The folder, as a `Path`.

    Example:

    >>> folder = RunFolder("runs/translation/dates")
    >>> folder.metrics.as_posix()
    'runs/translation/dates/metrics.json'
    >>> folder.twin.checkpoints.as_posix()
    'runs/translation/dates/no_attention/checkpoints'
    """

    def __init__(self, path):
        self.path = Path(path)

    def __fspath__(self):
        return str(self.path)

    def __str__(self):
        return str(self.path)

    def __repr__(self):
        return f"RunFolder({str(self.path)!r})"

    # Written by the engine.

    @property
    def config(self):
        """The effective settings, YAML."""
        return self.path / "config.yaml"

    @property
    def checkpoints(self):
        """The folder of the `CheckpointStore`."""
        return self.path / "checkpoints"

    @property
    def losses(self):
        """The training loss of every ten steps, CSV."""
        return self.path / "losses.csv"

    @property
    def history(self):
        """The record of every evaluation, JSON."""
        return self.path / "history.json"

    @property
    def metrics(self):
        """The metrics of the finished run, JSON: flat names to numbers."""
        return self.path / "metrics.json"

    @property
    def tensorboard(self):
        """The folder of the TensorBoard logs."""
        return self.path / "tensorboard"

    @property
    def pictures(self):
        """The folder of the pictures."""
        return self.path / "pictures"

    @property
    def lock(self):
        """Held by the process that writes to the run."""
        return self.path / ".lock"

    @property
    def adapt_lock(self):
        """Held by the worker that learns vocabulary and normalisation."""
        return self.path / ".adapt"

    # Learned from the training data.

    @property
    def subwords(self):
        """The SentencePiece model of a text task."""
        return self.path / "subwords.model"

    @property
    def words(self):
        """The vocabulary of whole words, one a line."""
        return self.path / "words.txt"

    @property
    def tokens(self):
        """The folder of the cached token ids."""
        return self.path / "tokens"

    # Results on the test split besides the metrics.

    @property
    def test_by_length(self):
        """Scores by sentence length, JSON."""
        return self.path / "test_by_length.json"

    @property
    def test_by_objects(self):
        """Scores by number of objects in an image, JSON."""
        return self.path / "test_by_objects.json"

    @property
    def test_translations(self):
        """Sources, references and translations, TSV."""
        return self.path / "test_translations.tsv"

    @property
    def test_captions(self):
        """Images, references and captions, TSV."""
        return self.path / "test_captions.tsv"

    @property
    def drives(self):
        """The drives of a steering model, JSON."""
        return self.path / "drives.json"

    @property
    def example(self):
        """An image of the test split, for trying out `predict`."""
        return self.path / "example.png"

    # What the run is compared with.

    @property
    def baselines(self):
        """Scores of the baselines, JSON."""
        return self.path / "baselines.json"

    @property
    def twin(self):
        """The run of the same model without attention, as a `RunFolder`."""
        return RunFolder(self.path / "no_attention")

    # Readers.

    def read_metrics(self):
        """Returns the metrics of the finished run; an empty dict if there are none."""
        return json.loads(self.metrics.read_text(encoding="utf-8")) if self.metrics.is_file() else {}

    def read_history(self):
        """Returns the records of the evaluations, oldest first; an empty list if there are none."""
        return json.loads(self.history.read_text(encoding="utf-8")) if self.history.is_file() else []

    def read_losses(self):
        """Returns the training curve as `[(step, loss, learning_rate)]`; an empty list if there is none.

        A half-written last line, which a kill or a full disk leaves, is ignored.
        """
        if not self.losses.is_file():
            return []
        text = self.losses.read_text(encoding="utf-8")
        whole_lines = text[: text.rfind("\n") + 1].splitlines()
        rows = [row for row in csv.reader(whole_lines) if len(row) == 3][1:]  # the first one is the header
        return [(int(step), float(loss), float(rate)) for step, loss, rate in rows]
