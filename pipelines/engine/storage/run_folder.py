"""The files of a run: the only place where the names of files in a run folder are written."""

import csv
import hashlib
import json
import re
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any


def runs_of(task: str, directory: Path | str = "runs") -> list[Path]:
    """Returns the folders of the runs of a task, in the order of their names.

    Args:
        task: Name of the task, or "*" for all.
        directory: Folder of TASK/NAME/. Defaults to `"runs"`.

    Example:

    >>> runs_of("no_such_task")
    []
    """
    return sorted(path.parent for path in Path(directory).glob(f"{task}/*/{RunFolder('').config.name}"))


class RunFolder:
    """The folder of one run, `runs/TASK/NAME/`, with a property for every file in it.

    No property creates a file. A `RunFolder` can be used wherever a path is expected.

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

    def __init__(self, path: PathLike[str] | str):
        self.path = Path(path)

    def __fspath__(self) -> str:
        return str(self.path)

    def __str__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        return f"RunFolder({str(self.path)!r})"

    # Written by the engine.

    @property
    def config(self) -> Path:
        """The effective settings, YAML."""
        return self.path / "config.yaml"

    @property
    def checkpoints(self) -> Path:
        """The folder of the `CheckpointStore`."""
        return self.path / "checkpoints"

    @property
    def losses(self) -> Path:
        """The training loss of every ten steps, CSV."""
        return self.path / "losses.csv"

    @property
    def history(self) -> Path:
        """The record of every evaluation, JSON."""
        return self.path / "history.json"

    @property
    def metrics(self) -> Path:
        """The metrics of the finished run, JSON: flat names to numbers."""
        return self.path / "metrics.json"

    @property
    def tensorboard(self) -> Path:
        """The folder of the TensorBoard logs."""
        return self.path / "tensorboard"

    @property
    def pictures(self) -> Path:
        """The folder of the pictures."""
        return self.path / "pictures"

    @property
    def lock(self) -> Path:
        """The lock of the process that writes to the run."""
        return self.path / ".lock"

    @property
    def adapt_lock(self) -> Path:
        """The lock of the worker that learns vocabulary and normalisation."""
        return self.path / ".adapt"

    # Learned from the training data.

    @property
    def subwords(self) -> Path:
        """The SentencePiece model of a text task."""
        return self.path / "subwords.model"

    @property
    def words(self) -> Path:
        """The vocabulary of whole words, one a line."""
        return self.path / "words.txt"

    @property
    def word_pieces(self) -> Path:
        """The WordPieces, one a line."""
        return self.path / "word_pieces.txt"

    @property
    def pieces(self) -> Path:
        """The ids of byte pairs, JSON."""
        return self.path / "byte_pairs.json"

    @property
    def merges(self) -> Path:
        """The byte pairs that are merged, one a line, most frequent first."""
        return self.path / "byte_merges.txt"

    @property
    def labels(self) -> Path:
        """The names of the classes, one a line, in the order of the model's outputs."""
        return self.path / "labels.txt"

    @property
    def characters(self) -> Path:
        """The vocabulary of characters, one a line."""
        return self.path / "characters.txt"

    @property
    def word_vectors(self) -> Path:
        """Vectors that the embeddings begin with, one for each word, NPZ."""
        return self.path / "word_vectors.npz"

    @property
    def intents(self) -> Path:
        """The intents, entities, synonyms and patterns of a run, JSON."""
        return self.path / "intents.json"

    @property
    def encoder(self) -> Path:
        """The folder of the encoder of texts that the run began with, with its tokeniser, in the Hub's format."""
        return self.path / "encoder"

    @property
    def linear_probe(self) -> Path:
        """What the layer of the classes begins with, fitted on features of the encoder, safetensors."""
        return self.path / "linear_probe.safetensors"

    def vocabularies(self) -> list[Path]:
        """Returns the vocabularies that a task may have learned, by which the rows of embeddings are numbered.

        Those of an encoder come with its settings, without its weights.
        """
        kept = sorted(path for path in self.encoder.glob("*") if path.suffix in (".json", ".txt"))
        return [self.subwords, self.words, self.characters, self.word_pieces, self.pieces, self.merges, *kept]

    @property
    def tokens(self) -> Path:
        """The folder of the cached token ids."""
        return self.path / "tokens"

    # For other programs.

    @property
    def hub(self) -> Path:
        """The encoder and its tokeniser as a folder of the Hugging Face Hub."""
        return self.path / "hub"

    @property
    def vectors(self) -> Path:
        """Word vectors in the text format of word2vec."""
        return self.path / "vectors.txt"

    @property
    def binary_vectors(self) -> Path:
        """Word vectors in the binary format of word2vec."""
        return self.path / "vectors.bin"

    @property
    def projector(self) -> Path:
        """The folder of the files for TensorBoard's Embedding Projector."""
        return self.path / "projector"

    # More results on the test split.

    @property
    def test_by_length(self) -> Path:
        """Scores by sentence length, JSON."""
        return self.path / "test_by_length.json"

    @property
    def test_by_objects(self) -> Path:
        """Scores by number of objects in an image, JSON."""
        return self.path / "test_by_objects.json"

    @property
    def test_translations(self) -> Path:
        """Sources, references and translations, TSV."""
        return self.path / "test_translations.tsv"

    @property
    def test_captions(self) -> Path:
        """Images, references and captions, TSV."""
        return self.path / "test_captions.tsv"

    @property
    def test_answers(self) -> Path:
        """True classes, answers and their probabilities of images or texts, TSV with a head."""
        return self.path / "test_answers.tsv"

    @property
    def test_entities(self) -> Path:
        """Words of the test sentences with their tags and those of the answers, in CoNLL's format."""
        return self.path / "test_entities.conll"

    @property
    def drives(self) -> Path:
        """The drives of a steering model, JSON."""
        return self.path / "drives.json"

    @property
    def example(self) -> Path:
        """An image of the test split, for trying out `predict`."""
        return self.path / "example.png"

    @property
    def example_text(self) -> Path:
        """A text of the test split, for trying out `predict`."""
        return self.path / "example.txt"

    # Results that the run is compared with.

    @property
    def baselines(self) -> Path:
        """Scores of the baselines, JSON."""
        return self.path / "baselines.json"

    @property
    def twin(self) -> "RunFolder":
        """The run of the same model without attention, as a `RunFolder`."""
        return RunFolder(self.path / "no_attention")

    def evaluation(self, changes: Sequence[str]) -> "RunFolder":
        """Returns the folder of the scores on other data, named by the changed settings.

        Example:

        >>> RunFolder("mine").evaluation(["--data.test", "my texts/a.en", "my texts/a.fr"]).path.name
        'data.test-my-texts-a.en-my-texts-a.fr-11e61059'
        """
        words = re.sub(r"[^\w.]+", "-", " ".join(changes)).strip("-")[:60]
        digest = hashlib.blake2b("\0".join(changes).encode(), digest_size=4).hexdigest()
        return RunFolder(self.path / "evaluations" / f"{words}-{digest}")

    @property
    def softmax(self) -> "RunFolder":
        """The run of the same tagger with a softmax instead of the conditional random field, as a `RunFolder`."""
        return RunFolder(self.path / "softmax")

    @property
    def from_scratch(self) -> "RunFolder":
        """The run of the same model without the weights that it began with, as a `RunFolder`."""
        return RunFolder(self.path / "from_scratch")

    # Readers.

    def read_metrics(self) -> dict[str, float]:
        """Returns the metrics of the finished run; an empty dict if there are none."""
        return json.loads(self.metrics.read_text(encoding="utf-8")) if self.metrics.is_file() else {}

    def read_history(self) -> list[dict[str, Any]]:
        """Returns the records of the evaluations, oldest first; an empty list if there are none."""
        return json.loads(self.history.read_text(encoding="utf-8")) if self.history.is_file() else []

    def read_losses(self) -> list[tuple[int, float, float]]:
        """Returns the training curve as `[(step, loss, learning_rate)]`; an empty list if there is none.

        A half-written last line, which a kill or a full disk leaves, is ignored.
        """
        if not self.losses.is_file():
            return []
        text = self.losses.read_text(encoding="utf-8")
        whole_lines = text[: text.rfind("\n") + 1].splitlines()
        rows = [row for row in csv.reader(whole_lines) if len(row) == 3][1:]  # the first one is the header
        return [(int(step), float(loss), float(rate)) for step, loss, rate in rows]
